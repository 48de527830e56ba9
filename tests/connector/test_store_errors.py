"""What goes wrong with the store is MirrorUnusable with a sentence and a next step, and no error ever shows a password."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from connector.errors import ConfigError, MirrorUnusable
from connector.mirror.address import HIDDEN, shown
from connector.mirror.engine import backup, open_mirror, orgs, writer_lock, writing
from connector.mirror.lock import wait_for_turn
from tests.connector.peers import log_entries, peers, sqlite_url
from tests.mirrors import empty_mirror
from tests.postgres import Cluster

NOBODY = 65534
ADD = text("INSERT INTO evidence_check VALUES ('00D', 'x', '2026-01-01T00:00:00.000000Z')")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can look into, as pytest's own cannot be."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may do everything, so it becomes nobody while inside."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def opened(url: str, *pragmas: str) -> Iterator[Engine]:
    """A mirror whose connections start with these pragmas too."""
    engine = open_mirror(url)

    def prepare(connection: Any, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", prepare)
    engine.dispose()
    try:
        yield engine
    finally:
        engine.dispose()


def damage(file: Path, table: str) -> None:
    """Overwrite the first page of one table."""
    with closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as handle:
        handle.seek((page - 1) * size)
        handle.write(b"\xff" * size)


# Passwords


@pytest.mark.parametrize(
    "url",
    [
        "postgresqll://u:s3cret@h/db",
        "postgresql:/u:s3cret@h/db",
        "postgresql://u:s3cret@127.0.0.1:notaport/db",
        "postgresql://u:s3cret/db",
        "postgresql://u:pass@s3cret@h/db",
        "postgresql://u/x:s3cret@h/db",
        "mysql://u:s3cret@h/db",
    ],
)
def test_a_database_url_that_is_wrong_shows_no_password(url: str) -> None:
    """However it is misspelt: neither the sentences nor the stack trace hold a part of it, and the right form is told."""
    with pytest.raises(ConfigError) as refused:
        open_mirror(url)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))
    assert "s3cret" not in refused.value.what
    assert "postgresql://user:password@host/name" in refused.value.next_step


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret@127.0.0.1:1/db",
        "postgresql://u:x@127.0.0.1:1/db?password=s3cret",
        "postgresql://u:s3cret@127.0.0.1:1/db?nonsense=1",
    ],
)
def test_a_server_that_cannot_be_reached_shows_no_password(url: str) -> None:
    """PostgreSQL's own words are told, with the address and without the password."""
    with pytest.raises(MirrorUnusable) as refused:
        open_mirror(url)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))
    assert "u:***@127.0.0.1:1/db" in refused.value.what


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("sqlite:////home/me@work/m.sqlite3", "sqlite:////home/me@work/m.sqlite3"),
        ("postgresql://me:hush@db:5432/reprise", "postgresql://me:***@db:5432/reprise"),
        ("postgresql:///reprise?host=/run&password=hush", "postgresql:///reprise"),
        ("postgresql://me:hu/sh@db/reprise", HIDDEN),
        ("postgresql://me:12#hush@db/reprise", HIDDEN),
        ("me:hush", HIDDEN),
    ],
)
def test_of_a_url_only_what_is_no_secret_is_shown(url: str, seen: str) -> None:
    """A path is shown as it is; where it cannot be told which part is the password, nothing is."""
    assert shown(url) == seen


# SQLite


def test_a_full_disk_is_said_and_the_next_pass_goes_on(tmp_path: Path) -> None:
    """The pass ends with the cause; once there is room, a pass reads what is missing."""
    with peers(empty_mirror(tmp_path)) as both:
        log_entries(both.org, 3000)
        with opened(sqlite_url(tmp_path), "max_page_count=1") as full:
            both.engine, roomy = full, both.engine
            with pytest.raises(MirrorUnusable, match="has no room left"):
                both.sync()
        both.engine = roomy
        assert both.sync().outcome == "COMPLETE"


def test_the_lock_holds_where_the_name_of_its_holder_cannot_be_written(tmp_path: Path) -> None:
    """A disk without room for a line in the lock file is no reason not to lock."""
    engine = open_mirror(empty_mirror(tmp_path))
    (tmp_path / "mirror.sqlite3.lock").symlink_to("/dev/full")
    with writer_lock(engine), (tmp_path / "mirror.sqlite3").open() as mirror:
        assert mirror.readable()
    engine.dispose()


def test_a_lock_file_that_may_not_be_opened_is_said(folder: Path) -> None:
    """It is another user's: the error names it and says that reading works."""
    engine = open_mirror(empty_mirror(folder))
    (folder / "mirror.sqlite3.lock").touch(0)
    with (
        unprivileged(),
        pytest.raises(MirrorUnusable, match=r"\.lock .*Permission denied") as refused,
        writer_lock(engine),
    ):
        pass
    assert "only read" in refused.value.meaning
    engine.dispose()


