"""The demo's story as text: from a first sync through triage to a proven resume, on whatever the org holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tui import output
from tui.commands.groups import group_lines
from tui.format import Line, Span, Tone, count, fit, instant, plain, time_left, time_left_tone, wrap, zone
from tui.opened import execute_plan, sync_and_judge
from tui.plan_page import batch_lines, plan_lines
from tui.widgets.cells import why

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connector.org.client import OrgClient
    from monitor.resume import Batch
    from monitor.rows import CauseGroup, RunLine
    from tui.settings import Settings

GROUPS_SHOWN = 3
REASON = "demo: the flow was fixed"


def tell(client: OrgClient, engine: Engine, settings: Settings) -> None:
    """Print the story, chapter by chapter, as it happens."""
    from monitor import read
    from monitor.rows import RunFilter

    failed = RunFilter(statuses=("Error",))
    output.lines(_title(client.settings.instance_url, output.width()))
    _sync(client, engine, settings)
    now = client.now()
    overview = read.overview(engine, now)
    runs = read.runs(engine, now, failed, limit=None).runs
    output.lines(_triage(runs, overview.total, overview.time_zone, output.width()))
    groups = read.groups(engine, now, failed)
    output.lines(_causes(groups, now, output.width()))
    fixed = _fixed(groups)
    if fixed:
        _resume(client, engine, settings, fixed)
    now = client.now()
    output.lines(_what_is_left(read.runs(engine, now, failed, limit=None).runs, output.width()))


def _title(url: str, width: int) -> Iterator[Line]:
    yield (Span("Reprise: failed Salesforce Flow Orchestration runs, and what becomes of them", Tone.STRONG),)
    yield from _paragraph(
        f"A simulated org answers at {url} with Salesforce's own API; Reprise reads it as it would read yours.", width
    )


def _chapter(number: int, title: str) -> Iterator[Line]:
    yield ()
    yield (Span(f"{number}  {title}", Tone.STRONG),)


def _paragraph(text: str, width: int) -> Iterator[Line]:
    yield from ((Span(f"   {part}"),) for part in wrap(text, width - 3))


def _indented(lines: Iterator[Line]) -> Iterator[Line]:
    yield from ((Span("   "), *line) for line in lines)


def _sync(client: OrgClient, engine: Engine, settings: Settings) -> None:
    report = sync_and_judge(client, engine, settings)
    rows = sum(each.read for each in report.objects)
    idle = sync_and_judge(client, engine, settings)
    output.lines(_chapter(1, "Sync"))
    output.lines(
        _paragraph(
            f"First load: {count(rows, 'row')} in {report.seconds:.2f} s ({rows / report.seconds:,.0f} rows/s) with "
            f"{count(report.api_calls, 'API call')}. The poll after it: {count(idle.api_calls, 'API call')} for "
            f"{len(idle.objects)} objects.",
            output.width(),
        )
    )


def _triage(runs: Sequence[RunLine], total: int, time_zone: str | None, width: int) -> Iterator[Line]:
    yield from _chapter(2, "Triage")
    yield from _paragraph(
        f"{len(runs)} of {count(total, 'run')} have failed. Salesforce lets a failed run be resumed for 14 days, and never "
        "after; it shows no countdown and sends no reminder.",
        width,
    )
    yield from _verdicts(runs, width)
    first = _first_deadline(runs)
    if first and first.deadline_earliest:
        yield (
            Span("   First to be lost: in "),
            Span(time_left(first.seconds_left).strip(), time_left_tone(first.seconds_left)),
            Span(f", {instant(first.deadline_earliest, zone(time_zone))}"),
        )
        place = " › ".join(plain(part) for part in (first.orchestration, first.stage, first.step) if part)
        yield (Span(fit(f"     {place}: {plain(why(first))}", width)),)


def _verdicts(runs: Sequence[RunLine], width: int) -> Iterator[Line]:
    for eligibility, words, tone in (
        ("RESUMABLE", "can be resumed", Tone.GOOD),
        ("UNKNOWN", "cannot be told", Tone.UNKNOWN),
        ("NOT_RESUMABLE", "cannot be resumed", Tone.BAD),
    ):
        codes = Counter(str(run.reason_code) for run in runs if run.eligibility == eligibility)
        if codes:
            yield (Span(f"   {codes.total():>4} {words}", tone),)
            named = ", ".join(f"{amount} {code}" for code, amount in codes.most_common())
            yield from ((Span(f"        {part}", Tone.MUTED),) for part in wrap(named, width - 8))


def _first_deadline(runs: Sequence[RunLine]) -> RunLine | None:
    return next((run for run in runs if run.eligibility == "RESUMABLE" and (run.seconds_left or 0) > 0), None)


def _causes(groups: Sequence[CauseGroup], now: datetime, width: int) -> Iterator[Line]:
    yield from _chapter(3, f"Causes: {len(groups)}, soonest deadline first")
    yield from _indented(group_lines(groups[:GROUPS_SHOWN], now, width - 3))
    if len(groups) > GROUPS_SHOWN:
        yield (Span(f"   … and {len(groups) - GROUPS_SHOWN} more"),)


def _fixed(groups: Sequence[CauseGroup]) -> CauseGroup | None:
    """The largest group whose cause was fixed after the failure."""
    ready = [group for group in groups if group.readiness == "READY" and group.resumable]
    return max(ready, key=lambda group: group.resumable, default=None)


def _resume(client: OrgClient, engine: Engine, settings: Settings, group: CauseGroup) -> None:
    from monitor import resume
    from monitor.rows import RunFilter

    width = output.width() - 3
    output.lines(_chapter(4, f"Resume the {count(group.resumable, 'run')} of a cause that was fixed: the plan"))
    plan = resume.plan(engine, client.now(), RunFilter(group=group.id), settings.resume, settings.monitor)
    output.lines(_indented(plan_lines(plan, client.now(), width)))
    output.lines(_proof(execute_plan(plan, client, engine, settings, REASON), width))


def _proof(batch: Batch, width: int) -> Iterator[Line]:
    yield from _chapter(5, "Sent, and proven: an accepted write is no proof, a new milestone is")
    yield from _indented(batch_lines(batch, width))


def _what_is_left(runs: Sequence[RunLine], width: int) -> Iterator[Line]:
    from monitor.reasons import explain

    yield from _chapter(6, f"What is left: {count(len(runs), 'failed run')}, and why")
    for code, amount in Counter(run.reason_code for run in runs).most_common():
        start = f"   {amount:>4} {code:<20} "
        for i, part in enumerate(wrap(explain(code).sentence, width - len(start))):
            yield (Span(start if i == 0 else " " * len(start)), Span(part))
    first = _first_deadline(runs)
    if first:
        yield (
            Span(f"   {sum(run.eligibility == 'RESUMABLE' for run in runs)} can still be saved; the next is lost in "),
            Span(time_left(first.seconds_left).strip(), time_left_tone(first.seconds_left)),
            Span("."),
        )
    yield ()
    yield from _paragraph(
        "On a terminal `reprise demo` opens the dashboard on this org. For yours: set REPRISE_INSTANCE_URL with "
        "REPRISE_ACCESS_TOKEN, then `reprise sync` and `reprise`.",
        width,
    )
