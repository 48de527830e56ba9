"""NO_COLOR in a real pseudo-terminal: no colour is sent, and the cursor can be seen all the same."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from select import select

import pyte

PROGRAM = """
from datetime import timedelta
from tests.tui.dashboards import Clock, MemorySource, monday
from tui.app import Dashboard
from tui.screens.desk import Desk
Dashboard(Desk(MemorySource(list(monday())), "acme", Clock()), poll=timedelta(days=1)).run()
"""
COLUMNS, ROWS = 80, 24


@contextmanager
def terminal(**environment: str) -> Iterator[int]:
    """The dashboard in a pseudo-terminal of its own; yields the terminal's end."""
    pid, terminal_end = pty.fork()
    if pid == 0:
        os.environ.update(
            {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"} | environment
        )
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM])
    fcntl.ioctl(terminal_end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        yield terminal_end
    finally:
        os.write(terminal_end, b"q")
        while select([terminal_end], [], [], 10)[0]:
            try:
                if not os.read(terminal_end, 65536):
                    break
            except OSError:  # how Linux says that the other end is closed
                break
        os.close(terminal_end)
        os.waitpid(pid, 0)


def painted(terminal_end: int, until: str) -> pyte.Screen:
    """The screen once `until` stands on it."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    while not any(until in line for line in screen.display):
        assert select([terminal_end], [], [], 20)[0], "\\n".join(screen.display)
        stream.feed(os.read(terminal_end, 65536))
    return screen


def colours(screen: pyte.Screen) -> tuple[set[str], set[str]]:
    """The colours of letters and of their backgrounds."""
    cells = [cell for row in screen.buffer.values() for cell in row.values()]
    return {cell.fg for cell in cells}, {cell.bg for cell in cells}


def test_no_color_sends_no_colour_and_the_cursor_still_stands_out() -> None:
    """Every cell has the terminal's own colours; the cursor's line and the one that says PRODUCTION are reversed."""
    with terminal(NO_COLOR="1") as terminal_end:
        screen = painted(terminal_end, "keys q quit")
        assert colours(screen) == ({"default"}, {"default"})
        cursor = next(y for y, line in enumerate(screen.display) if line.startswith("›"))
        assert all(screen.buffer[cursor][x].reverse for x in range(40))
        assert "PRODUCTION" in screen.display[0]
        assert screen.buffer[0][1].reverse
        other = next(y for y, line in enumerate(screen.display) if "!09:00:00" in line)
        assert not screen.buffer[other][20].reverse


def test_without_no_color_there_is_colour() -> None:
    """The same screen for everybody else."""
    with terminal() as terminal_end:
        letters, backgrounds = colours(painted(terminal_end, "keys q quit"))
        assert len(letters) > 1
        assert len(backgrounds) > 1
