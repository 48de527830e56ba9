"""What an idle poll and a poll with changes cost, over mirrors of different sizes: API calls, milliseconds, rows read.

python -m tests.benchmarks.poll --runs 8000
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from connector.mirror.tables import Run
from connector.report import SyncReport
from tests.connector.peers import Peers, peers
from tests.mirrors import empty_mirror

RUN = Run.salesforce_object
REPEATS = 20


def _timed(both: Peers) -> tuple[float, SyncReport]:
    began = perf_counter()
    report = both.sync()
    return (perf_counter() - began) * 1000, report


def _figures(what: str, timed: list[tuple[float, SyncReport]]) -> dict[str, Any]:
    return {
        "poll": what,
        "milliseconds": round(statistics.median(each for each, _ in timed), 1),
        "api_calls": statistics.mean(report.api_calls for _, report in timed),
        "rows_read": statistics.mean(sum(each.read for each in report.objects) for _, report in timed),
    }


def measure(runs: int) -> list[dict[str, Any]]:
    """The figures for an org of that many runs."""
    with tempfile.TemporaryDirectory() as folder, peers(empty_mirror(Path(folder)), runs=runs) as both:
        loaded, first = _timed(both)
        both.advance(minutes=10)
        both.sync()
        idle = [_timed(both) for _ in range(REPEATS)]
        changing = []
        ids = [row["Id"] for row in both.org.world.store.rows(RUN)[:200]]
        for _ in range(REPEATS):
            both.org.world.store.clock.advance(timedelta(seconds=61))
            with both.org.world.store.transaction() as tx:
                for run_id in ids:
                    tx.update(RUN, run_id, CurrentStage="Moved")
            changing.append(_timed(both))
    rows = sum(each.read for each in first.objects)
    return [
        {"mirrored_rows": rows, "first_load_seconds": round(loaded / 1000, 1), "first_load_calls": first.api_calls},
        _figures("idle", idle),
        _figures("200 runs changed", changing),
    ]


def main() -> None:
    """Print the figures, one JSON document a line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.poll", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs in the simulated org, about 25 rows each")
    for figure in measure(parser.parse_args().runs):
        print(json.dumps(figure))


if __name__ == "__main__":
    main()
