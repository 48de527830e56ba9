"""The page of `reprise show` for runs of all sorts."""

from __future__ import annotations

from datetime import timedelta

from monitor.rows import RunLine
from monitor.verdict import Confidence, Eligibility, ReasonCode
from tests.tui.dashboards import NOW, MemorySource, failed, not_failed
from tui.commands.show import page


def _shown(line: RunLine) -> str:
    detail = MemorySource([line]).detail(NOW, line.id)
    return "\n".join("".join(span.text for span in each) for each in page(detail, NOW, 80))


def test_a_run_with_another_label_keeps_its_clock() -> None:
    """It says InProgress and that nothing moved, and until when somebody can still do something about it."""
    what = {"status": "InProgress", "reason_code": ReasonCode.NOT_IN_ERROR, "attention": "But nothing moved."}
    said = _shown(failed(1, timedelta(hours=9), **what))
    assert "attention  But nothing moved." in said
    assert "!09:00:00 until Mon 2026-03-16 15:42 UTC" in said
    assert "deadline" not in _shown(not_failed(2, "InProgress"))


def test_a_run_out_of_sight_says_what_would_show_it_again() -> None:
    """Its deadline still counts down, and no resume is offered of what cannot be read."""
    what = {
        "eligibility": Eligibility.UNKNOWN,
        "reason_code": ReasonCode.RUN_NOT_VISIBLE,
        "confidence": Confidence.ASSUMED,
    }
    said = _shown(failed(1, timedelta(hours=9), **what))
    assert "!09:00:00 until Mon 2026-03-16 15:42 UTC" in said
    assert "? (RUN_NOT_VISIBLE, assumed)" in said
    assert "Give the integration user View All Data" in said
    assert "reprise explain RUN_NOT_VISIBLE" in said
    assert "reprise resume" not in said
