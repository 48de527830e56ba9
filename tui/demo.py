"""`reprise demo`: a simulated org in a process of its own, synced and told as a story or opened in the dashboard."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from connector.errors import Failure, UsageError
from tui.format import plain

if TYPE_CHECKING:
    from tui.settings import Settings

START_WITHIN = 60.0
"""Seconds until an org that has not said its first word is given up; it needs about one."""


@dataclass(frozen=True, slots=True)
class SimulatedOrg:
    """Where the org is and how to sign in."""

    url: str
    client_id: str
    client_secret: str


@contextmanager
def simulated_org(folder: Path, scenario: str, port: int) -> Iterator[SimulatedOrg]:
    """Start an org as a process of its own, and stop it whatever happens. `folder` gets its log; port 0 is any free one.

    It talks HTTP like any other org; nothing of it is imported here. Raises Failure or UsageError if it does not start.
    """
    log = folder / "org.log"
    # -P keeps a folder `fixtures` in the current directory from being taken for ours. A session of its own keeps the
    # terminal's Ctrl-C for us: the org is stopped by us, after its last answer. If we are killed, its stdin ends, and so
    # does it.
    command = [sys.executable, "-P", "-m", "fixtures.org", "--while-stdin-open", "--port", str(port)]
    command += ["--scenario", scenario]
    with log.open("wb") as errors, _ending_signals_as_interrupt():
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            yield _first_words(process, log)
        finally:
            _stop(process)


def _first_words(process: subprocess.Popen[bytes], log: Path) -> SimulatedOrg:
    assert process.stdout is not None
    deadline = Timer(START_WITHIN, process.kill)
    deadline.start()
    try:
        line = process.stdout.readline()
    finally:
        deadline.cancel()
    if not line:
        code = process.wait()
        said = log.read_text("utf-8", "replace").strip().splitlines()
        kind = UsageError if code == 2 else Failure
        raise kind(
            f"The simulated org did not start: {plain(said[-1]) if said else f'exit code {code}'}",
            next_step="`python -m fixtures.org --list` shows the scenarios; --port 0 takes any free port.",
        )
    told = json.loads(line)
    return SimulatedOrg(told["url"], told["client_id"], told["client_secret"])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


@contextmanager
def _ending_signals_as_interrupt() -> Iterator[None]:
    """Closing the terminal, or `kill`, unwinds like Ctrl-C, so that the org does not outlive us."""
    signals = [signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    before = {each: signal.signal(each, signal.default_int_handler) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def demo_settings(org: SimulatedOrg, folder: Path) -> Settings:
    """Settings as if somebody had configured this org: a mirror in `folder`, writes allowed, a poll every few seconds."""
    from tui.settings import FILE_NAME, load

    (folder / FILE_NAME).touch()  # found before the user's own file, which is none of the demo's business
    environment = {
        "REPRISE_ORG": "demo",
        "REPRISE_INSTANCE_URL": org.url,
        "REPRISE_CLIENT_ID": org.client_id,
        "REPRISE_CLIENT_SECRET": org.client_secret,
        "REPRISE_DATABASE": f"sqlite:///{folder / 'mirror.sqlite3'}",
        "REPRISE_ALLOW_WRITES": "true",
        "REPRISE_SYNC_POLL_FLOOR": "3s",
        "REPRISE_RESUME_FIRST_LOOK_AFTER": "0.5s",
    }
    return load(environment=environment, folder=folder)
