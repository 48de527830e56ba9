"""A simulated org in a process of its own, so that its work is not counted as ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def org(arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """`python -m fixtures.org` with these arguments, while the block runs; how to reach it, as it printed that."""
    command = [sys.executable, "-m", "fixtures.org", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def measured(module: str, arguments: Sequence[str], stdin: dict[str, Any]) -> dict[str, Any]:
    """Run a module in a fresh interpreter with a JSON document as its input; the JSON document it printed."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, input=json.dumps(stdin), stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
