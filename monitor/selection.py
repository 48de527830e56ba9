"""Which runs a filter selects and in which order, as SQL over the mirror and the assessments.

The display order is a chain of segments: runs that can still be saved, soonest deadline first; those nobody can tell of;
those that never can be resumed; those whose deadline has passed; those not in Error that need eyes; all others, the
newest first within each status. Each segment is a range of an index, and the clock only moves the ends of the ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from connector.mirror import tables
from monitor.assessment import Assessment, Place, micros
from monitor.ledger import ResumeAttempt
from monitor.reasons import explain
from monitor.rows import RunFilter
from monitor.sql import AnyCaseLike, escaped, table_of
from monitor.story import ERROR, FINISHED, KNOWN_STATUSES
from monitor.verdict import ReasonCode

RUN, ASSESSMENT, ATTEMPT = table_of(tables.Run), table_of(Assessment), table_of(ResumeAttempt)
ROWID: ColumnElement[int] = literal_column("run.rowid")
"""A run's number: SQLite has one for every row; on PostgreSQL it is a column of the same name."""
SETTLED = sorted(KNOWN_STATUSES - {ERROR})
"""The statuses of runs that have not failed. Any other, known or not, is judged."""
JUDGED = and_(ASSESSMENT.c.org_id == RUN.c.org_id, ASSESSMENT.c.run_id == RUN.c.id)
STILL_SO = ASSESSMENT.c.status == RUN.c.status
_ATTEMPT_OPEN = exists().where(
    ATTEMPT.c.org_id == ASSESSMENT.c.org_id, ATTEMPT.c.run_id == ASSESSMENT.c.run_id, ATTEMPT.c.settled_at.is_(None)
)
MAY_NEED_EYES = frozenset({"InProgress", "Suspended"})
SHORT_ID = 15

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True)
class Question:
    """A filter with what must be known of the mirror to turn it into ranges of indexes."""

    now: datetime
    chosen: RunFilter
    orgs: Sequence[str]  # the orgs that are meant
    stale: Sequence[str] = ()  # those of them whose data is too old for a verdict
    orchestrations: Sequence[str] | None = None  # the API names that the filter's pattern matches
    is_judged: bool = False  # whether `assessment` is known to hold exactly the runs that need judging


@dataclass(frozen=True)
class Segment:
    """One stretch of the display order: judged runs, or (`judged` False) runs without a row in `assessment`."""

    where: ColumnElement[bool]
    order: tuple[ColumnElement[Any], ...]
    judged: bool = True
    at_risk: bool = False
    eyes: bool = False
    status: str | None = None  # the only status of its runs
    joined: bool = False  # its conditions need both tables

    def select(self, *what: ColumnElement[Any], numbered: bool = True) -> Select[Any]:
        """A query for something of the segment's runs, unordered; `numbered` when it asks for the table `run`."""
        return select(*what).select_from(self._source(numbered)).where(self.where)

    def _source(self, numbered: bool) -> FromClause:
        if not self.judged:
            return RUN
        return ASSESSMENT.join(RUN, JUDGED) if numbered or self.joined else ASSESSMENT


def segments(question: Question) -> list[Segment]:
    """The display order of the runs that a question selects."""
    due, lost, place = ASSESSMENT.c.due, ASSESSMENT.c.lost, ASSESSMENT.c.place
    now, orgs = micros(question.now), question.orgs
    soonest = (due, ASSESSMENT.c.run_id)
    latest = (due.desc(), ASSESSMENT.c.run_id)
    unjudged = and_(failed(orgs), not_(exists().where(JUDGED, STILL_SO)))
    failing = [
        Segment(and_(place == Place.SAVABLE, due >= now), soonest, at_risk=True),
        Segment(and_(place == Place.SAVABLE, due < now, lost >= now), soonest, at_risk=True),
        Segment(and_(place == Place.UNCLEAR, lost >= now), soonest, at_risk=True),
        Segment(unjudged, (ROWID,), judged=False, at_risk=True),
        Segment(place == Place.HOPELESS, soonest),
        Segment(and_(place.in_([Place.SAVABLE, Place.UNCLEAR]), lost < now), latest),
    ]
    if question.is_judged:
        failing = [segment for segment in failing if segment.judged]
    else:
        failing = [_while_so(segment) for segment in failing]
    chain = [
        *failing,
        _while_so(Segment(place == Place.EYES, soonest, eyes=True)),
        *(_rest(org, status) for org in orgs for status in sorted(SETTLED, reverse=True)),
    ]
    return [_narrowed(segment, question) for segment in chain if _is_asked_for(segment, question.chosen)]


def long_id(run_id: str) -> str:
    """The 18-character form of a record id: three letters tell the case of the other fifteen."""
    if len(run_id) != SHORT_ID:
        return run_id
    parts = (run_id[start : start + 5] for start in (0, 5, 10))
    return run_id + "".join(
        _CHECKSUM[sum(letter.isupper() << place for place, letter in enumerate(part))] for part in parts
    )


def _while_so(segment: Segment) -> Segment:
    """The segment without runs that have changed their status since they were judged."""
    if not segment.judged:
        return segment
    return replace(segment, where=and_(segment.where, STILL_SO), joined=True)


def failed(orgs: Sequence[str]) -> ColumnElement[bool]:
    """Runs whose status needs judging, in the gaps between those that need none: ranges that an index can serve."""
    status = RUN.c.status
    gaps = [and_(status > low, status < high) for low, high in pairwise(SETTLED)]
    ranges = [status < SETTLED[0], *gaps, status > SETTLED[-1]]
    return or_(false(), *(and_(RUN.c.org_id == org, each) for org in orgs for each in ranges))


