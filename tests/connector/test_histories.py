"""Whatever the org, the network and our own process do: once things are quiet, the mirror equals the org."""

from __future__ import annotations

from pathlib import Path

from tests import postgres
from tests.connector.histories import emptied_mirrors, run_histories
from tests.connector.peers import sqlite_url


def test_random_histories_end_in_equality_on_sqlite(tmp_path: Path) -> None:
    """Changes, late commits, ties, deletes, purges, lost sharing, faults and deaths of ours leave no difference behind."""
    with emptied_mirrors(sqlite_url(tmp_path)) as database:
        run_histories(database, 160)


def test_random_histories_end_in_equality_on_postgresql(postgres_cluster: postgres.Cluster) -> None:
    """The same histories on the other store."""
    with postgres_cluster.database() as url, emptied_mirrors(url) as database:
        run_histories(database, 50)
