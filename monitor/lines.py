"""Makes the lines of lists: a run's row, its stored assessment and the clock become a RunLine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from connector.mirror import tables
from monitor import signature
from monitor.assess import judge_among, siblings_of
from monitor.assessment import Place, verdict_of
from monitor.ledger import WAS_SENT
from monitor.reasons import explain
from monitor.rows import RunLine
from monitor.selection import ASSESSMENT, ATTEMPT, JUDGED, ROWID, RUN, SETTLED
from monitor.settings import MonitorSettings
from monitor.sql import chunks, table_of
from monitor.stories import load, org_context
from monitor.story import FINISHED
from monitor.triage import UNFAILED, at
from monitor.verdict import Confidence, ReasonCode, Verdict

LOG = table_of(tables.LogEntry)

_VERSION = (
    select(LOG.c.version).where(LOG.c.org_id == RUN.c.org_id, LOG.c.run_id == RUN.c.id).limit(1).scalar_subquery()
)
"""A run keeps the version it started with, so any of its log entries tells it."""
_RUN_COLUMNS = tuple(column for column in RUN.c if column.name != "is_debug_run")
_ASSESSMENT_COLUMNS = (
    ASSESSMENT.c.status.label("judged_status"),
    *(column for column in ASSESSMENT.c if column.name not in {"org_id", "run_id", "status", "version"}),
)


@dataclass(frozen=True)
class Moment:
    """When and with which settings a question is asked; `orgs` are the rows of table `org` by org id."""

    now: datetime
    settings: MonitorSettings
    orgs: Mapping[str, Any]

    def stale(self) -> list[str]:
        """The orgs whose data is too old for a verdict."""
        oldest = self.now - self.settings.data_max_age
        return [key for key, org in self.orgs.items() if org.last_success_at is None or org.last_success_at < oldest]


@dataclass(frozen=True, slots=True)
class Attempts:
    """Our resume attempts on a run: how many, and since when one of them is open."""

    count: int
    open_since: datetime | None


NO_ATTEMPTS = Attempts(0, None)


def lines(connection: Connection, moment: Moment, numbers: Iterable[int]) -> dict[int, RunLine]:
    """The lines of runs by their row numbers; numbers that name no run any more are left out."""
    rows: list[Row[Any]] = []
    for chunk in chunks(numbers):
        both = RUN.join(ASSESSMENT, JUDGED, isouter=True)
        what = (ROWID.label("number"), *_RUN_COLUMNS, *_ASSESSMENT_COLUMNS, _VERSION.label("version"))
        rows += connection.execute(select(*what).select_from(both).where(ROWID.in_(chunk))).all()
    attempts = attempts_on(connection, list(moment.orgs), [row.id for row in rows])
    unjudged = _judge_now(connection, [row for row in rows if _is_unjudged(row)])
    return {
        row.number: line(
            row, moment, unjudged.get((row.org_id, row.id)), attempts.get((row.org_id, row.id), NO_ATTEMPTS)
        )
        for row in rows
    }


def line(row: Any, moment: Moment, judged: Verdict | None, attempts: Attempts) -> RunLine:
    """One line; `judged` takes the place of the stored verdict where that is missing or older than the run."""
    org = moment.orgs[row.org_id]
    verdict = at(judged or _stored(row), moment.now, org.last_success_at, moment.settings, attempts.open_since)
    until = verdict.deadline
    return RunLine(
        org=org.name,
        id=row.id,
        name=row.name,
        orchestration=row.orchestration,
        version=row.version,
        status=row.status,
        stage=verdict.stage,
        step=verdict.step,
        error=shown(verdict.error, moment.settings),
        failed_at=verdict.failed_at,
        deadline_earliest=until.earliest if until else None,
        deadline_latest=until.latest if until else None,
        seconds_left=max(0, (until.earliest - moment.now) // timedelta(seconds=1)) if until else None,
        eligibility=verdict.eligibility,
        reason_code=verdict.reason,
        readiness=verdict.readiness,
        confidence=verdict.confidence,
        group=verdict.group if row.status not in SETTLED else None,
        attempts=attempts.count,
        record=row.triggering_record,
        attention=row.attention,
    )


def shown(error: str | None, settings: MonitorSettings) -> str | None:
    """An error text as people may see it."""
    return signature.mask(error) if error and settings.mask else error


def attempts_on(
    connection: Connection, orgs: Collection[str], run_ids: Collection[str]
) -> dict[tuple[str, str], Attempts]:
    """Our attempts by org and run."""
    opened = func.min(ATTEMPT.c.intended_at, type_=tables.Instant()).filter(ATTEMPT.c.settled_at.is_(None))
    found = {}
    for chunk in chunks(run_ids):
        counted = select(ATTEMPT.c.org_id, ATTEMPT.c.run_id, func.count(), opened)
        counted = counted.where(ATTEMPT.c.org_id.in_(orgs), ATTEMPT.c.run_id.in_(chunk), WAS_SENT)
        for org_id, run_id, count, since in connection.execute(counted.group_by(ATTEMPT.c.org_id, ATTEMPT.c.run_id)):
            found[org_id, run_id] = Attempts(count, since)
    return found


def _is_unjudged(row: Any) -> bool:
    return row.status not in SETTLED and row.judged_status != row.status


def _judge_now(connection: Connection, rows: Iterable[Any]) -> dict[tuple[str, str], Verdict]:
    """Verdicts on runs that failed and were not assessed since."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[row.org_id].append(row.id)
    return {
        (org_id, story.run.id): judge_among(story, siblings)
        for org_id, mine in ids.items()
        for siblings in [siblings_of(connection, org_id)]
        for chunk in chunks(mine)
        for story in load(connection, org_context(connection, org_id), chunk)
    }


def _stored(row: Any) -> Verdict:
    if row.judged_status == row.status and (row.episode or row.place != Place.EYES):
        return verdict_of(row)
    verdict = replace(UNFAILED, stage=row.current_stage)
    if row.is_deleted:
        return replace(verdict, reason=ReasonCode.RUN_DELETED)
    if row.vanished_at is None or row.status in FINISHED:
        return verdict
    unseen = ReasonCode.RUN_NOT_VISIBLE
    return replace(verdict, reason=unseen, eligibility=explain(unseen).eligibility, confidence=Confidence.ASSUMED)
