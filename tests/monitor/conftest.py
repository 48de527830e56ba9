"""Databases for tests that start from a mirror without rows: migrated once, copied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from connector.mirror.engine import open_mirror
from tests import postgres
from tests.monitor.workshop import empty_mirror


@pytest.fixture(scope="session")
def migrated(postgres_cluster: postgres.Cluster) -> Iterator[str]:
    """The name of a migrated PostgreSQL database."""
    with postgres_cluster.database() as url:
        open_mirror(url).dispose()
        yield str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The SQLAlchemy URL of a mirror without rows, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield empty_mirror(tmp_path)
        return
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.database(request.getfixturevalue("migrated")) as url:
        yield url
