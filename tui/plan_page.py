"""A resume plan and what became of it, as lines for people. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tui.format import (
    Column,
    Line,
    Span,
    Tone,
    count,
    excerpt,
    fit,
    left_cell,
    lower,
    plain,
    table,
    time_left,
    time_left_tone,
    wrap,
)

if TYPE_CHECKING:
    from monitor.plans import Excluded, Plan, PlannedRun
    from monitor.resume import Attempt, Batch

LISTED = 20
"""Runs that are listed one by one; more are counted by cause, and stand in the JSON document one by one."""

_NAMED = 5


def plan_lines(plan: Plan, now: datetime, width: int) -> Iterator[Line]:
    """What would be sent, what it would do, and what is left out and why."""
    verb = count(len(plan.included), "run") + f" of org {plain(plan.org)} would be resumed"
    yield (Span(verb, Tone.STRONG), Span(f", {len(plan.excluded)} left out. Plan {plan.id[:8]}."))
    if plan.included:
        yield from _by_cause(plan.included, now, width)
        yield from _runs(plan.included, now, width)
        yield from _effects(plan.included, width)
    if plan.included and not plan.proven_here:
        yield ()
        sentence = (
            "No resume was proven in this org yet: Salesforce documents it only in its own screens. Try one run first."
        )
        yield from ((Span(part, Tone.WARNING),) for part in wrap(sentence, width))
    if plan.excluded:
        yield ()
        yield from left_out_lines(plan.excluded, width)


def _by_cause(included: Sequence[PlannedRun], now: datetime, width: int) -> Iterator[Line]:
    from monitor.reasons import explain
    from monitor.signature import headline

    groups: dict[tuple[str | None, str | None, str | None], list[PlannedRun]] = defaultdict(list)
    for run in included:
        groups[run.orchestration, run.stage, run.step].append(run)
    yield ()
    for (orchestration, stage, step), runs in groups.items():
        place = " › ".join(plain(part) for part in (orchestration, stage, step) if part)
        yield (Span(f"{len(runs):>5} × ", Tone.STRONG), Span(fit(place, width - 8)))
        first = runs[0]
        cause = plain(headline(first.error) if first.error else explain(first.reason_code).sentence)
        yield from ((Span(" " * 8 + part),) for part in excerpt(cause, width - 8, 2))
        seconds = _seconds_left(runs, now)
        note = f": {plain(first.readiness_note)}" if first.readiness_note else ""
        ready = f"        {lower(first.readiness)}{note}"
        yield from ((Span(" " * 8 + part, Tone.MUTED),) for part in wrap(ready, width - 8))
        yield (
            Span("        first deadline in ", Tone.MUTED),
            Span(time_left(seconds).strip(), time_left_tone(seconds)),
        )


def _seconds_left(runs: Sequence[PlannedRun], now: datetime) -> int | None:
    deadlines = [run.deadline_earliest for run in runs if run.deadline_earliest]
    return int((min(deadlines) - now).total_seconds()) if deadlines else None


def _runs(included: Sequence[PlannedRun], now: datetime, width: int) -> Iterator[Line]:
    columns = (Column("  LEFT"), Column("CONFIDENCE"), Column("READINESS"), Column("NAME", share=1), Column("ID"))
    rows = []
    for run in included[:LISTED]:
        seconds = _seconds_left([run], now)
        rows.append(
            (
                left_cell(seconds),
                Span(lower(run.confidence)),
                Span(lower(run.readiness)),
                Span(plain(run.name or "")),
                Span(run.run, Tone.MUTED),
            )
        )
    yield ()
    yield from table(columns, rows, width)
    if len(included) > LISTED:
        yield (Span(f"{LISTED} of {len(included)} runs, --json for all.", Tone.MUTED),)


def _effects(included: Sequence[PlannedRun], width: int) -> Iterator[Line]:
    again = Counter(step for run in included for step in run.blast_radius.steps_again)
    stored = Counter(step for run in included for step in run.blast_radius.outputs_processed)
    people = Counter(person for run in included for person in run.blast_radius.people)
    yield ()
    for title, counted in (
        ("steps that run again: ", again),
        ("stored outputs processed: ", stored),
        ("people who get a new work item: ", people),
    ):
        if counted:
            named = [f"{plain(name)} ({times})" for name, times in counted.most_common(_NAMED)]
            rest = [f"and {len(counted) - _NAMED} more"] if len(counted) > _NAMED else []
            yield from _hanging(title + ", ".join(named + rest), width)


def _hanging(text: str, width: int) -> Iterator[Line]:
    """A text with all lines but the first set in, so that no word of it can look like a line of ours."""
    for i, part in enumerate(wrap(text, width - 4)):
        yield (Span(f"    {part}" if i else part),)


def left_out_lines(excluded: Sequence[Excluded], width: int) -> Iterator[Line]:
    """What was asked for and is not resumed, by reason; nothing where nothing was left out."""
    by_reason: dict[str, list[Excluded]] = defaultdict(list)
    for run in excluded:
        by_reason[run.reason_code].append(run)
    if excluded:
        yield (Span("Left out", Tone.STRONG),)
    for code, runs in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        yield from _hanging(f"{len(runs)} × {code}: {plain(runs[0].sentence)}", width)
        yield from ((Span(f"    {run.run}", Tone.MUTED),) for run in runs[:_NAMED])
        if len(runs) > _NAMED:
            yield (Span(f"    and {len(runs) - _NAMED} more, --json for all", Tone.MUTED),)


_TONES = {"VERIFIED": Tone.GOOD, "UNVERIFIED": Tone.UNKNOWN, "SKIPPED": Tone.MUTED}


def batch_lines(batch: Batch, width: int) -> Iterator[Line]:
    """What became of each run and how that is known; what several runs have word for word in common is told once.

    Only the first proof is told in full; the document has them all.
    """
    first_proof = next((attempt for attempt in batch.attempts if attempt.outcome == "VERIFIED"), None)
    alike: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for attempt in batch.attempts:
        alike[attempt.outcome, attempt.run if attempt.outcome == "VERIFIED" else attempt.detail].append(attempt)
    for attempts in alike.values():
        if len(attempts) > 1:
            yield from _attempts(attempts, width)
        else:
            in_full = attempts[0].outcome != "VERIFIED" or attempts[0] is first_proof
            yield from _attempt(attempts[0], width, in_full=in_full)
    totals = Counter(str(attempt.outcome) for attempt in batch.attempts)
    said = ", ".join(f"{amount} {lower(outcome)}" for outcome, amount in totals.most_common())
    yield (
        Span(f"{said or 'nothing sent'}", Tone.STRONG),
        Span(f" · {count(batch.api_calls, 'API call')} · batch {batch.batch}"),
    )


def _attempts(attempts: Sequence[Attempt], width: int) -> Iterator[Line]:
    """Runs that ended alike: how many and how, then which."""
    first = attempts[0]
    yield (Span(f"{count(len(attempts), 'run')} {lower(first.outcome)}", _TONES.get(first.outcome, Tone.BAD)),)
    yield from ((Span(f"  {part}"),) for part in wrap(plain(first.detail), width - 2))
    ids = wrap(" ".join(attempt.run for attempt in attempts), width - 4)
    yield from ((Span(f"    {part}", Tone.MUTED),) for part in ids)


def _attempt(attempt: Attempt, width: int, *, in_full: bool) -> Iterator[Line]:
    outcome = Span(f" {lower(attempt.outcome):<12} ", _TONES.get(attempt.outcome, Tone.BAD))
    margin = len(attempt.run) + len(outcome.text)
    detail = plain(attempt.detail)
    parts = wrap(detail, width - margin) if in_full else [fit(detail, width - margin)]
    for i, part in enumerate(parts or [""]):
        start = (Span(attempt.run, Tone.MUTED), outcome) if i == 0 else (Span(" " * margin),)
        yield (*start, Span(part))
