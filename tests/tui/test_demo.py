"""The demo: the whole way in one command, without a Salesforce org."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.typed import Ended, Type, hears_interrupts, in_a_process, reprise

__all__ = ["hears_interrupts", "reprise"]


@pytest.fixture(scope="module")
def told() -> Ended:
    """The story, told once."""
    return in_a_process("demo", "--headless")


def test_the_story_has_its_figures(told: Ended) -> None:
    """Rows, calls, failed runs by verdict, the first deadline."""
    assert told.code == 0, told.err
    assert re.search(r"First load: [\d,]+ rows in [\d.]+ s \([\d,]+ rows/s\)", told.out)
    assert re.search(r"(\d+) of \d+ runs have failed", told.out)
    assert re.search(r"\d+ can be resumed", told.out)
    assert re.search(r"\d+ cannot be resumed", told.out)
    assert re.search(r"First to be lost: in !!00:\d\d:\d\d", told.out)


def test_the_story_ends_with_proof_and_what_is_left(told: Ended) -> None:
    """Every run of the fixed flow is verified, none merely sent; the rest have a reason each."""
    planned = re.search(r"(\d+) runs of org demo would be resumed", told.out)
    verified = re.search(r"^ *(\d+) verified · ", told.out, re.MULTILINE)
    assert planned
    assert verified
    assert planned.group(1) == verified.group(1)
    assert int(planned.group(1)) > 1
    left = told.out.partition("What is left")[2]
    assert "WINDOW_EXPIRED" in left
    assert "OUTSIDE_STEP" in left


def test_the_story_fits_a_terminal_and_needs_no_colour(told: Ended) -> None:
    """80 columns, no escape codes where nobody looks."""
    assert "\x1b" not in told.out + told.err
    assert max(len(line) for line in told.out.splitlines()) <= 80


def test_an_unknown_scenario_is_a_usage_error(reprise: Type) -> None:
    """The org refuses to start; its reason is passed on."""
    ended = reprise("demo --headless --scenario no-such-day")
    assert ended.code == 2
    assert "no-such-day" in ended.err
    assert "--list" in ended.err


def test_a_port_in_use_is_told(reprise: Type) -> None:
    """The other common reason for which an org does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = reprise(f"demo --headless --port {taken.getsockname()[1]}")
    assert ended.code == 1
    assert "The simulated org did not start" in ended.err
    assert "--port 0" in ended.err


@pytest.mark.usefixtures("hears_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_org_does_not_outlive_the_demo(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and kill end both, with the exit code of an interruption, and leave no files behind."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).with_name("reprise")),
        "demo",
        "--headless",
        "--scenario",
        "empty",
        "--port",
        str(port),
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == 130
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    assert list(tmp_path.iterdir()) == []
