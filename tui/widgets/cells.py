"""What stands in the cells of a line in the run list, and which columns a terminal has room for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from monitor.reasons import explain
from monitor.rows import Milestone, RunLine
from monitor.signature import headline
from monitor.verdict import Eligibility
from tui.format import FAILED, Span, Tone, fit, in_words, pad, plain, state, time_left, time_left_tone

NOTHING = "—"
NO_ERROR_TEXT = "Salesforce gave no error text."

OK_WORDS = {Eligibility.RESUMABLE: "yes", Eligibility.NOT_RESUMABLE: "no", Eligibility.UNKNOWN: "?"}


def is_failed(line: RunLine) -> bool:
    """Whether the run waits for a resume, or has lost its chance of one."""
    return state(line.status) is FAILED


def left(line: RunLine, now: datetime) -> Span:
    """Time left to resume a run.

    It counts to the earliest moment at which the org may refuse; `expired` is said only once the latest has passed, and
    in between a refusal can come at any time.
    """
    if line.deadline_earliest is None:
        return Span(f"  {NOTHING}", Tone.MUTED)
    seconds = int((line.deadline_earliest - now).total_seconds())
    if seconds <= 0 and line.deadline_latest is not None and line.deadline_latest > now:
        return Span("!!any time", Tone.ALARM)
    text = time_left(seconds)
    return Span(text if text.startswith(("!", " ")) else f"  {text}", time_left_tone(seconds))


def can_be_resumed(line: RunLine) -> str:
    """`yes`, `no`, `?`, or a dash where nothing failed."""
    return OK_WORDS[line.eligibility] if is_failed(line) else NOTHING


def definition(line: RunLine) -> str:
    """The orchestration and its version."""
    name = line.orchestration or line.name or NOTHING
    return f"{name} v{line.version}" if line.version is not None else name


def place(line: RunLine) -> str:
    """Where the run is, or broke: `stage › step`."""
    return " › ".join(part for part in (line.stage, line.step) if part) or NOTHING


def why(line: RunLine) -> str:
    """What broke, in one line, or why a run that did not break needs eyes, or simply its state."""
    if is_failed(line):
        return headline(line.error) if line.error else explain(line.reason_code).sentence
    return line.attention or state(line.status).word


AUTOMATED = "autoproc@"
"""How the user name of Salesforce's Automated Process user begins: naming it tells nobody anything."""


def happened(milestone: Milestone) -> str:
    """A milestone and the person behind it."""
    actor = milestone.actor
    return milestone.text if not actor or actor.startswith(AUTOMATED) else f"{milestone.text} by {actor}"


def age(line: RunLine, now: datetime) -> str:
    """How long ago the run failed."""
    return in_words(now - line.failed_at) if line.failed_at else ""


@lru_cache(maxsize=4096)
def _filled(text: str, width: int, right: bool) -> str:
    """Kept, because the names and errors of a list are few, and a page of them is half of what a key costs."""
    return pad(fit(plain(text), width), width, right=right)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list: `width` cells, and what a line has to say in it."""

    title: str
    width: int
    cell: Callable[[RunLine, datetime], Span]
    right: bool = False

    def text(self, line: RunLine, now: datetime) -> Span:
        """The cell at exactly `width` terminal cells, foreign text made harmless."""
        text, tone = self.cell(line, now)
        # The blanks in front of a time left are ours and keep the units in line.
        shown = pad(text, self.width) if self is LEFT else _filled(text, self.width, self.right)
        return Span(shown, tone)

    def head(self) -> str:
        """The title at exactly `width` cells."""
        return pad(fit(self.title, self.width), self.width, right=self.right)


GUTTER = 4
"""Cells before the first column: cursor, mark, state symbol, space."""

SCROLL_BAR = 1
"""Cells that the list's scroll bar takes, whether it shows or not."""

LEFT = Column("  LEFT ▴", 10, left)
_OK = Column("OK?", 3, lambda line, _: Span(can_be_resumed(line)))
_AGE = Column("AGE", 7, lambda line, now: Span(age(line, now), Tone.MUTED), right=True)
_ID = Column("ID", 4, lambda line, _: Span(line.id[:15][-4:], Tone.MUTED))


@lru_cache(maxsize=8)
def columns(width: int) -> tuple[Column, ...]:
    """The columns for a list `width` cells wide. LEFT and OK? never go; the others drop one by one as it narrows."""
    tail = [column for column, needs in ((_AGE, 100), (_ID, 110)) if width >= needs]
    free = width - GUTTER - sum(column.width + 1 for column in (LEFT, _OK, *tail))
    if width < 44:
        return (LEFT, _OK, _orchestration(free - 1))
    if width < 60:
        names = free * 11 // 20
        return (LEFT, _OK, _orchestration(names - 1), _step(free - names - 1))
    names = free * 27 // 100 if width >= 100 else free // 3
    steps = free * 31 // 100 if width >= 100 else free * 28 // 100
    where = _place(steps - 1) if width >= 100 else _step(steps - 1)
    return (LEFT, _OK, _orchestration(names - 1), where, _why(free - names - steps - 1), *tail)


def _orchestration(width: int) -> Column:
    return Column("ORCHESTRATION", width, lambda line, _: Span(definition(line)))


def _place(width: int) -> Column:
    return Column("STAGE › STEP", width, lambda line, _: Span(place(line)))


def _step(width: int) -> Column:
    return Column("STEP", width, lambda line, _: Span(line.step or line.stage or NOTHING))


def _why(width: int) -> Column:
    return Column("WHY", width, lambda line, _: Span(why(line), Tone.MUTED))
