"""Many random histories, each ending in a comparison of the mirror with the org.

    python -m tests.chaos.histories --count 20000 --seed 1 [--postgresql] [--processes 2]

Each process runs batches of histories with seeds of its own and stops at the first difference, shrunk to its smallest.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests import postgres
from tests.connector.histories import emptied_mirrors, run_histories
from tests.connector.peers import sqlite_url

BATCH = 100


def run_batch(seed: int, store: str) -> int:
    """One batch of histories on SQLite or PostgreSQL; how many there were."""
    with ExitStack() as stack:
        if store == "sqlite":
            url = sqlite_url(Path(stack.enter_context(TemporaryDirectory())))
        else:
            url = stack.enter_context(stack.enter_context(postgres.running()).database())
        database = stack.enter_context(emptied_mirrors(url))
        run_histories(database, BATCH, seeded=seed)
    return BATCH


def main() -> None:
    """Run as many as asked, and print how many held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.histories", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    store = "postgresql" if options.postgresql else "sqlite"
    began = perf_counter()
    seeds = range(options.seed, options.seed + -(-options.count // BATCH))
    held = 0
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        # The first difference ends the command: leaving the block stops the other processes.
        for count in pool.imap_unordered(partial(run_batch, store=store), seeds):
            held += count
            print(f"{held} of {options.count} histories, {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"{held} histories on {store}, no difference, {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
