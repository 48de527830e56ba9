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
import pytest

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


@pytest.mark.parametrize("no_color", ["1", None])
def test_no_color_sends_no_colour(no_color: str | None) -> None:
    """With NO_COLOR every cell has the terminal's own colours; without it the same screen is coloured."""
    with terminal(**({"NO_COLOR": no_color} if no_color else {})) as terminal_end:
        screen = painted(terminal_end, "keys q quit")
        colours = {cell.fg for row in screen.buffer.values() for cell in row.values()}
        assert (colours == {"default"}) is bool(no_color)
        backgrounds = {cell.bg for row in screen.buffer.values() for cell in row.values()}
        assert (backgrounds == {"default"}) is bool(no_color)


def test_without_colour_the_cursor_and_the_org_still_stand_out() -> None:
    """The cursor's line is reversed and has its sign; so is the line that says PRODUCTION."""
    with terminal(NO_COLOR="1") as terminal_end:
        screen = painted(terminal_end, "keys q quit")
        cursor = next(y for y, line in enumerate(screen.display) if line.startswith("›"))
        assert all(screen.buffer[cursor][x].reverse for x in range(40))
        assert "PRODUCTION" in screen.display[0]
        assert screen.buffer[0][1].reverse
        other = next(y for y, line in enumerate(screen.display) if "!09:00:00" in line)
        assert not screen.buffer[other][20].reverse