def _rest(org_id: str, status: str) -> Segment:
    """The runs of one status that need nobody, in the order of the index on status."""
    where = and_(RUN.c.org_id == org_id, RUN.c.status == status)
    if status in MAY_NEED_EYES:
        marked = and_(ASSESSMENT.c.place == Place.EYES, STILL_SO)
        eyes = select(ROWID).select_from(ASSESSMENT.join(RUN, JUDGED)).where(marked)
        where = and_(where, ROWID.not_in(eyes))
    return Segment(where, (RUN.c.system_modstamp.desc(),), judged=False, status=status)


def _is_asked_for(segment: Segment, chosen: RunFilter) -> bool:
    if chosen.needs_eyes:
        return segment.eyes
    if not segment.judged and (chosen.group is not None or chosen.within is not None or chosen.eligibility is not None):
        return False  # what is not judged has no group, no deadline and no verdict
    if segment.eyes and chosen.eligibility is not None:
        return False
    if segment.status is not None and chosen.statuses:
        return segment.status.lower() in [status.lower() for status in chosen.statuses]
    return segment.at_risk or not (chosen.at_risk or chosen.within is not None)


def _narrowed(segment: Segment, question: Question) -> Segment:
    chosen, mine = question.chosen, ASSESSMENT if segment.judged else RUN
    conditions = [segment.where, *([mine.c.org_id.in_(question.orgs)] if segment.judged else [])]
    if chosen.statuses and segment.status is None:
        conditions.append(func.lower(mine.c.status).in_([status.lower() for status in chosen.statuses]))
    if chosen.ids:
        conditions.append((mine.c.run_id if segment.judged else mine.c.id).in_([long_id(each) for each in chosen.ids]))
    if question.orchestrations is not None:
        conditions.append(RUN.c.orchestration.in_(question.orchestrations))
    if chosen.text:
        conditions.append(_contains(chosen.text, judged=segment.judged))
    if segment.judged:
        conditions += _judged_conditions(question)
    elif chosen.reason is not None:
        conditions.append(_rest_has(chosen.reason))
    joined = segment.joined or (segment.judged and bool(question.orchestrations is not None or chosen.text))
    return replace(segment, where=and_(*conditions), joined=joined)


def _judged_conditions(question: Question) -> list[ColumnElement[bool]]:
    chosen = question.chosen
    conditions: list[ColumnElement[bool]] = []
    if chosen.group is not None:
        conditions += [ASSESSMENT.c.cause_group >= chosen.group, ASSESSMENT.c.cause_group < f"{chosen.group}g"]
    if chosen.within is not None:
        conditions.append(ASSESSMENT.c.due <= micros(question.now + chosen.within))
    if chosen.reason is not None:
        conditions.append(reason_at(question.now, question.stale) == chosen.reason.value)
    if chosen.eligibility is not None:
        codes = [code.value for code in ReasonCode if explain(code).eligibility is chosen.eligibility]
        conditions.append(reason_at(question.now, question.stale).in_(codes))
    return conditions


def reason_at(now: datetime, stale: Sequence[str]) -> ColumnElement[str]:
    """The reason code of a judged run at `now`: what monitor.triage.at does to a verdict, in SQL."""
    place, moment = ASSESSMENT.c.place, micros(now)
    ticking = place.in_([Place.SAVABLE, Place.UNCLEAR])
    return case(
        (and_(ticking, ASSESSMENT.c.deadline_earliest.is_not(None), _ATTEMPT_OPEN), ReasonCode.ATTEMPT_OPEN.value),
        (and_(ticking, ASSESSMENT.c.lost < moment), ReasonCode.WINDOW_EXPIRED.value),
        (and_(place == Place.SAVABLE, ASSESSMENT.c.org_id.in_(stale)), ReasonCode.STALE_DATA.value),
        (and_(place == Place.SAVABLE, ASSESSMENT.c.due < moment), ReasonCode.FAIL_TIME_UNKNOWN.value),
        else_=ASSESSMENT.c.reason,
    )


def _rest_has(reason: ReasonCode) -> ColumnElement[bool]:
    """The reason of a run that is not failing: deleted, out of sight, resumed by somebody else, or simply not in Error."""
    deleted = RUN.c.is_deleted.is_(True)
    unseen = and_(not_(deleted), RUN.c.vanished_at.is_not(None), RUN.c.status.not_in(FINISHED))
    unjudged = {
        ReasonCode.RUN_DELETED: deleted,
        ReasonCode.RUN_NOT_VISIBLE: unseen,
        ReasonCode.NOT_IN_ERROR: not_(or_(deleted, unseen)),
    }
    stored = exists().where(JUDGED, STILL_SO, ASSESSMENT.c.reason == reason.value)
    return or_(stored, and_(unjudged.get(reason, false()), not_(exists().where(JUDGED, STILL_SO))))


def _contains(text: str, *, judged: bool) -> ColumnElement[bool]:
    columns = [RUN.c.id, RUN.c.name, RUN.c.triggering_record, RUN.c.orchestration, RUN.c.current_stage]
    if judged:
        columns += [ASSESSMENT.c.error, ASSESSMENT.c.stage, ASSESSMENT.c.step]
    return or_(*(AnyCaseLike(column, f"%{escaped(text)}%") for column in columns))
