"""What a person waits for: the dashboard's first rows, and the time from a key to its last painted byte.

    python -m tests.benchmarks.dashboard [--runs 100000] [--failed 8000] [--repeat 30]

Starts `reprise dashboard` in a pseudo-terminal over a mirror of that size whose org does not answer. A burst of bytes
counts as over after 40 ms of silence, which are not counted.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

from connector.mirror.engine import open_mirror
from monitor.assess import assess
from tests.benchmarks.questions import NOW, build

SILENCE = 0.04  # seconds
KEYS = {"down": b"\x1b[B", "page down": b"\x1b[6~", "end": b"\x1b[F", "home": b"\x1b[H"}
FIRST_ROW = b"Process_"


@contextmanager
def dashboard(database: str) -> Iterator[int]:
    """`reprise dashboard` in a terminal of 120x35; yields the terminal's end."""
    pid, terminal = pty.fork()
    if pid == 0:
        nobody = {"REPRISE_INSTANCE_URL": "http://127.0.0.1:9", "REPRISE_ACCESS_TOKEN": "none"}
        os.environ.update(nobody | {"REPRISE_DATABASE": database, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
        os.execv(sys.executable, [sys.executable, "-c", "from tui.cli import main; main()", "dashboard"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 35, 120, 0, 0))
    try:
        yield terminal
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def seconds_to_first_row(terminal: int, started: float) -> float:
    """From `started` until the first run stands on the screen."""
    seen = b""
    while FIRST_ROW not in seen:
        seen += os.read(terminal, 65536)
    return time.perf_counter() - started


def milliseconds_to_quiet(terminal: int) -> float | None:
    """From now to the last byte before the terminal falls silent; None if nothing came."""
    started, last = time.perf_counter(), None
    while select([terminal], [], [], SILENCE if last else 2.0)[0]:
        os.read(terminal, 65536)
        last = time.perf_counter()
    return (last - started) * 1000 if last else None


def main() -> None:
    """Build the mirror, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--failed", type=int, default=8_000)
    parser.add_argument("--repeat", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'mirror.sqlite3'}"
        engine = open_mirror(database, create=True)
        build(engine, asked.runs, asked.failed)
        assess(engine, NOW)
        engine.dispose()
        started = time.perf_counter()
        with dashboard(database) as terminal:
            print(f"first rows  {seconds_to_first_row(terminal, started):6.2f} s")
            time.sleep(3)  # the first sync gives up meanwhile
            for name, sent in KEYS.items():
                taken = []
                for _ in range(asked.repeat if name in ("down", "page down") else 1):
                    os.write(terminal, sent)
                    taken.append(milliseconds_to_quiet(terminal) or 0.0)
                worst = sorted(taken)[int(len(taken) * 0.95)]
                print(f"{name:10}  {statistics.median(taken):6.1f} ms median  {worst:6.1f} ms p95")


if __name__ == "__main__":
    main()
