"""`reprise reconcile`: the Id audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tui import output
from tui.asked import Asked
from tui.commands.sync import OUTCOME_TONES, tell
from tui.diagnostics import ExitCode
from tui.format import Column, Line, Span, Tone, count, table
from tui.opened import mirror, org_client, settings_of

if TYPE_CHECKING:
    from connector.reconcile import ReconcileReport


def reconcile(
    context: typer.Context,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Compare every record, not counts: one API call for each 2,000.")
    ] = False,
) -> ExitCode:
    """Find what polling cannot see: records purged or no longer shared.

    Counts in the org and in the mirror are compared, and what changed since the last audit: two API calls where nothing
    is wrong. What is gone is marked with the date and kept.
    """
    from connector.reconcile import reconcile as audit
    from monitor.assess import assess

    asked = Asked.of(context)
    settings = settings_of(context)
    with org_client(settings, asked.org) as client, mirror(settings) as engine:
        report = audit(client, engine, settings.sync, thorough=thorough)
        assess(engine, client.now(), everything=False, org_id=client.identity.org_id)
    return tell(report, report_lines(report, output.width()), as_json=asked.json)


def report_lines(report: ReconcileReport, width: int) -> Iterator[Line]:
    """What the audit found, object by object."""
    columns = (
        Column("OBJECT", share=1, minimum=12),
        Column("IN ORG", right=True),
        Column("IN MIRROR", right=True),
        Column("VANISHED", right=True),
        Column("RETURNED", right=True),
    )
    rows = []
    for each in report.objects:
        figures = [Span(f"{n:,}") for n in (each.visible, each.mirrored, each.vanished, each.returned)]
        name = each.object.removeprefix("FlowOrchestration")
        rows.append([Span(name, Tone.ALARM if each.alarm else Tone.PLAIN), *figures])
    yield from table(columns, rows, min(width, 80))
    yield (
        Span(report.outcome.lower(), OUTCOME_TONES[report.outcome]),
        Span(f": {count(report.changed_runs, 'run')} concerned, {count(report.api_calls, 'API call')}"),
    )
