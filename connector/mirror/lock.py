"""One writer at a time: a lock that dies with its process, so that no crash leaves it behind."""

from __future__ import annotations

import os
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from connector.errors import MirrorUnusable

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: IO[str]) -> None:
        handle.seek(4096)  # beyond the text, so that others can still read who holds it
        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(handle: IO[str]) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


PATIENCE = "2s"  # for the session of a writer that has died, until the server notices
# PostgreSQL advisory locks are per database, so constants serve.
_ADVISORY_KEY = zlib.crc32(b"reprise writer")
_TURN_KEY = zlib.crc32(b"reprise transaction")
_guard = threading.Lock()
_held: dict[str, tuple[Callable[[], None], int]] = {}  # per database: how to let go, and how often we entered


@contextmanager
def writer_lock(engine: Engine) -> Iterator[None]:
    """Hold the right to write to this database. Threads of one process share it; another process raises MirrorUnusable.

    SQLite: a lock on `<file>.lock`, which names the holder. PostgreSQL: a session advisory lock.
    """
    key = engine.url.render_as_string(hide_password=False)
    with _guard:
        release, entered = _held[key] if key in _held else (_acquire(engine), 0)
        _held[key] = (release, entered + 1)
    try:
        yield
    finally:
        with _guard:
            release, entered = _held[key]
            if entered == 1:
                del _held[key]
                release()
            else:
                _held[key] = (release, entered - 1)


def wait_for_turn(connection: Connection, timeout: int) -> None:
    """Wait, at most so many milliseconds, until no other write transaction goes on in this PostgreSQL database."""
    connection.execute(text(f"SET LOCAL lock_timeout = {timeout:d}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURN_KEY})


def _acquire(engine: Engine) -> Callable[[], None]:
    if engine.dialect.name == "sqlite":
        return _lock_file(Path(f"{engine.url.database}.lock"))
    return _lock_server(engine)


def _lock_file(path: Path) -> Callable[[], None]:
    handle = path.open("a+", encoding="utf-8")
    try:
        _try_lock(handle)
    except OSError as taken:
        handle.seek(0)
        holder = handle.read().strip() or "another process"
        handle.close()
        raise _second_writer(holder) from taken
    handle.seek(0)
    handle.truncate()
    handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    handle.flush()
    return handle.close


def _lock_server(engine: Engine) -> Callable[[], None]:
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    connection.detach()  # the lock belongs to this session, which must not go back to the pool with it
    try:
        connection.execute(text(f"SET lock_timeout = '{PATIENCE}'"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
    except OperationalError as taken:
        raise _second_writer(_server_holder(connection)) from taken
    except BaseException:
        connection.close()
        raise
    return partial(_unlock_server, connection)


def _server_holder(connection: Connection) -> str:
    holder = connection.scalar(
        text(
            "SELECT a.application_name || coalesce(' at ' || host(a.client_addr), '') FROM pg_locks l"
            " JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.objid = :key AND a.datname = current_database()"
        ),
        {"key": _ADVISORY_KEY},
    )
    connection.close()
    return str(holder or "another process")


def _unlock_server(connection: Connection) -> None:
    try:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})
    finally:
        connection.close()


def _second_writer(holder: str) -> MirrorUnusable:
    return MirrorUnusable(
        f"{holder} is writing to this mirror; a mirror has one writer at a time.",
        meaning="Nothing was changed; reading goes on undisturbed.",
        next_step="Wait for it to finish or stop it; commands that only read work meanwhile.",
    )
