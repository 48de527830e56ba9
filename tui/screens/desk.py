"""What every screen needs at hand, and how it words a problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tui.diagnostics import sentences
from tui.format import plain
from tui.screens.lane import Lane
from tui.screens.source import Source


@dataclass(frozen=True, slots=True)
class Desk:
    """`clock` tells the org's time; `read_only` says why nothing may be sent, or is empty.

    Reading has a lane of its own. Syncs and resumes share the other: both talk to the org and write the mirror, which
    has one writer.
    """

    source: Source
    org: str
    clock: Callable[[], datetime]
    read_only: str = ""
    reading: Lane = field(default_factory=lambda: Lane("read"))
    talking: Lane = field(default_factory=lambda: Lane("org"))


def explained(problem: BaseException) -> str:
    """What happened, what it means and what to do, as one line."""
    return plain(" ".join(filter(None, sentences(problem))))
