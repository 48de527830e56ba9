"""The mirror's database: opened, migrated with a backup before, refused when newer, locked for one writer, readable always."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from connector.errors import ConfigError, MirrorUnusable, NotFound
from connector.mirror import changes
from connector.mirror.engine import (
    backup,
    connect,
    find_org,
    head,
    migrate,
    open_mirror,
    open_upgraded,
    org_now,
    orgs,
    writer_lock,
    writing,
)
from tests.connector.peers import peers, sqlite_url
from tests.mirrors import empty_mirror


def test_a_newer_schema_is_refused(database_url: str) -> None:
    """A mirror that a later Reprise wrote is left alone, and the sentence says to upgrade."""
    engine = open_mirror(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(MirrorUnusable) as refused:
        open_mirror(database_url)
    assert "newer Reprise" in refused.value.what
    assert "pip install -U" in refused.value.next_step


def test_an_older_schema_is_backed_up_and_upgraded(tmp_path: Path) -> None:
    """Before a migration the file is copied, with the old schema's number in the name; the copy holds the old rows."""
    engine = connect(sqlite_url(tmp_path))
    migrate(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO evidence_check VALUES ('00D', 'kept', '2026-01-01T00:00:00.000000Z')"))
    engine.dispose()
    engine, made = open_upgraded(sqlite_url(tmp_path))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == head()
        assert connection.scalar(text("SELECT subject FROM evidence_check")) == "kept"
    engine.dispose()
    (copy,) = tmp_path.glob("mirror.sqlite3.0001-*.backup")
    assert made == copy
    kept = open_mirror(f"sqlite:///{copy}")
    with kept.connect() as connection:
        assert connection.scalar(text("SELECT subject FROM evidence_check")) == "kept"
    kept.dispose()


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    """Garbage is refused with one sentence that names the file."""
    (tmp_path / "mirror.sqlite3").write_bytes(b"this is not a database" * 100)
    with pytest.raises(MirrorUnusable) as refused:
        open_mirror(sqlite_url(tmp_path))
    assert "mirror.sqlite3" in refused.value.what


@pytest.mark.parametrize("url", ["nonsense", "oracle://somewhere/else", "sqlite://"])
def test_a_url_that_names_no_store_is_a_mistake_of_the_caller(url: str) -> None:
    """What cannot be a mirror is refused before anything is opened."""
    with pytest.raises(ConfigError):
        open_mirror(url)


def test_reading_makes_no_mirror(tmp_path: Path) -> None:
    """Asking for an existing mirror where there is none says how to make one and leaves no file behind."""
    with pytest.raises(NotFound) as missing:
        open_mirror(sqlite_url(tmp_path), create=False)
    assert "reprise sync" in missing.value.next_step
    assert list(tmp_path.glob("*.sqlite3")) == []


def test_a_second_writer_gets_a_clear_message(database_url: str) -> None:
    """Another process cannot write meanwhile, is told who does, and can once the first is done."""
    engine = open_mirror(database_url)
    script = (
        "import sys; from connector.mirror.engine import open_mirror, writer_lock; from connector.errors import MirrorUnusable\n"
        "try:\n    with writer_lock(open_mirror(sys.argv[1])): print('wrote')\n"
        "except MirrorUnusable as refused: print(refused.what)\n"
    )

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", script, database_url], capture_output=True, text=True, check=True
        ).stdout

    with writer_lock(engine), writer_lock(engine):
        assert "is writing to this mirror" in other()
    assert other() == "wrote\n"
    engine.dispose()


def test_write_transactions_take_turns(database_url: str) -> None:
    """Whoever takes the queue of changed runs while a change is being written waits for it, and takes it as well."""
    engine = open_mirror(database_url)
    taken: list[set[str]] = []

    def take() -> None:
        with writing(engine) as connection:
            taken.append(changes.take(connection, "00D"))

    with writing(engine) as connection:
        changes.note(connection, "00D", {"before"})
        changes.note_evidence(connection, "00D")
    other = threading.Thread(target=take)
    with writing(engine) as connection:
        other.start()
        while not taken and engine.dialect.name == "postgresql" and not _is_awaited(engine):
            pass  # SQLite does not show who waits
        changes.note(connection, "00D", {"during"})
    other.join()
    assert taken == [{"before", "during"}]
    with engine.connect() as connection:
        assert changes.count(connection, "00D") == 1  # its evidence is still due
    engine.dispose()


def _is_awaited(engine: Engine) -> bool:
    with engine.connect() as connection:
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(connection.scalar(text(waits)))


def test_readers_are_never_blocked(database_url: str) -> None:
    """While a transaction writes, another connection reads what was committed before."""
    engine = open_mirror(database_url)
    add = text("INSERT INTO evidence_check VALUES ('00D', :subject, '2026-01-01T00:00:00.000000Z')")
    count = text("SELECT count(*) FROM evidence_check")
    with writing(engine) as connection:
        connection.execute(add, {"subject": "first"})
    with writing(engine) as connection, engine.connect() as reader:
        connection.execute(add, {"subject": "second"})
        assert reader.scalar(count) == 1
    with engine.connect() as reader:
        assert reader.scalar(count) == 2
    engine.dispose()


def test_a_backup_is_whole_while_somebody_writes(tmp_path: Path) -> None:
    """A copy made in the middle of a transaction has the state before it."""
    engine = open_mirror(sqlite_url(tmp_path))
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO evidence_check VALUES ('00D', 'x', '2026-01-01T00:00:00.000000Z')"))
        copy = backup(engine, tmp_path / "copy.sqlite3")
    engine.dispose()
    kept = open_mirror(f"sqlite:///{copy}")
    with kept.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM evidence_check")) == 0
    kept.dispose()


def test_orgs_are_found_by_name_and_id(tmp_path: Path) -> None:
    """A mirrored org is known by its name and its Id, its clock by the offset; an unknown name lists the known ones."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        (org,) = orgs(both.engine)
        assert find_org(both.engine, "default") == find_org(both.engine, org.org_id)
        assert abs((org_now(org, both.client.now() - both.client.clock_offset) - both.client.now()).total_seconds()) < 1
        with pytest.raises(NotFound) as missing:
            find_org(both.engine, "sandbox")
        assert "mirrored: default" in missing.value.what


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A path below a file is no place for a mirror, and the error names it."""
    (tmp_path / "file").touch()
    with pytest.raises(MirrorUnusable, match=r"folder .*file/mirror cannot be made"):
        open_mirror(f"sqlite:///{tmp_path / 'file' / 'mirror' / 'm.sqlite3'}")
