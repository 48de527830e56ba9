"""`reprise`: which commands there are, and how every one of them ends. What needs time to import is imported by the command."""

# ruff: noqa: ARG001 (the global options are remembered by their callbacks, wherever they were typed)

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tui import diagnostics, output
from tui.asked import Asked, Command, remember
from tui.commands import config, dashboard, db, demo, explain, groups, reconcile, resume, runs, show, sync, watch
from tui.diagnostics import ExitCode

app = typer.Typer(
    name="reprise",
    help="Keeps failed Salesforce Flow Orchestration runs from missing their 14-day resume deadline.",
    epilog="\b\nExit codes:\n" + diagnostics.exit_code_table(),
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # as slow to import as all the rest of --help

        output.verbatim(f"reprise {version('sf-reprise')}\n")
        raise typer.Exit


for command in (
    dashboard.dashboard,
    sync.sync,
    reconcile.reconcile,
    runs.runs,
    show.show,
    groups.groups,
    explain.explain,
    resume.resume,
    watch.watch,
    demo.demo,
):
    app.command(cls=Command)(command)
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")


@app.callback()
def reprise(
    context: typer.Context,
    org: Annotated[
        str | None, typer.Option(metavar="NAME", help="The org meant.", expose_value=False, callback=remember)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use this reprise.toml.", expose_value=False, callback=remember),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Answer with one JSON document.", expose_value=False, callback=remember)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show stack traces.", expose_value=False, callback=remember)
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> ExitCode | None:
    """Without a command: the dashboard on a terminal, this help elsewhere."""
    if context.invoked_subcommand:
        return None
    if sys.stdin.isatty() and sys.stdout.isatty() and not Asked.of(context).json:
        return dashboard.dashboard(context)
    diagnostics.verbatim(context.get_help() + "\n")
    return ExitCode.USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; no exception gets past here."""
    _open_closed_streams()
    asked = Asked()
    try:
        ended = app(args=arguments, prog_name="reprise", standalone_mode=False, obj=asked)
        if ended == ExitCode.INTERRUPTED:  # Typer's word for KeyboardInterrupt
            raise KeyboardInterrupt
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        if asked.json:
            output.document({"error": diagnostics.error_document(error)})
        return diagnostics.fail(error, verbose=asked.verbose)
    return ended if isinstance(ended, int) else ExitCode.OK


def _open_closed_streams() -> None:
    """Give the null device to streams that were closed by whoever started us (`>&-`): Python has None for them.

    In this order, so that no file opened later, such as the mirror, gets the number of a standard stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open as long as we live
