"""How long every question takes of a large mirror, and the triage before it.

    python -m tests.benchmarks.questions [--runs 1000000] [--failed 10000] [--repeat 7]

Writes the rows of a mirror straight into a SQLite file: `--failed` runs in Error with stage, steps and log, one run in
twenty in progress with its steps, the rest completed (the newest 5,000 with steps). Prints medians in milliseconds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import SQLModel

from connector.mirror import tables
from connector.mirror.engine import open_mirror, writing
from monitor import read
from monitor.assess import assess
from monitor.rows import RunFilter

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
ORG = "00D000000000001EAA"
PLACES = [(f"Process_{number}", f"Stage_{stage}") for number in range(40) for stage in range(3)]
WITH_STEPS = 5000
Row = dict[str, Any]


def build(engine: Engine, runs: int, failed: int) -> None:
    """Fill an empty mirror."""
    chance = random.Random(1)
    org = {"org_id": ORG, "name": "default", "instance_url": "https://acme.example", "last_success_at": NOW}
    with writing(engine) as connection:
        connection.execute(insert(tables.Org), [org | {"clock_offset_seconds": 0.0}])
        rows = _rows(chance, runs, failed)
        while batch := list(islice(rows, 20_000)):
            for table in (tables.Run, tables.Stage, tables.Step, tables.LogEntry, tables.Interview):
                mine = [row for kind, row in batch if kind is table]
                if mine:
                    connection.execute(insert(table), mine)


def _rows(chance: random.Random, runs: int, failed: int) -> Iterator[tuple[type[SQLModel], Row]]:
    for number in range(runs):
        status = "Error" if number < failed else "InProgress" if number % 20 == 0 else "Completed"
        orchestration, stage = chance.choice(PLACES)
        ended = NOW - timedelta(seconds=chance.randrange(_longest_ago(chance, status)))
        yield tables.Run, _run(number, status, orchestration, stage, ended)
        if status != "Completed" or number < failed + WITH_STEPS:
            yield from _children(number, status, orchestration, stage, ended)


def _longest_ago(chance: random.Random, status: str) -> int:
    """Seconds. Steps in progress are mostly recent; one in two hundred is stuck."""
    if status == "InProgress":
        return 60 * 86400 if chance.random() < 0.005 else 6 * 3600
    return 20 * 86400 if status == "Error" else 60 * 86400


def _id(prefix: str, number: int) -> str:
    return f"{prefix}{number:012d}EAA"


def _mirrored(row_id: str, created: datetime, changed: datetime) -> Row:
    times = {"created_at": created, "last_modified_at": changed, "system_modstamp": changed, "first_seen_at": created}
    return {"org_id": ORG, "id": row_id, "is_deleted": False, **times}


def _run(number: int, status: str, orchestration: str, stage: str, ended: datetime) -> Row:
    return _mirrored(_id("0jE", number), ended - timedelta(hours=5), ended) | {
        "name": f"R-{number}",
        "status": status,
        "current_stage": stage,
        "interview_id": _id("0Fo", number),
        "orchestration": orchestration,
        "orchestration_label": orchestration.replace("_", " "),
        "triggering_record": _id("001", number // 2),
    }


def _children(
    number: int, status: str, orchestration: str, stage: str, ended: datetime
) -> Iterator[tuple[type[SQLModel], Row]]:
    start, run_id = ended - timedelta(hours=5), _id("0jE", number)
    ours = {"run_id": run_id}
    yield tables.Stage, _mirrored(_id("0jF", number), start, ended) | ours | {"status": status, "name": stage}
    for place in range(4):
        step_status = status if place == 3 else "Completed"
        yield (
            tables.Step,
            _mirrored(_id("0jL", number * 4 + place), start, ended)
            | ours
            | {"status": step_status, "stage_id": _id("0jF", number), "stage_name": stage, "name": f"Step_{place}"}
            | {"step_type": "BackgroundStep"},
        )
    if status != "Error":
        return
    kinds = ["StartInstance", "StartStage", *["StartStep", "EndStep"] * 3, "StartStep", "FailStep", "FailStage"]
    for place, kind in enumerate([*kinds, "FailInstance"]):
        at = ended if kind.startswith("Fail") else start
        named = {"kind": kind, "occurred_at": at, "orchestration": orchestration, "version": 3, "stage_name": stage}
        step = {"step_name": "Step_3" if kind.endswith("Step") else None}
        yield tables.LogEntry, _mirrored(_id("0jN", number * 20 + place), start, ended) | ours | named | step
    error = f"FIELD_CUSTOM_VALIDATION_EXCEPTION: field {number % 7} of record {_id('001', number // 2)} must be filled"
    facts = {"present": True, "status": "Error", "error": error, "checked_at": NOW}
    yield tables.Interview, {"org_id": ORG, "id": _id("0Fo", number), **facts}


def questions(engine: Engine, failed: int) -> dict[str, Callable[[], object]]:
    """What is asked, by name."""
    at_risk, everything = RunFilter(at_risk=True), RunFilter()
    numbers = list(read.vector(engine, NOW, at_risk))[:60]
    group = read.groups(engine, NOW)[0].id
    return {
        "runs --at-risk, 50 lines": lambda: read.runs(engine, NOW, at_risk, limit=50),
        "runs, 50 lines": lambda: read.runs(engine, NOW, everything, limit=50),
        "runs --within 1d": lambda: read.runs(engine, NOW, RunFilter(within=timedelta(days=1)), limit=50),
        "runs --group": lambda: read.runs(engine, NOW, RunFilter(group=group), limit=50),
        "runs --status Error": lambda: read.runs(engine, NOW, RunFilter(statuses=("Error",)), limit=50),
        "runs --orchestration": lambda: read.runs(engine, NOW, RunFilter(orchestration="process_7"), limit=50),
        "runs, text": lambda: read.runs(engine, NOW, RunFilter(text="R-777"), limit=50),
        "show": lambda: read.run(engine, NOW, _id("0jE", failed // 2)),
        "groups": lambda: read.groups(engine, NOW),
        "overview": lambda: read.overview(engine, NOW),
        "vector of all": lambda: read.vector(engine, NOW),
        "vector at risk": lambda: read.vector(engine, NOW, at_risk),
        "60 lines": lambda: read.lines(engine, NOW, numbers),
        "row_of": lambda: read.row_of(engine, _id("0jE", failed + 77)),
    }


def timed(question: Callable[[], object], repeat: int) -> str:
    """The median time of a question, by the clock and by the processor."""
    taken = []
    for _ in range(repeat):
        start, used = time.perf_counter(), time.process_time()
        question()
        taken.append((time.perf_counter() - start, time.process_time() - used))
    clock, processor = (statistics.median(column) * 1000 for column in zip(*taken, strict=True))
    return f"{clock:>10.1f} ms {processor:>10.1f} ms of CPU\n"


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--failed", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=7)
    asked = parser.parse_args()
    out = sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        engine = open_mirror(f"sqlite:///{Path(folder) / 'mirror.sqlite3'}")
        out(f"{asked.runs} runs, {asked.failed} of them failed\n")
        once: dict[str, Callable[[], object]] = {
            "build the mirror": lambda: build(engine, asked.runs, asked.failed),
            "first triage and assess": lambda: assess(engine, NOW),
            "triage and assess again": lambda: assess(engine, NOW),
            "assess, nothing changed": lambda: assess(engine, NOW, everything=False),
        }
        for name, deed in once.items():
            out(f"{name:<28} {timed(deed, 1)}")
        for name, question in questions(engine, asked.failed).items():
            out(f"{name:<28} {timed(question, asked.repeat)}")
        engine.dispose()


if __name__ == "__main__":
    main()
