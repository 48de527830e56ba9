"""A pass that is killed leaves a mirror that the next pass makes whole."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.kill import kill


def test_twenty_kills_leave_nothing_wrong(tmp_path: Path) -> None:
    """Twenty processes are killed (SIGKILL) at random points of first loads and polls; afterwards each mirror equals the org."""
    assert kill(20, seed=3, folder=tmp_path) < 60
