"""What every test stands on: a clean environment and a mirror of its own, on each store that is here."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import make_url

from connector.mirror.engine import open_mirror
from tests import postgres
from tests.mirrors import empty_mirror

# Read before clean_environment takes our variables away.
POSTGRES_IS_REQUIRED = bool(os.environ.get("REPRISE_REQUIRE_POSTGRES"))


def pytest_configure() -> None:
    """The cycle collector looks seldom, and not while tests are imported: it took a sixth of all time."""
    gc.disable()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_finish() -> None:
    """What was imported lives to the end: the cycle collector need not look through it again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own settings, files and proxies out of the tests."""
    for name in os.environ:
        if name.startswith("REPRISE_") or name.lower() in {"https_proxy", "http_proxy", "all_proxy", "no_color"}:
            monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    """One PostgreSQL server for the whole session; skips where it is not installed, unless REPRISE_REQUIRE_POSTGRES is set."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(postgres.running())
        except postgres.NotInstalled as missing:
            if POSTGRES_IS_REQUIRED:
                raise
            pytest.skip(str(missing))
        yield cluster


@pytest.fixture(scope="session")
def migrated(postgres_cluster: postgres.Cluster) -> Iterator[str]:
    """The name of a PostgreSQL database that was migrated from nothing."""
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
