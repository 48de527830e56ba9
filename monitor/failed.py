"""The failed runs, each with its verdict as it stands at a moment: what plans, preflights and alerts decide by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, or_, select
from sqlmodel import col

from connector.mirror.tables import Run
from monitor.assessment import Assessment, verdict_of
from monitor.settings import MonitorSettings
from monitor.sql import chunks
from monitor.story import ERROR
from monitor.triage import at
from monitor.verdict import Verdict

IS_FAILED = or_(col(Assessment.status) == ERROR, col(Assessment.deadline_earliest).is_not(None))
"""In Error, or out of it by another label alone, so that its 14 days go on."""


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A failed run and what is known about it."""

    id: str
    name: str | None
    orchestration: str | None
    verdict: Verdict
    vanished_at: datetime | None = None  # since when the run cannot be seen

    @property
    def first_loss(self) -> datetime | None:
        """The earliest moment at which it may be lost."""
        return self.verdict.deadline.earliest if self.verdict.deadline else None


def failed_runs(
    engine: Engine,
    org_id: str,
    now: datetime,
    as_of: datetime | None,
    settings: MonitorSettings,
    runs: Sequence[str] | None = None,
) -> dict[str, FailedRun]:
    """The org's failed runs by Id, or those of `runs` that are; judged at `now` by data of `as_of` (both org time)."""
    with engine.connect() as connection:
        if runs is None:
            return _read(connection, org_id, now, as_of, settings, None)
        found: dict[str, FailedRun] = {}
        for chunk in chunks(runs):
            found |= _read(connection, org_id, now, as_of, settings, chunk)
        return found


def _read(
    connection: Connection,
    org_id: str,
    now: datetime,
    as_of: datetime | None,
    settings: MonitorSettings,
    runs: Sequence[str] | None,
) -> dict[str, FailedRun]:
    same = and_(col(Run.org_id) == col(Assessment.org_id), col(Run.id) == col(Assessment.run_id))
    query = (
        select(Assessment, col(Run.name), col(Run.orchestration), col(Run.vanished_at))
        .join(Run, same)
        .where(col(Assessment.org_id) == org_id, IS_FAILED)
    )
    if runs is not None:
        query = query.where(col(Assessment.run_id).in_(runs))
    return {
        row.run_id: FailedRun(
            row.run_id, row.name, row.orchestration, at(verdict_of(row), now, as_of, settings), row.vanished_at
        )
        for row in connection.execute(query)
    }
