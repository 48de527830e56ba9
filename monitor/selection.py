"""Which runs a filter selects and in which order, as SQL over the mirror and the assessments.

The display order is a chain of segments: runs that can still be saved, soonest deadline first; those nobody can tell of;
those that never can be resumed; those whose deadline has passed; those not in Error that need eyes; all others, the
newest first within each status. Each segment is a range of an index, and the clock only moves the ends of the ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, func, literal_column, not_, or_, select

from connector.mirror import tables
from monitor.assessment import Assessment, Place, micros
from monitor.ledger import ResumeAttempt
from monitor.rows import RunFilter
from monitor.sql import table_of
from monitor.story import ERROR, KNOWN_STATUSES
from monitor.verdict import ReasonCode

RUN, ASSESSMENT, ATTEMPT = table_of(tables.Run), table_of(Assessment), table_of(ResumeAttempt)
ROWID: ColumnElement[int] = literal_column("run.rowid")
"""A run's number: SQLite has one for every row; on PostgreSQL it is a column of the same name."""
SETTLED = sorted(KNOWN_STATUSES - {ERROR})
JUDGED = and_(ASSESSMENT.c.org_id == RUN.c.org_id, ASSESSMENT.c.run_id == RUN.c.id)
SHORT_ID, LONG_ID = 15, 18

_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True)
class Segment:
    """One stretch of the display order: judged runs, or (`judged` False) runs without a row in `assessment`."""

    where: ColumnElement[bool]
    order: tuple[ColumnElement[Any], ...]
    judged: bool = True
    at_risk: bool = False
    eyes: bool = False
    joined: bool = False  # its conditions need both tables

    def select(self, *what: ColumnElement[Any], numbered: bool = True) -> Select[Any]:
        """A query for something of the segment's runs, unordered; `numbered` when it asks for the table `run`."""
        return select(*what).select_from(self._source(numbered)).where(self.where)

    def _source(self, numbered: bool) -> FromClause:
        if not self.judged:
            return RUN
        return ASSESSMENT.join(RUN, JUDGED) if numbered or self.joined else ASSESSMENT


def segments(now: datetime, chosen: RunFilter, orgs: Sequence[str], stale: Sequence[str]) -> list[Segment]:
    """The display order of what a filter selects among the runs of `orgs`; of the orgs in `stale` the data is too old."""
    due, lost, place = ASSESSMENT.c.due, ASSESSMENT.c.lost, ASSESSMENT.c.place
    moment = micros(now)
    soonest = (due, ASSESSMENT.c.run_id)
    chain = [
        Segment(and_(place == Place.SAVABLE, due >= moment), soonest, at_risk=True),
        Segment(and_(place == Place.SAVABLE, due < moment, lost >= moment), soonest, at_risk=True),
        Segment(and_(place == Place.UNCLEAR, lost >= moment), soonest, at_risk=True),
        Segment(and_(RUN.c.status.not_in(SETTLED), not_(exists().where(JUDGED))), (ROWID,), judged=False, at_risk=True),
        Segment(place == Place.HOPELESS, soonest),
        Segment(and_(place.in_([Place.SAVABLE, Place.UNCLEAR]), lost < moment), (due.desc(), ASSESSMENT.c.run_id)),
        Segment(place == Place.EYES, soonest, eyes=True),
        *(_rest(org) for org in orgs),
    ]
    asked = [segment for segment in chain if _is_asked_for(segment, chosen)]
    return [_narrowed(segment, now, chosen, orgs, stale) for segment in asked]


def long_id(run_id: str) -> str:
    """The 18-character form of a record id: three letters tell the case of the other fifteen."""
    if len(run_id) != SHORT_ID:
        return run_id
    parts = (run_id[start : start + 5] for start in (0, 5, 10))
    return run_id + "".join(
        _CHECKSUM[sum(letter.isupper() << place for place, letter in enumerate(part))] for part in parts
    )


def _rest(org_id: str) -> Segment:
    eyes = select(ROWID).select_from(ASSESSMENT.join(RUN, JUDGED)).where(ASSESSMENT.c.place == Place.EYES)
    where = and_(RUN.c.org_id == org_id, RUN.c.status.in_(SETTLED), ROWID.not_in(eyes))
    return Segment(where, (RUN.c.status.desc(), RUN.c.system_modstamp.desc()), judged=False)


