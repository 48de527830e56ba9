"""What happens where a person looks: in a pseudo-terminal, drawn by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

from tests.tui.failing import FailingOrg, failing_org

COLUMNS, LINES = 80, 24


class Terminal:
    """A command in a terminal: what it sends, and the screen that this makes."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.process = master, process
        self.sent = b""
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def shown(self) -> str:
        """The screen as text."""
        return "\n".join(self.screen.display)

    def read_until(self, is_enough: Callable[[], bool]) -> None:
        """Take what the command sends until it is enough or it ends; a silence of 20 s fails the test."""
        while not is_enough():
            assert select.select([self.master], [], [], 20)[0], f"silence; the screen is\n{self.shown}"
            try:
                piece = os.read(self.master, 65536)
            except OSError:  # Linux says EIO when the command has closed its terminal
                return
            self.sent += piece
            self._stream.feed(piece)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def exit_code(self) -> int:
        """Take the rest and wait for the end."""
        self.read_until(lambda: False)
        return self.process.wait(20)


@contextmanager
def terminal(*words: str, **environment: str) -> Iterator[Terminal]:
    """Start the installed command in a terminal of 80 x 24."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    command = [str(Path(sys.executable).with_name("reprise")), *words]
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(slave)
        try:
            yield Terminal(master, process)
        finally:
            process.kill()
            os.close(master)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingOrg]:
    """An org with failed runs."""
    with failing_org(tmp_path_factory.mktemp("terminal")) as org:
        yield org


def test_a_sync_shows_progress_and_wipes_it(served: FailingOrg) -> None:
    """Rows, calls and rate while it runs; the report alone when it has ended."""
    with terminal("sync", "--full", **served.environment) as screen:
        assert screen.exit_code() == 0
    assert b"rows/s" in screen.sent
    assert "rows/s" not in screen.shown
    assert screen.shown.startswith("OBJECT")
    assert b"\x1b[" in screen.sent


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_means_no_escape_code_at_all(no_color: str, coloured: bool) -> None:
    """For people who cannot bear colour, and for terminals that cannot show it."""
    with terminal("explain", "NONSENSE", NO_COLOR=no_color) as screen:
        assert screen.exit_code() == 2
    assert (b"\x1b" in screen.sent) is coloured
    assert screen.shown.startswith("'NONSENSE' is not a reason code.")


def test_the_bare_command_is_the_dashboard(served: FailingOrg) -> None:
    """`reprise` and Enter: the runs, soonest deadline first; q leaves with exit code 0."""
    with terminal(**served.environment) as screen:
        screen.read_until(lambda: "Loan_Origination" in screen.shown)
        assert "KYC_Review" in screen.shown
        screen.type("q")
        assert screen.exit_code() == 0


def test_the_demo_opens_the_dashboard() -> None:
    """The whole way on a terminal: org, sync, dashboard, and nothing left running."""
    with terminal("demo") as screen:
        screen.read_until(lambda: "Contract_Renewal" in screen.shown)
        assert "demo" in screen.shown.splitlines()[0]
        screen.type("q")
        assert screen.exit_code() == 0
