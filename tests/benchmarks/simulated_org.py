"""The simulated org at its largest: how soon it is ready, what it takes, how fast it answers over HTTP.

    python -m tests.benchmarks.simulated_org [--runs 100000] [--repeat 15]

Prints wall time and the org's own processor time: the first grows with whatever else the machine does, the second hardly.
Reads /proc, so it needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import requests

STEP, LOG, RUN = "FlowOrchestrationStepInstance", "FlowOrchestrationLog", "FlowOrchestrationInstance"
OBJECTS = (RUN, "FlowOrchestrationStageInstance", STEP, "FlowOrchestrationWorkItem", LOG)
LOG_FIELDS = (
    "Id, Name, Kind, OrchestrationInstanceId, OrchestrationName, OrchestrationVersion, StageName, StepName, Timestamp, Duration,"
    " Actor, Assignee, AssigneeType, Comments, Context, CreatedDate, LastModifiedDate, SystemModstamp, IsDeleted"
)
IN_ORDER = "ORDER BY SystemModstamp, Id"
TICKS = os.sysconf("SC_CLK_TCK")  # of processor time, a second

Json = dict[str, Any]


class Org:
    """A simulated org in a process of its own, and the figures of that process."""

    def __init__(self, process: subprocess.Popen[str], reach: Json) -> None:
        self._proc = Path(f"/proc/{process.pid}")
        self._root = f"{reach['url']}/services/data/v{reach['api_version']}"
        self._origin = reach["url"]
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {reach['access_token']}"

    def cpu_seconds(self) -> float:
        """Processor time that the org has used so far."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_megabytes(self) -> int:
        """The most memory it ever held."""
        status = dict(line.split(":", 1) for line in (self._proc / "status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) // 1024

    def query(self, soql: str, resource: str = "query") -> Json:
        """The first page of a query."""
        return self._json(f"{self._root}/{resource}", q=soql)

    def page(self, path: str) -> Json:
        """A page behind nextRecordsUrl."""
        return self._json(f"{self._origin}{path}")

    def _json(self, url: str, **parameters: str) -> Json:
        reply = self._http.get(url, params=parameters, timeout=120)
        reply.raise_for_status()
        document: Json = json.loads(reply.content)
        return document


@contextmanager
def started(runs: int) -> Iterator[tuple[Org, float]]:
    """A frozen org with so many runs, and the seconds until its first word."""
    command = [sys.executable, "-m", "fixtures.org", "--scenario", "empty", "--frozen", "--runs", str(runs)]
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            reach = json.loads(process.stdout.readline())
            yield Org(process, reach), perf_counter() - began
        finally:
            process.terminate()


def questions(org: Org) -> dict[str, Callable[[], object]]:
    """What is asked, by name."""
    select_steps = f"SELECT Id, Status, StepType, SystemModstamp FROM {STEP}"
    first_log = f"SELECT {LOG_FIELDS} FROM {LOG} {IN_ORDER}"
    following = org.query(first_log, "queryAll")["nextRecordsUrl"]
    run = org.query(f"SELECT Id FROM {RUN} WHERE Status = 'Error' LIMIT 1")["records"][0]["Id"]
    newest = org.query(f"SELECT SystemModstamp FROM {RUN} ORDER BY SystemModstamp DESC LIMIT 1")["records"][0]
    stamp = str(newest["SystemModstamp"]).replace("+0000", "Z")
    return {
        "first page of all milestones, 19 fields": lambda: org.query(first_log, "queryAll"),
        "next page of it": lambda: org.page(following),
        "first page of all steps, 4 fields": lambda: org.query(f"{select_steps} {IN_ORDER}"),
        "selective: steps of a run": lambda: org.query(f"{select_steps} WHERE OrchestrationInstanceId = '{run}'"),
        "selective: one run by Id": lambda: org.query(f"SELECT Id, Status FROM {RUN} WHERE Id = '{run}'"),
        "selective: runs changed last": lambda: org.query(
            f"SELECT Id, Status FROM {RUN} WHERE SystemModstamp >= {stamp} {IN_ORDER}", "queryAll"
        ),
        "count of all milestones": lambda: org.query(f"SELECT COUNT() FROM {LOG}"),
        "failed runs, newest first": lambda: org.query(
            f"SELECT Id FROM {RUN} WHERE Status = 'Error' ORDER BY SystemModstamp DESC LIMIT 50"
        ),
    }


def timed(org: Org, question: Callable[[], object], repeat: int) -> str:
    """Best and median wall time of a question, and the org's processor time for one, in milliseconds."""
    used, taken = org.cpu_seconds(), []
    for _ in range(repeat):
        began = perf_counter()
        question()
        taken.append((perf_counter() - began) * 1000)
    cpu = (org.cpu_seconds() - used) * 1000 / repeat
    return f"{min(taken):>8.1f} ms best {statistics.median(taken):>8.1f} ms median {cpu:>8.1f} ms of CPU\n"


def main() -> None:
    """Start, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=15)
    asked = parser.parse_args()
    out = sys.stdout.write
    with started(asked.runs) as (org, seconds):
        out(f"{asked.runs} runs: ready in {seconds:.1f} s, {org.cpu_seconds():.1f} s of CPU, ")
        out(f"{org.peak_megabytes()} MB at most; load of this machine {os.getloadavg()[0]:.1f}\n")
        out(f"{'very first request':<42}{timed(org, lambda: org.query('SELECT Id FROM Organization'), 1)}")
        for name, question in questions(org).items():
            out(f"{name:<42}{timed(org, question, asked.repeat)}")
        rows = sum(int(org.query(f"SELECT COUNT() FROM {name}")["totalSize"]) for name in OBJECTS)
        out(f"{rows} rows in the five objects; {org.peak_megabytes()} MB at most after all this\n")


if __name__ == "__main__":
    main()
