"""stdout: the answer, as lines for people or one JSON document for programs. No other module writes stdout."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

from connector.errors import Failure
from tui.format import ASCII_STAND_INS, Line, Span, Tone, visible

SCHEMA_VERSION = 1
"""Of every JSON document. Names are only ever added; a changed meaning raises the number."""

# Okabe-Ito, which the colour-blind can tell apart, as the nearest of the 256 terminal colours.
_CODES = {
    Tone.STRONG: "1",
    Tone.MUTED: "2",
    Tone.GOOD: "38;5;36",
    Tone.WAITING: "38;5;227",
    Tone.RUNNING: "38;5;74",
    Tone.PAUSED: "38;5;175",
    Tone.UNKNOWN: "38;5;214",
    Tone.WARNING: "1;38;5;214",
    Tone.BAD: "1;38;5;166",
    Tone.ALARM: "1;7;38;5;166",
}


def has_colour(stream: TextIO) -> bool:
    """Whether escape codes may be sent: only to a terminal, and never against NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Cells in a line: COLUMNS, else the terminal's width, else 80."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def styled(line: Line, stream: TextIO) -> str:
    """A line as `stream` can show it."""
    colour = has_colour(stream)
    pieces = (
        f"\x1b[{_CODES[span.tone]}m{visible(span.text)}\x1b[0m"
        if colour and span.tone in _CODES
        else visible(span.text)
        for span in line
    )
    return encodable("".join(pieces).rstrip(" "), stream)


def encodable(text: str, stream: TextIO) -> str:
    """`text` with stand-ins for what the stream's encoding lacks."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(ASCII_STAND_INS).encode(encoding, "replace").decode(encoding)
    return text


def lines(shown: Iterable[Line]) -> None:
    """Print lines for people."""
    _write("".join(styled(line, sys.stdout) + "\n" for line in shown))


def talk(paragraphs: str) -> None:
    """Print text of several lines that came from elsewhere, such as an alert."""
    lines((Span(part),) for part in paragraphs.splitlines())


def verbatim(block: str) -> None:
    """Print a block of our own text as it is, such as a command's help."""
    _write(encodable(block, sys.stdout))


# Inside a JSON string these may stand as they are, and would reorder or break the line of a terminal that shows it.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def document(content: Mapping[str, object], *, on_one_line: bool = False) -> None:
    """Print one JSON document; instants are ISO 8601 UTC already, everything else is JSON's own."""
    unicode_is_safe = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    whole = json.dumps(
        {"schema_version": SCHEMA_VERSION, **content},
        ensure_ascii=not unicode_is_safe,
        indent=None if on_one_line else 2,
    )
    _write(_UNSAFE.sub(_escape, whole) + "\n")


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _write(text: str) -> None:
    """Write and flush. A reader that went away (`reprise runs | head`) ends the output, never the work.

    Raises Failure where the text cannot be written, as on a full disk.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more at exit; on the null device that succeeds.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Failure(f"The output could not be written: {error.strerror}.") from error