def _is_asked_for(segment: Segment, chosen: RunFilter) -> bool:
    if chosen.needs_eyes:
        return segment.eyes
    return segment.at_risk or not (chosen.at_risk or chosen.within is not None)


def _narrowed(segment: Segment, now: datetime, chosen: RunFilter, orgs: Sequence[str], stale: Sequence[str]) -> Segment:
    mine = ASSESSMENT if segment.judged else RUN
    conditions = [segment.where, mine.c.org_id.in_(orgs)]
    if chosen.statuses:
        conditions.append(func.lower(mine.c.status).in_([status.lower() for status in chosen.statuses]))
    if chosen.ids:
        conditions.append((mine.c.run_id if segment.judged else mine.c.id).in_([long_id(each) for each in chosen.ids]))
    if chosen.orchestration is not None:
        conditions.append(_matches(chosen.orchestration))
    if chosen.text:
        conditions.append(_contains(chosen.text, judged=segment.judged))
    if segment.judged:
        conditions += _judged_conditions(now, chosen, stale)
    elif chosen.group is not None or chosen.within is not None or chosen.reason is not None:
        conditions.append(_rest_has(chosen))
    joined = segment.judged and bool(chosen.orchestration is not None or chosen.text)
    return replace(segment, where=and_(*conditions), joined=joined)


def _judged_conditions(now: datetime, chosen: RunFilter, stale: Sequence[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.group is not None:
        conditions.append(ASSESSMENT.c.cause_group.startswith(chosen.group.lower(), autoescape=True))
    if chosen.within is not None:
        conditions.append(ASSESSMENT.c.due <= micros(now + chosen.within))
    if chosen.reason is ReasonCode.ATTEMPT_OPEN:
        conditions.append(ASSESSMENT.c.run_id.in_(select(ATTEMPT.c.run_id).where(ATTEMPT.c.settled_at.is_(None))))
    elif chosen.reason is not None:
        conditions.append(reason_at(now, stale) == chosen.reason.value)
    return conditions


def reason_at(now: datetime, stale: Sequence[str]) -> ColumnElement[str]:
    """The reason code of a judged run at `now`: what monitor.triage.at does to a verdict, in SQL."""
    place, moment = ASSESSMENT.c.place, micros(now)
    ticking = place.in_([Place.SAVABLE, Place.UNCLEAR])
    return case(
        (and_(ticking, ASSESSMENT.c.lost < moment), ReasonCode.WINDOW_EXPIRED.value),
        (and_(place == Place.SAVABLE, ASSESSMENT.c.org_id.in_(stale)), ReasonCode.STALE_DATA.value),
        (and_(place == Place.SAVABLE, ASSESSMENT.c.due < moment), ReasonCode.FAIL_TIME_UNKNOWN.value),
        else_=ASSESSMENT.c.reason,
    )


def _rest_has(chosen: RunFilter) -> ColumnElement[bool]:
    """Runs that are not failing belong to no group and have no deadline; their reason is their status."""
    if chosen.group is not None or chosen.within is not None:
        return RUN.c.id.in_([])
    deleted = or_(RUN.c.is_deleted.is_(True), RUN.c.vanished_at.is_not(None))
    stored = and_(RUN.c.status.in_(SETTLED), exists().where(JUDGED, ASSESSMENT.c.reason == str(chosen.reason)))
    if chosen.reason is ReasonCode.RUN_DELETED:
        return deleted
    if chosen.reason is ReasonCode.NOT_IN_ERROR:
        return and_(
            not_(deleted), not_(exists().where(JUDGED, ASSESSMENT.c.reason == ReasonCode.RESUMED_ELSEWHERE.value))
        )
    return stored


def _matches(pattern: str) -> ColumnElement[bool]:
    """An orchestration by its API name or label, any case; `*` stands for anything."""
    escaped = pattern.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    names = (RUN.c.orchestration, RUN.c.orchestration_label)
    return or_(*(func.lower(name).like(escaped, escape="\\") for name in names))


def _contains(text: str, *, judged: bool) -> ColumnElement[bool]:
    columns = [
        RUN.c.id,
        RUN.c.name,
        RUN.c.triggering_record,
        RUN.c.orchestration,
        RUN.c.orchestration_label,
        RUN.c.current_stage,
    ]
    if judged:
        columns += [ASSESSMENT.c.error, ASSESSMENT.c.stage, ASSESSMENT.c.step]
    return or_(*(column.icontains(text, autoescape=True) for column in columns))
