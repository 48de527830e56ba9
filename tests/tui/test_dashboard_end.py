"""How the dashboard ends when something inside it breaks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.rows import Overview
from tests.tui.dashboards import Clock, MemorySource, monday
from tui.app import Dashboard
from tui.screens.desk import Desk
from tui.widgets.top_line import Situation


class Broken(Dashboard):
    """A dashboard with a defect in how it takes news."""

    def watch_situation(self, situation: Situation) -> None:
        """Break on the first figures, with something in the local variables that nobody may see."""
        token = "00Dxx!secret"
        if isinstance(situation.overview, Overview):
            raise ValueError(f"a defect of ours, {len(token)}")


def test_a_defect_ends_the_dashboard_without_a_stack_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Textual would print the stack with its local variables; here the caller gets the error and words it."""
    app = Broken(Desk(MemorySource(list(monday())), "acme", Clock()), poll=timedelta(days=1))
    app.run(headless=True)
    assert isinstance(app.failure, ValueError)
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err
    assert "Traceback" not in printed.out + printed.err
