"""`reprise dashboard`: the terminal UI."""

from __future__ import annotations

import sys

import typer

from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.opened import mirror, settings_of


def dashboard(context: typer.Context) -> ExitCode:
    """Open the dashboard: runs by time left, and how to resume them."""
    from connector.errors import UsageError

    asked = Asked.of(context)
    if asked.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The dashboard needs a terminal.", next_step="`reprise runs --json` has the same data.")
    settings = settings_of(context)
    org = settings.org(asked.org)
    with mirror(settings, create=True) as engine:
        from tui.app import run_dashboard

        run_dashboard(
            engine,
            settings,
            org=org,
            read_only=not settings.resume.allow_writes,
        )
    return ExitCode.OK
