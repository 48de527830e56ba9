"""Failed runs by cause: how many, until when, how many can be saved, and one of them as a sample."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, false, or_, select

from monitor.assessment import FAR, Place, micros, moment_of
from monitor.lines import Moment, shown
from monitor.reasons import explain
from monitor.rows import CauseGroup
from monitor.selection import ASSESSMENT, JUDGED, RUN, Question, reason_at, segments
from monitor.sql import chunks
from monitor.verdict import Eligibility, Readiness, ReasonCode

NEW = timedelta(days=1)
"""How young a failure must be to count as new."""
NEVER = datetime.max.replace(tzinfo=UTC)


def groups(connection: Connection, moment: Moment, question: Question) -> tuple[CauseGroup, ...]:
    """The cause groups of the selected runs in Error, soonest deadline first; those without one last, largest first."""
    members: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in _members(connection, question):
        members[row.org_id, row.cause_group].append(row)
    firsts = {key: min(rows, key=lambda row: _urgency(row, moment.now)) for key, rows in members.items()}
    samples = _samples(connection, [row.run_id for row in firsts.values()])
    found = [
        _group(rows, samples[row.org_id, row.run_id], moment) for key, rows in members.items() for row in [firsts[key]]
    ]
    return tuple(sorted(found, key=lambda group: (group.first_deadline or NEVER, -group.count, group.id)))


def _members(connection: Connection, question: Question) -> Sequence[Any]:
    """The figures of every selected run in Error."""
    failing = [segment for segment in segments(question) if segment.judged and not segment.eyes]
    reason = reason_at(question.now, question.stale).label("reason")
    figures = (ASSESSMENT.c.place, ASSESSMENT.c.due, ASSESSMENT.c.lost, ASSESSMENT.c.failed_at, reason)
    what = select(ASSESSMENT.c.org_id, ASSESSMENT.c.cause_group, ASSESSMENT.c.run_id, *figures)
    if any(segment.joined for segment in failing):
        what = what.join_from(ASSESSMENT, RUN, JUDGED)
    selected = or_(false(), *(segment.where for segment in failing))
    return connection.execute(what.where(selected, ASSESSMENT.c.cause_group.is_not(None))).all()


def _urgency(row: Any, now: datetime) -> tuple[bool, int, int, str]:
    return row.lost < micros(now), row.place, row.due, row.run_id


def _samples(connection: Connection, run_ids: Sequence[str]) -> dict[tuple[str, str], Any]:
    told = (ASSESSMENT.c.stage, ASSESSMENT.c.step, ASSESSMENT.c.error, ASSESSMENT.c.reason)
    ready = (ASSESSMENT.c.readiness, ASSESSMENT.c.readiness_note, ASSESSMENT.c.cause_group)
    what = select(RUN.c.org_id, RUN.c.id, RUN.c.orchestration, *told, *ready).join_from(RUN, ASSESSMENT, JUDGED)
    rows = [row for chunk in chunks(run_ids) for row in connection.execute(what.where(RUN.c.id.in_(chunk)))]
    return {(row.org_id, row.id): row for row in rows}


def _group(rows: Sequence[Any], sample: Any, moment: Moment) -> CauseGroup:
    now = micros(moment.now)
    ahead = [row.due for row in rows if row.due >= now and row.place != Place.HOPELESS and row.lost >= now]
    reasons = {ReasonCode(code): count for code, count in Counter(row.reason for row in rows).most_common()}
    return CauseGroup(
        id=sample.cause_group,
        org=moment.orgs[sample.org_id].name,
        orchestration=sample.orchestration,
        stage=sample.stage,
        step=sample.step,
        cause=shown(sample.error, moment.settings) or explain(ReasonCode(sample.reason)).sentence,
        count=len(rows),
        resumable=sum(reasons[code] for code in reasons if explain(code).eligibility is Eligibility.RESUMABLE),
        reason_codes=tuple(reasons),
        first_deadline=moment_of(min(ahead)) if ahead and min(ahead) < FAR else None,
        new_last_day=sum(row.failed_at is not None and row.failed_at > moment.now - NEW for row in rows),
        readiness=Readiness(sample.readiness) if ahead else Readiness.UNASSESSED,
        readiness_note=sample.readiness_note if ahead else "",
        sample_run=sample.id,
    )
