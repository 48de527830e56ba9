"""`reprise show`: one run in full, as a tree of what it did and a timeline of what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len

from tui import output
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import (
    Line,
    Span,
    Tone,
    count,
    fit,
    in_words,
    instant,
    lower,
    plain,
    stamp,
    state,
    time_left,
    time_left_tone,
    wrap,
    zone,
)
from tui.opened import answered, mirror, org_read, org_time, settings_of

if TYPE_CHECKING:
    from monitor.rows import Milestone, RunDetail, StepLine, WorkItemLine


def show(
    context: typer.Context, run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, 15 or 18 characters.")]
) -> ExitCode:
    """Show one run: what happened, what can be done, until when."""
    from monitor import read

    asked = Asked.of(context)
    settings = settings_of(context)
    org = org_read(context, settings)
    with mirror(settings, org) as engine:
        now = org_time(engine, org, settings)
        detail = read.run(engine, now, run, org, settings=settings.monitor)
        as_of = read.overview(engine, now, detail.line.org).as_of
    if asked.json:
        from monitor import documents

        output.document(documents.run(detail, as_of))
    else:
        output.lines(page(detail, now, output.width()))
    return answered(as_of, now, settings, matched=1, wanted="run")


def page(detail: RunDetail, now: datetime, width: int) -> Iterator[Line]:
    """Everything about one run, top down: can it be saved, where it broke, what happened, what to do."""
    where = zone(detail.time_zone)
    yield from _head(detail, now, where, width)
    yield from _section("Stages, steps and work items", _tree(detail, now, width))
    yield from _section(f"Milestones ({where})", _timeline(detail, now, where, width))
    yield from _section("Evidence", _evidence(detail, width))
    yield from _section("A resume would", _blast_radius(detail, width))
    yield from _section("Next", _next(detail, width))


def _section(title: str, body: Iterator[Line]) -> Iterator[Line]:
    lines = list(body)
    if lines:
        yield ()
        yield (Span(title, Tone.STRONG),)
        yield from lines


def _head(detail: RunDetail, now: datetime, where: tzinfo, width: int) -> Iterator[Line]:
    from tui.widgets.cells import NO_ERROR_TEXT, can_be_resumed, definition, is_failed

    run = detail.line
    here = state(run.status)
    record = f" · record {plain(run.record)}" if run.record else ""
    yield from _hanging(Span(f"{here.symbol} {here.word}  ", here.tone), plain(definition(run)), width, Tone.STRONG)
    name = f"{plain(run.name)} · " if run.name else ""
    yield from _hanging(Span("  "), f"{name}{run.id}{record} · org {plain(run.org)}", width)
    if run.attention:
        yield from _labelled("attention", (Span(plain(run.attention), Tone.WARNING),), width)
    yield from _resumes(detail, where, width)
    if is_failed(run):
        yield from _labelled("error", (Span(plain(run.error or NO_ERROR_TEXT)),), width)
    if is_failed(run) or run.deadline_earliest:
        yield from _labelled("deadline", _deadline(detail, now, where), width)
    if not is_failed(run):
        return
    answer = f"{can_be_resumed(run)} ({run.reason_code}, {run.confidence.lower()})"
    yield from _labelled("resumable", (Span(answer, Tone.STRONG),), width)
    note = f": {plain(detail.readiness_note)}" if detail.readiness_note else ""
    yield from _labelled("readiness", (Span(lower(run.readiness) + note),), width)
    if detail.same_cause:
        yield from _labelled(
            "group", (Span(f"{run.group}: {count(detail.same_cause, 'other run')} failed alike"),), width
        )


def _resumes(detail: RunDetail, where: tzinfo, width: int) -> Iterator[Line]:
    """What became of each resume that Reprise sent."""
    for sent in detail.resumes:
        outcome = lower(sent.outcome) if sent.outcome else "not known yet"
        said = f"{instant(sent.at, where)} {outcome}: {plain(sent.detail)} ({plain(sent.reason)})"
        yield from _labelled("resumed", (Span(said),), width)


def _deadline(detail: RunDetail, now: datetime, where: tzinfo) -> Line:
    earliest, latest = detail.line.deadline_earliest, detail.line.deadline_latest
    if earliest is None or latest is None:
        none = detail.line.eligibility == "NOT_RESUMABLE"
        return (Span("none: it cannot be resumed", Tone.MUTED) if none else Span("unknown", Tone.UNKNOWN),)
    if now >= latest:
        return (Span("expired", Tone.MUTED), Span(f" {instant(latest, where)}"))
    seconds = int((earliest - now).total_seconds())
    left = Span(time_left(seconds).strip(), time_left_tone(seconds)) if seconds > 0 else Span("any time", Tone.ALARM)
    uncertain = f", at the latest {instant(latest, where)}" if latest != earliest else ""
    return (left, Span(f" until {instant(earliest, where)}{uncertain}"))


def _labelled(label: str, body: Line, width: int) -> Iterator[Line]:
    """A label with its text beside it; text of one span is wrapped under itself."""
    margin = 13
    first = Span(f"  {label:<{margin - 2}}", Tone.MUTED)
    if len(body) > 1:
        yield (first, *body)
        return
    for i, part in enumerate(wrap(body[0].text, width - margin)):
        yield (first if i == 0 else Span(" " * margin), Span(part, body[0].tone))


def _tree(detail: RunDetail, now: datetime, width: int) -> Iterator[Line]:
    for i, stage in enumerate(detail.stages):
        last_stage = i == len(detail.stages) - 1
        took = _took(stage.started_at, stage.ended_at, now)
        yield _node("", stage.status, stage.label or stage.name, took, width, last=last_stage)
        for j, step in enumerate(stage.steps):
            last_step = j == len(stage.steps) - 1
            trunk = "  " if last_stage else "│ "
            yield _node(trunk, step.status, step.label or step.name, _step_facts(step, now), width, last=last_step)
            for k, item in enumerate(step.work_items):
                twig = trunk + ("  " if last_step else "│ ")
                yield _node(twig, item.status, "work item", _assignee(item), width, last=k == len(step.work_items) - 1)


def _node(trunk: str, status: str, name: str | None, facts: str, width: int, *, last: bool) -> Line:
    """One branch of the tree; a name that would push the facts off the line is cut, then the facts are."""
    here = state(status)
    branch = f"  {trunk}{'└' if last else '├'} "
    said = " · ".join(part for part in (here.word, facts) if part)
    room = width - len(branch) - 4
    label = fit(plain(name or "(no name)"), max(room - cell_len(said), room // 2))
    return (
        Span(branch, Tone.MUTED),
        Span(here.symbol, here.tone),
        Span(f" {label}  "),
        Span(fit(said, room - cell_len(label)), Tone.MUTED),
    )


_STEP_TYPES = {
    "InteractiveStep": "interactive",
    "BackgroundStep": "background",
    "AynchronousBackgroundStep": "asynchronous",  # spelt so in Object Reference v67
}


def _step_facts(step: StepLine, now: datetime) -> str:
    kind = _STEP_TYPES.get(step.step_type or "", plain(step.step_type or ""))
    flow = f"flow {plain(step.called_flow)}" if step.called_flow else ""
    return " · ".join(part for part in (_took(step.started_at, step.ended_at, now), kind, flow) if part)


def _assignee(item: WorkItemLine) -> str:
    condition = f" ({item.assignee_state})" if item.assignee_state in {"inactive", "frozen"} else ""
    return plain(item.assignee or "nobody") + condition


def _took(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    return in_words((ended_at or now) - started_at) if started_at else ""


_MILESTONE_TONES = {"Fail": Tone.BAD, "Resume": Tone.GOOD}


def _timeline(detail: RunDetail, now: datetime, where: tzinfo, width: int) -> Iterator[Line]:
    """The milestones with the present and the deadline in their places among them."""
    entries: list[tuple[datetime | None, Line]] = [
        (each.at, _milestone(each, width - 23)) for each in detail.milestones
    ]
    earliest = detail.line.deadline_earliest
    entries.append((now, (Span("» now", Tone.STRONG),)))
    if earliest:
        seconds = int((earliest - now).total_seconds())
        left = "" if seconds <= 0 else f" ({time_left(seconds).strip()} left)"
        entries.append((earliest, (Span(f"! last moment to resume{left}", time_left_tone(seconds)),)))
    for at, line in sorted(entries, key=lambda entry: (entry[0] is not None, entry[0] or now)):
        yield (Span(f"  {stamp(at, where)}  ", Tone.MUTED), *line)


def _milestone(entry: Milestone, width: int) -> Line:
    from tui.widgets.cells import happened

    tone = next((tone for start, tone in _MILESTONE_TONES.items() if entry.kind.startswith(start)), Tone.PLAIN)
    return (Span(fit(plain(happened(entry)), width), tone),)


def _evidence(detail: RunDetail, width: int) -> Iterator[Line]:
    for fact in detail.evidence:
        mark = Span("  ? against: ", Tone.WARNING) if fact.contradicts else Span("  · ", Tone.MUTED)
        yield from _hanging(mark, f"{plain(fact.fact)} ({plain(fact.source)})", width)


def _blast_radius(detail: RunDetail, width: int) -> Iterator[Line]:
    if detail.line.eligibility == "NOT_RESUMABLE":
        return
    effects = detail.blast_radius
    for verb, names in (
        ("run again: ", effects.steps_again),
        ("process the stored outputs of: ", effects.outputs_processed),
        ("give a new work item to: ", effects.people),
        ("meet other runs on the same record: ", effects.other_runs),
    ):
        if names:
            yield from _hanging(Span(f"  {verb}", Tone.MUTED), plain(", ".join(names)), width)


def _hanging(mark: Span, text: str, width: int, tone: Tone = Tone.PLAIN) -> Iterator[Line]:
    parts = wrap(text, width - max(4, len(mark.text)))
    for i, part in enumerate(parts):
        yield (mark if i == 0 else Span(" " * len(mark.text)), Span(part, tone))


def _next(detail: RunDetail, width: int) -> Iterator[Line]:
    from monitor.reasons import explain
    from tui.widgets.cells import is_failed

    run = detail.line
    commands: Sequence[str] = ()
    unseen = run.reason_code == "RUN_NOT_VISIBLE"
    if unseen:
        yield from _hanging(Span("  "), explain(run.reason_code).todo, width)
    if unseen or (is_failed(run) and run.eligibility == "NOT_RESUMABLE"):
        commands = (f"reprise explain {run.reason_code}",)
    elif is_failed(run):
        commands = (f"reprise resume {run.id}", f"reprise explain {run.reason_code}")
        if detail.same_cause and run.group:
            commands = (*commands, f"reprise resume --group {run.group}")
    yield from ((Span(f"  {command}"),) for command in commands)
    if detail.url:
        yield (Span(f"  {plain(detail.url)}", Tone.MUTED),)
