"""One run in full as lines: verdict, tree, timeline, and what else is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import TypeVar

from monitor.reasons import explain
from monitor.rows import BlastRadius, Milestone, RunDetail, StageLine, StepLine, WorkItemLine
from monitor.verdict import Evidence
from tui.format import (
    DONE,
    FAILED,
    PAUSED,
    RUNNING,
    WAITING,
    Line,
    Span,
    State,
    Tone,
    count,
    in_words,
    instant,
    pad,
    plain,
    state,
)
from tui.widgets.cells import NO_ERROR_TEXT, can_be_resumed, definition, happened, is_failed, left

Clock = tuple[datetime, tzinfo]
"""The org's time now, and the zone it is shown in."""

Child = TypeVar("Child", StageLine, StepLine, WorkItemLine)

_STEP_TYPES = {
    "BackgroundStep": "background",
    "AsynchronousBackgroundStep": "asynchronous",
    "AynchronousBackgroundStep": "asynchronous",
    "InteractiveStep": "interactive",
    "ManagedContentRoleInteractiveStep": "interactive",
    "ExternalServiceStep": "external service",
    "MuleSoftStep": "MuleSoft",
}


def verdict(detail: RunDetail, clock: Clock) -> tuple[Line, ...]:
    """Three lines: what it is, whether and until when it can be resumed, and what is to be done."""
    line, (now, where) = detail.line, clock
    here, reason = state(line.status), explain(line.reason_code)
    record = f" · record {plain(line.record)}" if line.record else ""
    head = (
        Span(f"{here.symbol} {here.word.upper()}  ", here.tone),
        Span(plain(definition(line)), Tone.STRONG),
        Span(record),
    )
    if not is_failed(line):
        return (head, (Span(plain(line.attention or "Nothing to resume.")),))
    chance = (
        Span("  Can be resumed: "),
        Span(can_be_resumed(line).upper(), Tone.STRONG),
        Span(f" ({line.confidence.lower()})"),
    )
    todo = (Span(f"  {reason.sentence} {plain(detail.readiness_note or reason.todo)}", Tone.MUTED),)
    if line.deadline_earliest is None:
        return (head, chance, todo)
    time = left(line, now)
    until = (Span("  "), Span(time.text.strip(), time.tone), Span(f" until {instant(line.deadline_earliest, where)}"))
    return (head, (*chance, *until), todo)


def tree(detail: RunDetail, clock: Clock) -> tuple[Line, ...]:
    """Stages, their steps, the steps' work items."""
    lines: list[Line] = [_node("", definition(detail.line), detail.line.status, "")]
    for stage, stage_twig, stage_stem in _twigs(detail.stages):
        lines.append(_node(stage_twig, stage.label or stage.name or stage.id, stage.status, _took(stage, clock)))
        for step, step_twig, step_stem in _twigs(stage.steps):
            told = " ".join(
                filter(None, (_STEP_TYPES.get(step.step_type or "", step.step_type or ""), _took(step, clock)))
            )
            name = step.label or step.name or step.id
            lines.append(_node(stage_stem + step_twig, name, step.status, told))
            if step.called_flow:
                lines.append((Span(f"{stage_stem}{step_stem}    flow {plain(step.called_flow)}", Tone.MUTED),))
            for item, item_twig, _ in _twigs(step.work_items):
                lines.append(_work_item(stage_stem + step_stem + item_twig, item, clock))
    return tuple(lines)


def _twigs(children: tuple[Child, ...]) -> Iterator[tuple[Child, str, str]]:
    """Each child with what leads to it and what leads past it."""
    for number, child in enumerate(children, start=1):
        yield (child, "└ ", "  ") if number == len(children) else (child, "├ ", "│ ")


def _node(twig: str, name: str, status: str, told: str) -> Line:
    here = state(status)
    word = "" if here in (DONE, FAILED) else f" {here.word}"
    head = (Span(twig, Tone.MUTED), Span(f"{here.symbol} ", here.tone), Span(plain(name)))
    return (*head, Span(word, here.tone), Span(f"  {plain(told)}" if told else "", Tone.MUTED))