def test_a_file_that_may_only_be_read_is_read(folder: Path) -> None:
    """Questions are answered; a write says what this user may not."""
    empty_mirror(folder)
    (folder / "mirror.sqlite3").chmod(0o444)
    folder.chmod(0o777)
    with unprivileged(), opened(sqlite_url(folder)) as engine:
        assert orgs(engine) == []
        with pytest.raises(MirrorUnusable, match="not written by this user"), writing(engine) as connection:
            connection.execute(ADD)


def test_in_a_folder_that_may_only_be_read_the_mirror_is_read_while_somebody_has_it_open(folder: Path) -> None:
    """SQLite needs two files beside it, which the writer has made; without them it is said why, and what to do."""
    writer = open_mirror(empty_mirror(folder))
    with writing(writer) as connection:
        connection.execute(ADD)
    folder.chmod(0o555)
    with unprivileged(), opened(sqlite_url(folder)) as engine:
        assert orgs(engine) == []
    folder.chmod(0o755)
    writer.dispose()
    folder.chmod(0o555)
    with unprivileged(), pytest.raises(MirrorUnusable, match="its folder may not be written") as refused:
        open_mirror(sqlite_url(folder))
    assert "copy the file" in refused.value.next_step
    folder.chmod(0o755)


def test_damage_found_on_the_way_is_said(tmp_path: Path) -> None:
    """The schema can be read and a table cannot: the error names the file and how to begin again."""
    url = empty_mirror(tmp_path)
    damage(tmp_path / "mirror.sqlite3", "sync_pass")
    with (
        opened(url) as engine,
        engine.connect() as connection,
        pytest.raises(MirrorUnusable, match=r"mirror\.sqlite3 is damaged") as refused,
    ):
        connection.execute(text("SELECT * FROM sync_pass"))
    assert "reprise sync" in refused.value.next_step


def test_a_damaged_mirror_leaves_no_backup(tmp_path: Path) -> None:
    """SQLite copies damaged pages without a word, so the copy is checked, and none is left that looks good."""
    url = empty_mirror(tmp_path)
    damage(tmp_path / "mirror.sqlite3", "org")
    with opened(url) as engine, pytest.raises(MirrorUnusable, match="is damaged"):
        backup(engine)
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == []


def test_a_backup_that_cannot_be_written_is_said(folder: Path) -> None:
    """Into a folder where this user may not write, no copy is made."""
    url = empty_mirror(folder)
    with opened(url) as engine, engine.connect():
        folder.chmod(0o555)
        with unprivileged(), pytest.raises(MirrorUnusable):
            backup(engine)
        folder.chmod(0o755)


def test_a_database_that_another_program_locks_is_said(tmp_path: Path) -> None:
    """When the time to wait for a turn is over."""
    url = empty_mirror(tmp_path)
    with (
        opened(url) as first,
        opened(url, "busy_timeout=0") as second,
        writing(first),
        pytest.raises(MirrorUnusable, match="locked by another program"),
        writing(second),
    ):
        pass


def test_a_mistake_of_ours_is_not_blamed_on_the_store(database_url: str) -> None:
    """Wrong SQL is an error of Reprise and stays one."""
    with opened(database_url) as engine, engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("SELECT nonsense FROM nowhere"))


# PostgreSQL


@pytest.fixture
def server(postgres_cluster: Cluster, migrated: str) -> Iterator[Engine]:
    """A mirror without rows on PostgreSQL."""
    with postgres_cluster.database(migrated) as url, opened(url) as engine:
        yield engine


def end_others(engine: Engine, which: str = "TRUE") -> None:
    """End the other sessions in this database, as a restart of the server does."""
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with engine.connect() as connection:
        connection.execute(text(f"{ended} AND datname = current_database() AND {which}"))


def test_a_server_that_goes_away_is_said_and_missed_no_longer_than_it_is_away(server: Engine) -> None:
    """The transaction it interrupts fails with the cause; what comes later does not notice."""
    with opened(server.url.render_as_string(hide_password=False)) as other:
        with pytest.raises(MirrorUnusable, match="does not answer") as refused:
            write_while(server, lambda: end_others(other))
        assert "reached" in refused.value.next_step
        assert orgs(server) == []
        end_others(other)
        assert orgs(server) == []  # the connection that waited in the pool had ended


def write_while(engine: Engine, disturb: Callable[[], None]) -> None:
    """A write transaction in the middle of which something happens."""
    with writing(engine) as connection:
        disturb()
        connection.execute(ADD)


def test_a_turn_that_does_not_come_is_said(server: Engine) -> None:
    """A write transaction gives up waiting for another with a sentence."""
    with writing(server), server.connect() as second, pytest.raises(MirrorUnusable, match="locked by another program"):
        wait_for_turn(second, 1)


def test_a_writer_whose_lock_the_server_dropped_writes_no_more(server: Engine) -> None:
    """Another writer may have come in; what was committed stays, leaving the lock is no error, and it can be taken again."""
    with writer_lock(server):
        with writing(server) as connection:
            connection.execute(ADD)
        end_others(server, "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")
        with pytest.raises(MirrorUnusable, match="dropped the session"), writing(server) as connection:
            connection.execute(text("DELETE FROM evidence_check"))
    with writer_lock(server), writing(server) as connection:
        assert connection.scalar(text("SELECT count(*) FROM evidence_check")) == 1
