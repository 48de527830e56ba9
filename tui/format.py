"""Values as words for people: time left, instants, states, tables. Pure; the command line and the dashboard both use it.

Text that came from the org is untrusted: `plain` (monitor.text) must touch it before anybody's eyes do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.cells import cell_len, set_cell_size

from monitor.text import plain as plain
from monitor.text import visible as visible


class Tone(StrEnum):
    """What a colour would mean. The words say it too: every tone may be ignored."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    GOOD = "good"
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BAD = "bad"
    ALARM = "alarm"


class Span(NamedTuple):
    """A piece of a line. The text is shown as it is: no markup, no escape codes."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]


class State(NamedTuple):
    """How a status looks: a symbol, its ASCII stand-in, a word and a tone, complete without colour."""

    symbol: str
    ascii: str
    word: str
    tone: Tone


FAILED = State("✗", "x", "failed", Tone.BAD)
WAITING = State("◔", "~", "waiting", Tone.WAITING)
RUNNING = State("▸", ">", "running", Tone.RUNNING)
PAUSED = State("=", "=", "paused", Tone.PAUSED)
DONE = State("✓", "+", "done", Tone.MUTED)
CANCELED = State("⊘", "-", "canceled", Tone.MUTED)
DISCONTINUED = State("⊘", "-", "discontinued", Tone.MUTED)
NOT_STARTED = State("·", ".", "not started", Tone.MUTED)

_STATES = {
    # Status values of runs, stages, steps and work items: Object Reference v67.
    "error": FAILED,
    "assigned": WAITING,
    "inprogress": RUNNING,
    "suspended": PAUSED,
    "completed": DONE,
    "canceled": CANCELED,
    "discontinued": DISCONTINUED,
    "notstarted": NOT_STARTED,
}

ASCII_STAND_INS = str.maketrans(
    {state.symbol: state.ascii for state in _STATES.values()}
    | {"●": "*", "›": ">", "»": ">", "—": "-", "…": "~", "├": "|", "└": "`", "│": "|", "─": "-", "⚙": "*"}
)
"""For terminals whose encoding lacks our symbols."""


def state(status: str | None) -> State:
    """How a Salesforce status looks. One that we do not know keeps its own word behind a question mark."""
    word = plain(status) if status else "unknown"
    return _STATES.get(word.replace(" ", "").lower(), State("?", "?", word, Tone.UNKNOWN))


def fit(text: str, width: int) -> str:
    """`text` cut to `width` terminal cells; a cut shows as `…`."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled with blanks to `width` terminal cells, on its left side if `right`."""
    blanks = " " * max(0, width - cell_len(text))
    return blanks + text if right else text + blanks


def wrap(text: str, width: int) -> list[str]:
    """`text` broken at blanks into lines of at most `width` cells; nothing is lost, a long word is broken inside."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += " " + word
            continue
        rest = word
        while cell_len(rest) > width:
            head = set_cell_size(rest, width).rstrip(" ") or rest[0]
            lines.append(head)
            rest = rest[len(head) :]
        if rest:
            lines.append(rest)
    return lines


def excerpt(text: str, width: int, lines: int) -> list[str]:
    """The first lines of a wrapped text; a cut shows as `…`."""
    whole = wrap(text, width)
    if len(whole) <= lines:
        return whole
    return [*whole[: lines - 1], fit(" ".join(whole[lines - 1 :]), width)]


LAST_HOURS = timedelta(hours=4)
LAST_DAY = timedelta(days=1)


def time_left(seconds: int | None) -> str:
    """The time until a deadline, at most 10 cells: `!!00:48:10` below 4 h, ` !03:11:52` below a day, else `2d 11h`.

    The exclamation marks are the alarm for those who see no colour. None (no deadline) is `—`.
    """
    if seconds is None:
        return "—"
    if seconds <= 0:
        return "expired"
    if seconds >= LAST_DAY.total_seconds():
        days, rest = divmod(seconds, 86_400)
        return f"{days}d {rest // 3600:02}h"
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"!!{clock}" if seconds < LAST_HOURS.total_seconds() else f" !{clock}"


def time_left_tone(seconds: int | None) -> Tone:
    """The tone of `time_left`."""
    if seconds is None or seconds <= 0:
        return Tone.MUTED
    if seconds < LAST_HOURS.total_seconds():
        return Tone.ALARM
    return Tone.WARNING if seconds < LAST_DAY.total_seconds() else Tone.PLAIN


def left_cell(seconds: int | None) -> Span:
    """`time_left` as a column shows it, the alarm marks standing in front of aligned units."""
    text = time_left(seconds)
    return Span(text if text[0] in "! " else f"  {text}", time_left_tone(seconds))


def lower(name: str) -> str:
    """A constant's name as words: `FIX_UNSEEN` is `fix unseen`."""
    return name.replace("_", " ").lower()


