"""The dashboard's `Source` over a mirror and an org."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from connector.mirror.engine import org_now, orgs
from connector.settings import OrgSettings
from monitor import read
from monitor.rows import Overview, RunDetail, RunFilter, RunLine
from tui.opened import execute_plan, sync_and_judge

if TYPE_CHECKING:
    from connector.org.client import OrgClient
    from monitor.plans import Plan
    from monitor.resume import Batch, Progress
    from tui.settings import Settings


class MirrorSource:
    """Reads through monitor.read, acts through monitor.resume.

    What talks HTTP is imported and made at the first sync, on that lane: it would hold up the first screen by a quarter.
    """

    def __init__(self, engine: Engine, settings: Settings, org: OrgSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._org_settings = org
        self._org = org.name
        self._made: OrgClient | None = None
        self._offset = self._read_offset()

    def clock(self) -> datetime:
        """The org's time now."""
        return datetime.now(UTC) + self._offset

    def overview(self, now: datetime) -> Overview:
        """The figures of the top line; of an org that was never synced there are none yet."""
        self._offset = self._read_offset()
        known = any(row.name == self._org for row in orgs(self._engine))
        return read.overview(self._engine, now, self._org, settings=self._settings.monitor) if known else NEVER_SYNCED

    def vector(self, now: datetime, chosen: RunFilter) -> array[int]:
        """The row numbers of the chosen runs in display order."""
        return read.vector(self._engine, now, chosen, settings=self._settings.monitor)

    def lines(self, now: datetime, rows: Sequence[int]) -> dict[int, RunLine]:
        """The lines of these rows."""
        return read.lines(self._engine, now, rows, settings=self._settings.monitor)

    def detail(self, now: datetime, run_id: str) -> RunDetail:
        """One run in full."""
        return read.run(self._engine, now, run_id, self._org, settings=self._settings.monitor)

    def plan(self, now: datetime, run_ids: Sequence[str]) -> Plan:
        """What a resume of these runs would do."""
        from monitor import resume

        chosen = RunFilter(org=self._org, ids=tuple(run_ids))
        return resume.plan(self._engine, now, chosen, self._settings.resume, self._settings.monitor)

    def sync(self) -> None:
        """One pass, new verdicts, and a look at resumes that were left open."""
        from monitor import resume

        sync_and_judge(self._client, self._engine, self._settings)
        resume.verify_open(
            self._engine,
            self._client,
            settings=self._settings.resume,
            clock=lambda: datetime.now(UTC),
            sync_settings=self._settings.sync,
        )

    def execute(self, plan: Plan, reason: str, progress: Progress) -> Batch:
        """Resume the plan's runs and wait for proof."""
        return execute_plan(plan, self._client, self._engine, self._settings, reason, progress)

    def close(self) -> None:
        """Close the connections to the org."""
        if self._made is not None:
            self._made.close()

    @property
    def _client(self) -> OrgClient:
        if self._made is None:
            from connector.org.client import OrgClient

            self._made = OrgClient(self._org_settings)
        return self._made

    def _read_offset(self) -> timedelta:
        now = datetime.now(UTC)
        return next((org_now(row, now) - now for row in orgs(self._engine) if row.name == self._org), timedelta())


NEVER_SYNCED = Overview(
    org=None,
    org_label=None,
    is_sandbox=None,
    time_zone=None,
    as_of=None,
    last_problem=None,
    api_used=None,
    api_max=None,
    total=0,
)
