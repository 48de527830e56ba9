"""Kill -9 at random points of a pass, again and again on one mirror; afterwards it must equal the org.

    python -m tests.chaos.kill --count 200

The victim kills itself at a statement, a commit or a call drawn by a seed, so no point is missed for being short.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import event

from connector.mirror.engine import open_mirror
from connector.mirror.tables import LogEntry, Run
from connector.org.client import OrgClient
from connector.report import SyncOutcome
from connector.settings import AccessTokenLogin, OrgSettings, SyncSettings
from connector.sync import sync
from fixtures.org import ids
from tests.connector.peers import Peers, differences, peers

POINTS = ("before_cursor_execute", "after_cursor_execute", "commit")
FURTHEST = 60  # points of a pass that are drawn from
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
    sync(OrgClient(OrgSettings(instance_url=url, login=login, api_version="67.0")), engine, SyncSettings())


def something_happens(both: Peers, chance: random.Random) -> None:
    """A few changes in the org, or more log entries than a page holds."""
    store = both.org.world.store
    both.advance(seconds=chance.choice((1, 40, 200)))
    with store.transaction() as tx:
        run = tx.create(Run.salesforce_object, Status=chance.choice(("InProgress", "Error")))
        for row in chance.sample(store.rows(Run.salesforce_object), k=1):
            tx.update(Run.salesforce_object, row["Id"], Status="Completed")
    now, count = store.epoch(), chance.choice((3, 3, 2500))
    columns = (
        "Id",
        "OrchestrationInstanceId",
        "Kind",
        "CreatedDate",
        "LastModifiedDate",
        "SystemModstamp",
        "IsDeleted",
    )
    parent = ids.compact(run)
    rows = ((key, parent, "StartStep", now, now, now, 0) for key in store.reserve(LogEntry.salesforce_object, count))
    store.load(LogEntry.salesforce_object, columns, rows)


def kill(count: int, seed: int, folder: Path) -> int:
    """That many deaths; how many really happened. Raises AssertionError when a mirror differs from the org afterwards."""
    chance = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["connector.sync", "simple_salesforce.api", "tests.connector.peers"])
    died = 0
    databases = [f"sqlite:///{folder / f'mirror{n}.sqlite3'}" for n in range(-(-count // NEW_MIRROR_EVERY))]
    with peers(databases[0]) as both:
        for number in range(count):
            database = databases[number // NEW_MIRROR_EVERY]
            something_happens(both, chance)
            target = (both.org.url, both.org.access_token, database, chance.choice(POINTS), chance.randrange(FURTHEST))
            process = context.Process(target=victim, args=target)
            process.start()
            process.join()
            died += process.exitcode == -signal.SIGKILL
        both.advance(minutes=3)
        for database in databases:
            engine = open_mirror(database)
            report = sync(both.client, engine, SyncSettings())
            assert report.outcome is SyncOutcome.COMPLETE, report.warnings
            found = differences(both.org, engine)
            engine.dispose()
            assert found == [], (database, found[:5])
    return died


def main() -> None:
    """Kill as often as asked and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        died = kill(options.count, options.seed, Path(folder))
    print(f"{options.count} passes, {died} of them killed; every mirror equals the org")


if __name__ == "__main__":
    main()
