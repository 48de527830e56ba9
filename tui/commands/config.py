"""`reprise config`: what is configured, and by what."""

from __future__ import annotations

import typer

from tui import diagnostics, output
from tui.asked import Asked, Command
from tui.diagnostics import ExitCode
from tui.format import Column, Span, Tone, table

app = typer.Typer(help="What is configured.", no_args_is_help=True, rich_markup_mode=None)


@app.command("show", cls=Command)
def show(context: typer.Context) -> ExitCode:
    """Print every setting with its value and origin; secrets are never shown."""
    from tui.settings import load

    asked = Asked.of(context)
    settings = load(asked.config)
    for warning in settings.warnings:
        diagnostics.warn(warning)
    if asked.json:
        output.document(
            {
                "file": str(settings.file) if settings.file else None,
                "settings": [{"key": s.key, "value": s.value, "origin": s.origin} for s in settings.shown],
            }
        )
        return ExitCode.OK
    columns = (Column("SETTING"), Column("VALUE"), Column("FROM"))
    rows = [
        (
            Span(setting.key),
            Span(setting.value or "—", Tone.PLAIN if setting.value else Tone.MUTED),
            Span(setting.origin, Tone.MUTED if setting.origin == "default" else Tone.PLAIN),
        )
        for setting in settings.shown
    ]
    output.lines(table(columns, rows, output.width()))
    return ExitCode.OK
