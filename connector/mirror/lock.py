"""One writer at a time: a lock that dies with its process, so that no crash leaves it behind."""

from __future__ import annotations

import os
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from connector.errors import MirrorUnusable

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[bytes]) -> None:
        handle.seek(4096)  # beyond the text, so that others can still read who holds it
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


PATIENCE = "2s"  # for the session of a writer that has died, until the server notices
# PostgreSQL advisory locks are per database, so constants serve.
_ADVISORY_KEY = zlib.crc32(b"reprise writer")
_TURN_KEY = zlib.crc32(b"reprise transaction")
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass
class _Held:
    """The lock of one database: how to let go of it, and how often we entered."""

    release: Callable[[], None]
    session: int | None = None  # the PostgreSQL process that it belongs to
    entered: int = 0


_guard = threading.Lock()
_held: dict[str, _Held] = {}


@contextmanager
def writer_lock(engine: Engine) -> Iterator[None]:
    """Hold the right to write to this database. Threads of one process share it; another process raises MirrorUnusable.

    SQLite: a lock on `<file>.lock`, which names the holder. PostgreSQL: a session advisory lock.
    """
    key = _key(engine)
    with _guard:
        held = _held[key] if key in _held else _acquire(engine)
        held.entered += 1
        _held[key] = held
    try:
        yield
    finally:
        with _guard:
            held.entered -= 1
            if not held.entered:
                del _held[key]
                held.release()


def wait_for_turn(connection: Connection, timeout: int) -> None:
    """Wait, at most so many milliseconds, until no other write transaction goes on in this PostgreSQL database.

    Raises MirrorUnusable if this process has the writer lock and its session is gone: another writer may have come in.
    What is written in this turn is written before anything of theirs.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {timeout:d}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURN_KEY})
    held = _held.get(_key(connection.engine))
    if held is not None and not _is_held(connection, held.session):
        raise MirrorUnusable(
            "The database server has dropped the session that keeps other writers out of this mirror.",
            meaning="What was committed before is kept, and nothing is half-written.",
            next_step="Repeat the command; if it happens often, let the server keep idle sessions for longer.",
        )


def _is_held(connection: Connection, session: int | None) -> bool:
    ours = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = :key AND pid = :session"
    return bool(connection.scalar(text(ours), {"key": _ADVISORY_KEY, "session": session}))


def _key(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _acquire(engine: Engine) -> _Held:
    if engine.dialect.name == "sqlite":
        return _lock_file(Path(f"{engine.url.database}.lock"))
    return _lock_server(engine)


def _lock_file(path: Path) -> _Held:
    try:
        handle = path.open("ab+", buffering=0)
    except OSError as refused:
        raise _no_lock_file(path, refused) from refused
    try:
        _try_lock(handle)
    except OSError as taken:
        handle.seek(0)
        holder = handle.read().decode(errors="replace").strip() or "another process"
        handle.close()
        raise _second_writer(holder) from taken
    # The name is a courtesy: the lock holds without it, and the database says best that a disk is full.
    with suppress(OSError):
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    return _Held(handle.close)


def _no_lock_file(path: Path, refused: OSError) -> MirrorUnusable:
    return MirrorUnusable(
        f"The file {path} that keeps a second writer out cannot be opened: {refused.strerror}.",
        meaning="Nothing was changed; commands that only read work as they are.",
        next_step="Run Reprise as the user to whom the mirror belongs, or make it a mirror of your own with REPRISE_DATABASE.",
    )


def _lock_server(engine: Engine) -> _Held:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()  # the lock belongs to this session, which must not go back to the pool with it
    try:
        connection.execute(text(f"SET lock_timeout = '{PATIENCE}'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        session = connection.scalar(text("SELECT pg_backend_pid()"))
    except (MirrorUnusable, OperationalError) as refused:
        with connection:
            if getattr(refused.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise _second_writer(_server_holder(connection)) from refused
        raise
    except BaseException:
        connection.close()
        raise
    return _Held(partial(_unlock_server, connection), session)


def _server_holder(connection: Connection) -> str:
    holder = connection.scalar(
        text(
            "SELECT a.application_name || coalesce(' at ' || host(a.client_addr), '') FROM pg_locks l"
            " JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objid = :key AND a.datname = current_database()"
        ),
        {"key": _ADVISORY_KEY},
    )
    return str(holder or "another process")


def _unlock_server(connection: Connection) -> None:
    """Let go. Where the session is gone, so is its lock, and what was done meanwhile is not to be lost over it."""
    with suppress(MirrorUnusable, OperationalError), connection:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})


def _second_writer(holder: str) -> MirrorUnusable:
    return MirrorUnusable(
        f"{holder} is writing to this mirror; a mirror has one writer at a time.",
        meaning="Nothing was changed; reading goes on undisturbed.",
        next_step="Wait for it to finish or stop it; commands that only read work meanwhile.",
    )
