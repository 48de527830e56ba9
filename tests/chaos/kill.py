"""Kill -9 at random points of a pass or of the judging after it, again and again on the same mirror.

Afterwards the mirror must equal the org, and no verdict may have been forgotten.

    python -m tests.chaos.kill --count 200

The victim kills itself at a statement, a commit or a call drawn by a seed, so no point is missed for being short.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from time import perf_counter

from pydantic import SecretStr
from sqlalchemy import event

from connector.mirror.engine import open_mirror
from connector.mirror.tables import Run
from connector.org.client import OrgClient
from connector.report import SyncOutcome
from connector.settings import AccessTokenLogin, OrgSettings, SyncSettings
from connector.sync import sync
from monitor.assess import assess
from tests.connector.peers import Peers, differences, log_entries, peers, stale_verdicts
from tests.mirrors import empty_mirror

POINTS = {"before_cursor_execute": 60, "after_cursor_execute": 60, "commit": 5}  # how many a pass has, about
NEW_MIRROR_EVERY = 5  # kills, so that first loads are hit as well as polls


def victim(url: str, token: str, database: str, point: str, after: int) -> None:
    """One pass that ends its own process at the n-th of these points, or survives when it has fewer."""
    engine = open_mirror(database)
    left = [after]

    def strike(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, point, strike)
    login = AccessTokenLogin(access_token=SecretStr(token))
    client = OrgClient(OrgSettings(instance_url=url, login=login, api_version="67.0"))
    sync(client, engine, SyncSettings())
    assess(engine, client.now(), everything=False)


def something_happens(both: Peers, chance: random.Random) -> None:
    """A few changes in the org, or more log entries than a page holds."""
    store = both.org.world.store
    both.advance(seconds=chance.choice((1, 40, 200)))
    with store.transaction() as tx:
        tx.create(Run.salesforce_object, Status=chance.choice(("InProgress", "Error")))
        for row in chance.sample(store.rows(Run.salesforce_object), k=1):
            tx.update(Run.salesforce_object, row["Id"], Status="Completed")
    log_entries(both.org, chance.choice((3, 3, 2500)))


def kill(count: int, seed: int, folder: Path, progress: Callable[[int, int], None] = lambda *_: None) -> int:
    """Passes until that many were killed; how many passes. Raises AssertionError when a mirror differs from its org afterwards.

    `progress` is told after each mirror how many were killed, and of how many passes.
    """
    chance = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["connector.sync", "monitor.assess", "simple_salesforce.api", "tests.connector.peers"]
    )
    died = passes = 0
    for wanted in range(NEW_MIRROR_EVERY, count + NEW_MIRROR_EVERY, NEW_MIRROR_EVERY):
        # An org of its own for each mirror: else the first load of the n-th would read the changes of all before it.
        with peers(empty_mirror(folder, f"mirror{wanted}.sqlite3")) as both:
            while died < min(wanted, count):
                died += _dies(both, chance, context)
                passes += 1
            _becomes_whole(both)
        progress(died, passes)
    return passes


def _dies(both: Peers, chance: random.Random, context: ForkServerContext) -> bool:
    """Something happens, a pass is struck down; whether it was, or was over before."""
    something_happens(both, chance)
    point = chance.choice(list(POINTS))
    database = both.engine.url.render_as_string()
    target = (both.org.url, both.org.access_token, database, point, chance.randrange(POINTS[point]))
    process = context.Process(target=victim, args=target)
    process.start()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}, f"a pass ended by itself with {process.exitcode}"
    return process.exitcode == -signal.SIGKILL


def _becomes_whole(both: Peers) -> None:
    both.advance(minutes=3)
    report = both.sync()
    assert report.outcome is SyncOutcome.COMPLETE, report.warnings
    found = differences(both.org, both.engine)
    assert found == [], (both.engine.url, found[:5])
    assert stale_verdicts(both.engine, both.client.now()) == set()


def main() -> None:
    """Kill as often as asked and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = perf_counter()

    def told(died: int, passes: int) -> None:
        seconds = perf_counter() - began
        print(f"{died} of {options.count} killed, in {passes} passes, {seconds:.0f} s", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        passes = kill(options.count, options.seed, Path(folder), told)
    print(f"{options.count} of {passes} passes killed; every mirror equals its org")


if __name__ == "__main__":
    main()
