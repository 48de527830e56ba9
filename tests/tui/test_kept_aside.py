"""What `reprise sync` shows of records that cannot be understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.schemas import fits
from tests.tui.failing import failing_org
from tests.tui.typed import Type, reprise
from tui.commands.sync import MOST_LISTED

__all__ = ["reprise"]

LOG = "FlowOrchestrationLog"


def test_records_kept_aside_are_listed_at_each_sync(
    reprise: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People see as many as fit a glance and how many more there are, scripts see all; the pass is a success."""
    with failing_org(tmp_path) as failing:
        for name, value in failing.environment.items():
            monkeypatch.setenv(name, value)
        with failing.org.world.store.transaction() as tx:
            entries = [tx.create(LOG, OrchestrationInstanceId=failing.lost, Kind=None) for _ in range(MOST_LISTED + 2)]
        reprise("sync")
        again = reprise("sync")
        assert again.code == 0
        listed = [line.split() for line in again.out.splitlines() if line.startswith("Log") and "Kind:" in line]
        assert [line[1] for line in listed] == sorted(entries)[:MOST_LISTED]
        assert "and 2 more" in again.out
        assert f"{entries[0]} of run {failing.lost}" in again.err
        document = reprise("sync --json").document
        fits("sync", document)
        assert [(kept["object"], kept["id"]) for kept in document["quarantine"]] == [
            (LOG, id_) for id_ in sorted(entries)
        ]
