"""Types commands: in this process, as `main` gets them, or in a fresh one, as a shell starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tui.cli import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


Type = Callable[..., Ended]


@pytest.fixture
def reprise(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Type:
    """Types a command in an empty folder; words are separated by blanks, or given one by one."""
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> Ended:
        code = main(words[0].split() if len(words) == 1 else words)
        printed = capsys.readouterr()
        return Ended(int(code), printed.out, printed.err)

    return typed


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """Started processes hear Ctrl-C; they inherit deafness where a shell runs these tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def in_a_process(*words: str, **environment: str) -> Ended:
    """Runs the installed command."""
    result = subprocess.run(
        [str(Path(sys.executable).with_name("reprise")), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **environment},
    )
    return Ended(result.returncode, result.stdout, result.stderr)
