"""Everything the dashboard asks of, or does to, the world. Every method may block and is called from a `Lane` only."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from monitor.rows import Overview, RunDetail, RunFilter, RunLine

if TYPE_CHECKING:
    from monitor.plans import Plan
    from monitor.resume import Batch, Progress


class Source(Protocol):
    """Where runs are read from and acted on; the dashboard knows nothing else of mirror, monitor and org."""

    def overview(self, now: datetime) -> Overview:
        """The figures of the top line."""

    def vector(self, now: datetime, chosen: RunFilter) -> array[int]:
        """The row numbers of the chosen runs in display order."""

    def lines(self, now: datetime, rows: Sequence[int]) -> dict[int, RunLine]:
        """The lines of these rows; a row that is not in the mirror any more is missing from the answer."""

    def detail(self, now: datetime, run_id: str) -> RunDetail:
        """One run in full. Raises NotFound."""

    def plan(self, now: datetime, run_ids: Sequence[str]) -> Plan:
        """What a resume of these runs would do, frozen. Sends nothing."""

    def sync(self) -> None:
        """Bring the mirror up to date and judge what changed. Raises RepriseError where the org gave no whole answer."""

    def execute(self, plan: Plan, reason: str, progress: Progress) -> Batch:
        """Resume the plan's runs and wait for proof. Raises Refused, or what a sync raises while nothing was sent."""
