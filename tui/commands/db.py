"""`reprise db`: care for the mirror's database."""

from __future__ import annotations

import typer

from tui import output
from tui.asked import Asked, Command
from tui.diagnostics import ExitCode
from tui.format import Span
from tui.opened import mirror, settings_of

app = typer.Typer(help="Care for the mirror's database.", no_args_is_help=True, rich_markup_mode=None)


@app.command("upgrade", cls=Command)
def upgrade(context: typer.Context) -> ExitCode:
    """Bring the database to this version's schema. A SQLite file is copied first, to a .backup beside it."""
    from connector.mirror.engine import head, open_upgraded, where

    engine, kept = open_upgraded(settings_of(context).database)
    engine.dispose()
    database = where(engine)
    if Asked.of(context).json:
        output.document({"database": database, "schema": head(), "backup": str(kept) if kept else None})
        return ExitCode.OK
    output.lines([(Span(f"{database} has schema {head()}, the newest that this Reprise knows."),)])
    if kept:
        output.lines([(Span(f"It was copied before, to {kept}."),)])
    return ExitCode.OK


@app.command("backup", cls=Command)
def backup(context: typer.Context) -> ExitCode:
    """Copy a SQLite database while it is in use, to a .backup beside it."""
    from connector.mirror.engine import backup as copy

    with mirror(settings_of(context)) as engine:
        target = copy(engine)
    if Asked.of(context).json:
        output.document({"backup": str(target)})
    else:
        output.lines([(Span(str(target)),)])
    return ExitCode.OK
