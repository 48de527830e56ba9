"""`reprise demo`: everything at once, without a Salesforce org."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from tui import diagnostics
from tui.asked import Asked
from tui.diagnostics import ExitCode

if TYPE_CHECKING:
    from tui.settings import Settings


def demo(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="Tell the story as text; no dashboard.")] = False,
    scenario: Annotated[str, typer.Option("--scenario", metavar="NAME", help="What the org holds.")] = "monday",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the org; 0: any.")] = 0,
) -> ExitCode:
    """Try everything on a simulated org; needs no Salesforce.

    On a terminal it opens the dashboard on an org that lives on while you watch. Elsewhere, or with --headless, it tells
    the story as text: sync, triage, a bulk resume with its proof, and what is left.
    """
    from connector.errors import UsageError
    from tui.demo import demo_settings, simulated_org

    if Asked.of(context).json:
        raise UsageError("The demo is for people.", next_step="`reprise runs --json` is for programs.")
    with TemporaryDirectory(prefix="reprise-demo-") as name:
        folder = Path(name)
        diagnostics.progress("Starting a simulated Salesforce org …")
        with simulated_org(folder, scenario, port) as org:
            settings = demo_settings(org, folder)
            diagnostics.progress("")
            _show(settings, as_text=headless or not (sys.stdin.isatty() and sys.stdout.isatty()))
    return ExitCode.OK


def _show(settings: Settings, *, as_text: bool) -> None:
    from tui.commands.sync import show_progress
    from tui.opened import mirror, org_client, sync_and_judge

    with mirror(settings, create=True) as engine, org_client(settings, None) as client:
        if as_text:
            from tui.story import tell

            tell(client, engine, settings)
            return
        sync_and_judge(client, engine, settings, progress=show_progress)
        diagnostics.progress("")
        from tui.app import run_dashboard

        run_dashboard(engine, settings, org=settings.org(), read_only=False)
