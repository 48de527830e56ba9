"""`reprise runs`: the runs, soonest deadline first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tui import output
from tui.asked import Asked
from tui.commands.selection import AtRisk, Group, Orchestration, Status, Within, run_filter
from tui.diagnostics import ExitCode
from tui.format import Column, Line, Span, Tone, count, fit, plain, state, table
from tui.opened import answered, mirror, org_read, org_time, settings_of

if TYPE_CHECKING:
    from monitor.rows import RunLine, RunPage

ONE_LINE_WIDTH = 120
"""From this width on the reason stands beside its run; below, it has a line of its own, so that ids stay whole."""

MOST = 2**31 - 1
"""The largest number that every database takes for a limit."""


def runs(
    context: typer.Context,
    status: Status = None,
    at_risk: AtRisk = False,
    within: Within = None,
    orchestration: Orchestration = None,
    group: Group = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, max=MOST, help="At most N runs; 0 for all.")
    ] = 20,
) -> ExitCode:
    """List runs with verdict and time left, soonest deadline first."""
    from connector.mirror.engine import orgs
    from monitor import read

    asked = Asked.of(context)
    settings = settings_of(context)
    org = org_read(context, settings)
    chosen = run_filter(
        org=org, status=status, at_risk=at_risk, within=within, orchestration=orchestration, group=group
    )
    with mirror(settings, org) as engine:
        now = org_time(engine, org, settings)
        page = read.runs(engine, now, chosen, limit=limit or None, settings=settings.monitor)
        of_several = org is None and len(orgs(engine)) > 1
    if asked.json:
        from monitor import documents

        output.document(documents.runs(page))
    elif page.total:
        output.lines(run_table(page.runs, now, output.width(), with_org=of_several))
        output.lines(_foot(page))
    return answered(page.as_of, now, settings, matched=page.total, wanted="run")


def run_table(runs: Sequence[RunLine], now: datetime, width: int, *, with_org: bool) -> list[Line]:
    """Runs as aligned lines; where there is no room for a column of reasons each run has its reason underneath."""
    from tui.widgets.cells import why

    beside = width >= ONE_LINE_WIDTH
    columns = _columns(now, with_org=with_org, with_reason=beside)
    rows = [[cell(run) for _, cell in columns] for run in runs]
    heading, *lines = table([column for column, _ in columns], rows, width)
    if beside:
        return [heading, *lines]
    below: list[Line] = [(Span("  "), Span(fit(plain(why(run)), width - 2), Tone.MUTED)) for run in runs]
    return [heading, *(line for pair in zip(lines, below, strict=True) for line in pair)]


def _columns(now: datetime, *, with_org: bool, with_reason: bool) -> list[tuple[Column, Callable[[RunLine], Span]]]:
    from tui.widgets.cells import can_be_resumed, definition, left, place, why

    columns: list[tuple[Column, Callable[[RunLine], Span]]] = [
        (Column(""), lambda run: Span(state(run.status).symbol, state(run.status).tone)),
        (Column("  LEFT"), lambda run: left(run, now)),
        (Column("OK?"), lambda run: Span(can_be_resumed(run))),
    ]
    if with_org:
        columns.append((Column("ORG"), lambda run: Span(plain(run.org))))
    columns += [
        (Column("ORCHESTRATION", share=1, minimum=23), lambda run: Span(plain(definition(run)))),
        (Column("STAGE › STEP", share=2, minimum=12), lambda run: Span(plain(place(run)))),
    ]
    if with_reason:
        columns.append((Column("WHY", share=4, minimum=20), lambda run: Span(plain(why(run)))))
    return [*columns, (Column("ID"), lambda run: Span(run.id, Tone.MUTED))]


def _foot(page: RunPage) -> list[Line]:
    if page.total <= len(page.runs):
        return [(Span(count(page.total, "run") + ".", Tone.MUTED),)]
    return [(Span(f"{len(page.runs)} of {page.total:,} runs, --limit 0 for all.", Tone.MUTED),)]
