"""Opens the mirror's database: pragmas, migrations with a backup before them, refusal of what we do not understand."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlmodel import Session, select

from connector.errors import ConfigError, MirrorUnusable, NotFound
from connector.mirror.address import shown
from connector.mirror.lock import wait_for_turn, writer_lock
from connector.mirror.tables import Org
from connector.mirror.trouble import damaged, translate, unusable

__all__ = [
    "backup",
    "connect",
    "find_org",
    "head",
    "migrate",
    "open_mirror",
    "open_upgraded",
    "org_now",
    "orgs",
    "upgrade",
    "where",
    "writer_lock",
    "writing",
]

MIGRATIONS = Path(__file__).parent / "migrations"
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
BUSY_TIMEOUT = 30_000  # milliseconds that a write transaction waits for another


def open_mirror(url: str, *, create: bool = True) -> Engine:
    """The database behind a SQLAlchemy URL, migrated to our schema. Raises what `open_upgraded` raises."""
    return open_upgraded(url, create=create)[0]


def open_upgraded(url: str, *, create: bool = True) -> tuple[Engine, Path | None]:
    """The database behind a SQLAlchemy URL, and the backup that was made if its schema had to be brought to ours.

    With `create=False` a database that does not exist yet is NotFound. Raises MirrorUnusable for a schema newer than
    ours, a damaged file or an unreachable server, ConfigError for a URL that names no store we know.
    """
    engine = connect(url)
    try:
        if not create and not _exists(engine):
            raise NotFound("There is no mirror yet.", next_step="Run `reprise sync` to make one.")
        kept = upgrade(engine)
    except BaseException as refused:
        engine.dispose()
        if isinstance(refused, DatabaseError | OSError):
            raise _unusable(engine, refused) from refused
        raise
    return engine, kept


def connect(url: str) -> Engine:
    """An engine for this URL with our pragmas and transaction rules, whatever schema is behind it.

    What goes wrong with the store itself, whenever it is used, is raised as MirrorUnusable.
    """
    parsed = _parsed(url)
    on_server = parsed.get_backend_name() == "postgresql"
    try:
        # A server may have ended the connections that waited in the pool.
        engine = create_engine(parsed, connect_args=_connect_args(on_server=on_server), pool_pre_ping=on_server)
    except ModuleNotFoundError as missing:
        raise ConfigError(
            "PostgreSQL needs its driver.", next_step="Run `pip install 'sf-reprise[postgres]'`."
        ) from missing
    event.listen(engine, "handle_error", translate, retval=True)
    if engine.dialect.name == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigError("A mirror in memory would be gone at once.", next_step="Use sqlite:///path/to/file.")
        _make_folder(Path(parsed.database).parent)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def where(engine: Engine) -> str:
    """The database's URL as people may see it."""
    return shown(engine.url.render_as_string(hide_password=False))


def _parsed(url: str) -> URL:
    """The URL with the driver that we use. Raises ConfigError for one that names no store we know."""
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, ValueError, KeyError):
        raise _not_a_store(url) from None  # the parser quotes what it took for a port: perhaps a password
    if driver != "sqlite" and "@" in f"{parsed.host}{parsed.database}":
        raise _not_a_store(url)  # the end of a password, which the server's own messages would quote
    return parsed.set(drivername=driver)


def _not_a_store(url: str) -> ConfigError:
    return ConfigError(
        f"The database URL {shown(url)} names no store that Reprise knows.",
        next_step="Set REPRISE_DATABASE to sqlite:///path/to/file or postgresql://user:password@host/name, "
        "with @ : / in a password written as %40 %3A %2F.",
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise MirrorUnusable(
            f"The mirror's folder {folder} cannot be made: {refused.strerror}.",
            meaning="Nothing was read or changed.",
            next_step="Point REPRISE_DATABASE at a place that you may write to, such as sqlite:///reprise.sqlite3.",
        ) from refused


def _connect_args(*, on_server: bool) -> dict[str, Any]:
    if not on_server:
        return {"check_same_thread": False}
    return {
        "application_name": f"reprise process {os.getpid()} on {socket.gethostname()}",
        "connect_timeout": 10,
        # A server that vanished without a word is noticed within a minute or so; by itself TCP takes hours.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own starts too late for a snapshot
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_TIMEOUT}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; they take turns, whichever process they are of.

    SQLite's write lock is taken at once: upgrading later could fail half-way. PostgreSQL is made to behave the same.
    """
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            wait_for_turn(connection, BUSY_TIMEOUT)
        yield connection


def _exists(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite":
        return Path(engine.url.database or "").exists()
    return _revision(engine) is not None


def _unusable(engine: Engine, problem: Exception) -> MirrorUnusable:
    return MirrorUnusable(
        f"The mirror at {where(engine)} cannot be used: {problem.__cause__ or problem}.",
        meaning="Nothing was read or changed.",
        next_step="Check the path or server, or point REPRISE_DATABASE at another database and run `reprise sync`.",
    )


def head() -> str:
    """The newest revision we know. A revision is named by its file's number, so no file needs to be loaded to know it."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def upgrade(engine: Engine) -> Path | None:
    """Bring the schema to ours; the path of the backup that was made before, if one was."""
    current = _revision(engine)
    if current == head():
        return None
    if current is not None and current > head():
        raise MirrorUnusable(
            f"The mirror was written by a newer Reprise (schema {current}; this one knows {head()}).",
            meaning="Nothing was read or changed.",
            next_step="Upgrade with `pip install -U sf-reprise`, or point REPRISE_DATABASE at another database.",
        )
    with writer_lock(engine):
        if _revision(engine) == head():
            return None  # another process was faster
        kept = backup(engine) if current is not None and engine.dialect.name == "sqlite" else None
        migrate(engine)
    return kept


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to a revision, in one transaction."""
    # Alembic costs 100 ms to import and is needed only when the schema changes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def backup(engine: Engine, to: Path | None = None) -> Path:
    """Copy a SQLite mirror while it is in use. Default target: beside it, with the schema and the time in its name.

    Raises MirrorUnusable, and leaves no copy, where the disk has no room or the copy turns out to be damaged.
    """
    if engine.dialect.name != "sqlite":
        raise ConfigError("Only a SQLite mirror is backed up by Reprise.", next_step="Use pg_dump.")
    source = Path(engine.url.database or "")
    target = to or source.with_name(f"{source.name}.{_revision(engine)}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.backup")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        # SQLite's own online copy sees one consistent state, the write-ahead log included.
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(unfinished)) as copy:
            live.backup(copy)
            # Damaged pages are copied without a look at them.
            (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise damaged(where(engine), " ".join(found.split()))
        unfinished.replace(target)
    except (sqlite3.Error, OSError) as refused:
        raise unusable(refused, where(engine)) or _unusable(engine, refused) from refused
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def orgs(engine: Engine) -> list[Org]:
    """Every org in this mirror, by name."""
    with Session(engine) as session:
        return list(session.exec(select(Org).order_by(Org.name)))


def find_org(engine: Engine, name: str) -> Org:
    """The org with this name or Id. Raises NotFound with the names there are."""
    known = orgs(engine)
    for org in known:
        if name in (org.name, org.org_id):
            return org
    names = ", ".join(org.name for org in known) or "none yet"
    raise NotFound(f"No org named {name!r} is mirrored here (mirrored: {names}).", next_step="Run `reprise sync`.")


def org_now(org: Org, local_now: datetime) -> datetime:
    """The org's present time: our clock, put right by what the org's newest reply said."""
    return local_now + timedelta(seconds=org.clock_offset_seconds)
