"""`reprise sync`: one pass from the org into the mirror."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tui import diagnostics, output
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import Column, Line, Span, Tone, count, in_words, length_of_time, table
from tui.opened import mirror, org_client, settings_of, sync_and_judge

if TYPE_CHECKING:
    from connector.mirror.quarantine import Kept
    from connector.reconcile import ReconcileReport
    from connector.report import Progress, SyncReport

OUTCOME_TONES = {"COMPLETE": Tone.GOOD, "PARTIAL": Tone.WARNING, "FAILED": Tone.BAD}
MOST_LISTED = 20  # records in quarantine


def _bound(text: str) -> timedelta | datetime:
    """How long ago, or a date or time (without a zone: UTC)."""
    try:
        return length_of_time(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither a date such as 2026-01-31 nor a length of time.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def sync(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what changed.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Bound a first load: 2026-01-31, or 90d for 90 days; 15 at least."
        ),
    ] = None,
) -> ExitCode:
    """Bring the mirror up to date with the org, in one pass.

    Afterwards the failed runs are judged anew. Records that cannot be
    understood are kept aside and listed until they can be, or are gone.
    """
    asked = Asked.of(context)
    settings = settings_of(context)
    bound = _bound(since) if since else None
    with org_client(settings, asked.org) as client, mirror(settings, create=True) as engine:
        if isinstance(bound, timedelta):
            client.sign_in()  # only then is the org's clock known, which is the one that counts
            bound = client.now() - bound
        try:
            report = sync_and_judge(client, engine, settings, full=full, since=bound, progress=show_progress)
        finally:
            diagnostics.progress("")
    return tell(report, report_lines(report, output.width()), as_json=asked.json)


def tell(report: SyncReport | ReconcileReport, lines: Iterator[Line], *, as_json: bool) -> ExitCode:
    """Print a pass or an audit, as its document or as `lines`, and its warnings; how it ended, for the shell."""
    if as_json:
        output.document(report.to_json())
    else:
        output.lines(lines)
    for warning in report.warnings:
        diagnostics.warn(warning)
    return {"COMPLETE": ExitCode.OK, "PARTIAL": ExitCode.PARTIAL}.get(report.outcome, ExitCode.FAILURE)


def show_progress(progress: Progress) -> None:
    """Rows, calls, rate and time left of a pass, on the progress line."""
    left = progress.seconds_left
    still = f" · {in_words(timedelta(seconds=left))} left" if left else ""
    diagnostics.progress(
        f"{progress.rows:,} of {max(progress.rows, progress.total):,} rows · {count(progress.api_calls, 'API call')} · "
        f"{progress.rate:,.0f} rows/s{still}"
    )


def report_lines(report: SyncReport, width: int) -> Iterator[Line]:
    """What the pass did, object by object."""
    columns = (
        Column("OBJECT", share=1, minimum=12),
        Column("READ", right=True),
        Column("WRITTEN", right=True),
        Column("SAME", right=True),
        Column("DELETED", right=True),
        Column("QUARANTINED", right=True),
        Column("LAG", right=True),
    )
    rows = []
    for each in report.objects:
        figures = (each.read, each.upserted, each.unchanged, each.deleted, each.quarantined)
        lag = "—" if each.lag_seconds is None else in_words(timedelta(seconds=each.lag_seconds))
        rows.append(
            [Span(each.object.removeprefix("FlowOrchestration")), *(Span(f"{n:,}") for n in figures), Span(lag)]
        )
    yield from table(columns, rows, min(width, 80))
    yield _total(report)
    if report.spend and report.api_max:
        spend = report.spend
        yield (
            Span(
                f"Reprise spent {count(spend.budget.ours, 'call')} in 24 hours; polling every {in_words(spend.interval)}"
                f" takes {spend.forecast:,} a day, {spend.forecast / report.api_max:.1%} of the allowance."
            ),
        )
    yield from _kept_aside(report.quarantine, width)


def _total(report: SyncReport) -> Line:
    total = sum(each.read for each in report.objects)
    calls = count(report.api_calls, "API call")
    used = f" ({report.api_used:,} of {report.api_max:,} used today)" if report.api_used and report.api_max else ""
    return (
        Span(report.outcome.lower(), OUTCOME_TONES[report.outcome]),
        Span(f": {count(total, 'row')} in {report.seconds:.1f} s, {calls}{used}"),
    )


def _kept_aside(kept: Sequence[Kept], width: int) -> Iterator[Line]:
    """The records in quarantine, as many as fit a glance."""
    if not kept:
        return
    columns = (Column("KEPT ASIDE"), Column("ID"), Column("SINCE"), Column("PROBLEM", share=1, minimum=12))
    rows = [
        [
            Span(each.object.removeprefix("FlowOrchestration")),
            Span(each.id),
            Span(f"{each.seen_at:%Y-%m-%d %H:%M}Z"),
            Span(each.problem),
        ]
        for each in kept[:MOST_LISTED]
    ]
    yield from table(columns, rows, width)
    if len(kept) > MOST_LISTED:
        yield (Span(f"and {len(kept) - MOST_LISTED:,} more; `reprise sync --json` lists all."),)
