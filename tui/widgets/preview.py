"""The pane under the list: the run under the cursor in five lines."""

from __future__ import annotations

from datetime import datetime, tzinfo

from monitor.reasons import explain
from monitor.rows import RunLine
from monitor.signature import headline
from tui.format import Line, Span, Tone, count, instant, plain, state
from tui.widgets.cells import NO_ERROR_TEXT, can_be_resumed, definition, is_failed, left, place


def preview(line: RunLine, now: datetime, where: tzinfo) -> tuple[Line, ...]:
    """What the list knows of one run, in words."""
    here = state(line.status)
    head = (Span(plain(definition(line)), Tone.STRONG), Span(f" · run {line.id}{_record(line)}"))
    if not is_failed(line):
        what = (Span(f"{here.symbol} {here.word}", here.tone), Span(f" in {plain(place(line))}"))
        return (head, what, (Span(plain(line.attention or ""), Tone.WARNING),))
    what = (
        Span(f"{here.symbol} Failed {instant(line.failed_at, where)}", here.tone),
        Span(f" in {plain(place(line))}"),
    )
    error = (Span(f"  {plain(headline(line.error) if line.error else NO_ERROR_TEXT)}"),)
    return (head, what, error, _chance(line, now, where), _readiness(line))


def _record(line: RunLine) -> str:
    return f" · record {plain(line.record)}" if line.record else ""


def _chance(line: RunLine, now: datetime, where: tzinfo) -> Line:
    answer = (
        Span("  Can be resumed: "),
        Span(can_be_resumed(line), Tone.STRONG),
        Span(f" ({line.confidence.lower()})"),
    )
    reason = Span(f"  {explain(line.reason_code).sentence}")
    if line.deadline_earliest is None:
        return (*answer, reason)
    shown = left(line, now)
    until = Span(f" until {instant(line.deadline_earliest, where)}")
    return (*answer, Span("  "), Span(shown.text.strip(), shown.tone), until, reason)


def _readiness(line: RunLine) -> Line:
    tried = f" · {count(line.attempts, 'attempt')} so far" if line.attempts else ""
    return (Span(f"  Readiness: {line.readiness.replace('_', ' ').lower()}{tried}", Tone.MUTED),)