def in_words(span: timedelta) -> str:
    """A length of time in its two largest units: `13d 20h`, `4h 5m`, `3m`, `12s`."""
    amounts = _amounts(span)
    first = next((i for i, (amount, _) in enumerate(amounts) if amount), len(amounts) - 1)
    return " ".join(f"{amount}{unit}" for amount, unit in amounts[first : first + 2] if amount) or "0s"


def exactly(span: timedelta) -> str:
    """A length of time as `length_of_time` reads it: `14d`, `1d12h`, `90s` as `1m30s`, `0.5s`."""
    if span % timedelta(seconds=1):
        return f"{span.total_seconds():g}s"
    return "".join(f"{amount}{unit}" for amount, unit in _amounts(span) if amount) or "0s"


def _amounts(span: timedelta) -> list[tuple[int, str]]:
    seconds = int(abs(span.total_seconds()))
    return [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")


def length_of_time(text: str) -> timedelta:
    """Read `90s`, `15m`, `12h`, `3d`, `2w` or a sum such as `1d12h`. Raises ValueError with a sentence for people."""
    compact = text.strip().lower().replace(" ", "")
    if not _LENGTH.fullmatch(compact):
        raise ValueError(f"{plain(text)!r} is not a length of time such as 90s, 15m, 12h, 3d or 1d12h")
    try:
        return sum(
            (timedelta(**{_UNITS[unit]: float(amount)}) for amount, unit in re.findall(r"([\d.]+)([smhdw])", compact)),
            timedelta(),
        )
    except OverflowError:
        raise ValueError(f"{plain(text)!r} is longer than any deadline; use at most a few weeks") from None


def zone(name: str | None) -> tzinfo:
    """The org's time zone by its IANA name; UTC if the org has not told one that this machine knows."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def instant(at: datetime | None, where: tzinfo) -> str:
    """An instant in the org's zone: `Sat 2026-11-21 09:54 UTC`, or `—`."""
    return at.astimezone(where).strftime("%a %Y-%m-%d %H:%M %Z") if at else "—"


def stamp(at: datetime | None, where: tzinfo) -> str:
    """An instant as a timeline shows it: `2026-11-21 09:54:01`, always 19 cells."""
    return at.astimezone(where).strftime("%Y-%m-%d %H:%M:%S") if at else pad("—", 19)


def iso(at: datetime | None) -> str | None:
    """An instant for machines: ISO 8601 in UTC with a `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def count(amount: int, one: str, many: str | None = None) -> str:
    """`1 run`, `812 runs`, `2,512 runs`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?`, or nothing where no known word is like `word`."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {str(near[0])!r}?" if near else ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. With a `share` it may be cut, down to `minimum` cells, and grows by that share; without, never."""

    title: str
    share: int = 0
    minimum: int = 4
    right: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[Span]], width: int) -> list[Line]:
    """Aligned lines of at most `width` cells, a heading first. Cells that do not fit end in `…`."""
    body = [tuple(Span(visible(cell.text), cell.tone) for cell in row) for row in rows]
    widths = _widths(columns, body, width)
    heading = tuple(Span(column.title, Tone.STRONG) for column in columns)
    return [_table_line(columns, widths, row) for row in (heading, *body)]


def _widths(columns: Sequence[Column], body: Sequence[Sequence[Span]], width: int) -> list[int]:
    wanted = [
        max([cell_len(column.title), *(cell_len(row[i].text) for row in body)]) for i, column in enumerate(columns)
    ]
    widths = [w if not c.share else min(w, c.minimum) for w, c in zip(wanted, columns, strict=True)]
    spare = width - sum(widths) - (len(columns) - 1)
    while spare > 0:
        growing = [i for i, column in enumerate(columns) if column.share and widths[i] < wanted[i]]
        if not growing:
            break
        neediest = min(growing, key=lambda i: widths[i] / columns[i].share)
        widths[neediest] += 1
        spare -= 1
    return widths


def _table_line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Span]) -> Line:
    spans = []
    for i, (column, cell_width, cell) in enumerate(zip(columns, widths, row, strict=True)):
        text = fit(cell.text, cell_width)
        last = i == len(columns) - 1
        filled = text if last and not column.right else pad(text, cell_width, right=column.right)
        spans.append(Span(filled, cell.tone))
        if not last:
            spans.append(Span(" "))
    return tuple(spans)