def _work_item(twig: str, item: WorkItemLine, clock: Clock) -> Line:
    here = state(item.status)
    person = f"work item → {plain(item.assignee or 'nobody')}"
    bad = item.assignee_state in ("inactive", "frozen")
    told = Span(f" ({item.assignee_state})", Tone.BAD if bad else Tone.MUTED) if item.assignee_state else Span("")
    since = f"  {here.word}, {in_words(clock[0] - item.created_at)} old" if item.created_at else f"  {here.word}"
    return (Span(twig, Tone.MUTED), Span(f"{here.symbol} ", here.tone), Span(person), told, Span(since, Tone.MUTED))


def _took(part: StageLine | StepLine, clock: Clock) -> str:
    if part.started_at is None:
        return ""
    return in_words((part.ended_at or clock[0]) - part.started_at)


def timeline(detail: RunDetail, clock: Clock) -> tuple[Line, ...]:
    """The milestones, now, and the last moment to resume, on one axis."""
    now, where = clock
    marks: list[tuple[datetime, int, Line]] = [
        (at, order, _mark(at, where, *_look_of(milestone)))
        for order, milestone in enumerate(detail.milestones)
        if (at := milestone.at) is not None
    ]
    last = len(marks)
    marks.append((now, last, _mark(now, where, "»", Tone.STRONG, "now")))
    until = detail.line.deadline_earliest
    if until is not None:
        time = left(detail.line, now)
        marks.append(
            (until, last + 1, _mark(until, where, "!", time.tone, f"last moment to resume: {time.text.strip()}"))
        )
    undated = [_mark(None, where, *_look_of(milestone)) for milestone in detail.milestones if milestone.at is None]
    return (*undated, *(line for _, _, line in sorted(marks, key=lambda mark: mark[:2])))


def _mark(at: datetime | None, where: tzinfo, symbol: str, tone: Tone, text: str) -> Line:
    when = at.astimezone(where).strftime("%d %b %H:%M:%S") if at else pad("time unknown", 15)
    return (Span(f"{when}  ", Tone.MUTED), Span(f"{symbol} ", tone), Span(text, tone if symbol in "»!" else Tone.PLAIN))


def _look_of(milestone: Milestone) -> tuple[str, Tone, str]:
    here = _state_after(milestone.kind)
    return here.symbol, here.tone, plain(happened(milestone))


def _state_after(kind: str) -> State:
    """The state a milestone leads to. Kinds: Object Reference v67, FlowOrchestrationLog."""
    if kind == "StartWorkItem":
        return WAITING
    beginnings = {"Start": RUNNING, "Resume": RUNNING, "End": DONE, "Fail": FAILED, "Suspend": PAUSED}
    found = next((look for beginning, look in beginnings.items() if kind.startswith(beginning)), None)
    return found or state("Canceled" if kind.startswith("Cancel") else "NotStarted")


def facts(detail: RunDetail) -> tuple[Line, ...]:
    """The error, what the verdict stands on, and what a resume would do."""
    line = detail.line
    return (
        *_section("Error", [line.error or NO_ERROR_TEXT] if is_failed(line) else ["none"]),
        *_section("Same cause", [_same_cause(detail.same_cause)] if detail.same_cause else []),
        *_section("Why this verdict", [_evidence(fact) for fact in detail.evidence]),
        *(_section("A resume would", _effects(detail.blast_radius)) if is_failed(line) else ()),
        *_section(
            "Run", [line.id, *([f"record {line.record}"] if line.record else []), *([detail.url] if detail.url else [])]
        ),
    )


def _same_cause(others: int) -> str:
    return f"{count(others, 'other run')} failed alike; = on the list shows them"


def _section(title: str, sentences: list[str]) -> tuple[Line, ...]:
    if not sentences:
        return ()
    return ((Span(title, Tone.STRONG),), *((Span(f"  {plain(sentence)}"),) for sentence in sentences))


def _evidence(fact: Evidence) -> str:
    return f"{'speaks against it: ' if fact.contradicts else ''}{fact.fact} [{fact.source}]"


def _effects(radius: BlastRadius) -> list[str]:
    told = [
        ("run again: ", radius.steps_again),
        ("process the stored outputs of: ", radius.outputs_processed),
        ("give a new work item, with an e-mail, to: ", radius.people),
        ("meet other open runs on the same record: ", radius.other_runs),
    ]
    return [lead + ", ".join(names) for lead, names in told if names] or ["change nothing that the mirror knows of"]
