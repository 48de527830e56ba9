"""`reprise groups`: failed runs by cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from tui import output
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import Line, Span, Tone, excerpt, fit, left_cell, lower, pad, plain
from tui.opened import answered, mirror, org_read, org_time, settings_of

if TYPE_CHECKING:
    from monitor.rows import CauseGroup


def groups(context: typer.Context) -> ExitCode:
    """List failed runs by cause, earliest deadline first."""
    from monitor import read
    from monitor.rows import RunFilter

    asked = Asked.of(context)
    settings = settings_of(context)
    org = org_read(context, settings)
    with mirror(settings, org) as engine:
        now = org_time(engine, org, settings)
        found = read.groups(engine, now, RunFilter(org=org), settings=settings.monitor)
        as_of = read.overview(engine, now, org).as_of
    if asked.json:
        from monitor import documents

        output.document(documents.groups(found, as_of))
    else:
        output.lines(group_lines(found, now, output.width()))
    return answered(as_of, now, settings, matched=len(found), wanted="failed run")


def group_lines(found: Sequence[CauseGroup], now: datetime, width: int) -> Iterator[Line]:
    """Each group: figures and place, the cause, what changed since, and the command that acts on it."""
    from monitor.signature import headline

    if found:
        yield (Span(f"{'RUNS':>5} {'  SOONEST':<11} {'CAN RESUME':<11} ORCHESTRATION › STAGE › STEP", Tone.STRONG),)
    several = len({group.org for group in found}) > 1
    for group in found:
        seconds = int((group.first_deadline - now).total_seconds()) if group.first_deadline else None
        left = left_cell(seconds)
        place = " › ".join(plain(part) for part in (group.orchestration, group.stage, group.step) if part)
        place = f"{plain(group.org)}: {place}" if several else place
        new = f" · {group.new_last_day} new in the last day" if group.new_last_day else ""
        yield (
            Span(f"{group.count:>5} "),
            Span(pad(left.text, 11), left.tone),
            Span(f" {f'{group.resumable} of {group.count}':<11} "),
            Span(fit(place, width - 30), Tone.STRONG),
        )
        yield from ((Span(f"      {part}"),) for part in excerpt(plain(headline(group.cause)), width - 6, 2))
        note, command = _way_on(group)
        yield from ((Span(f"      {part}", Tone.MUTED),) for part in excerpt(note + new, width - 6, 2))
        yield (Span(f"      {command}", Tone.MUTED),)


def _way_on(group: CauseGroup) -> tuple[str, str]:
    """Whether a resume makes sense, and the command that acts; where no run can be resumed, why, and what explains it."""
    from monitor.reasons import explain

    if group.resumable:
        note = f": {plain(group.readiness_note)}" if group.readiness_note else ""
        return lower(group.readiness) + note, f"reprise resume --group {group.id}"
    code = group.reason_codes[0]
    sentence = explain(code).sentence
    # A group without an error text has the sentence for its cause.
    return code if sentence == group.cause else f"{code}: {sentence}", f"reprise explain {code}"
