"""What a database's own errors mean: the one place where they become MirrorUnusable, with a sentence and a next step."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from connector.errors import MirrorUnusable
from connector.mirror.address import shown


class _Trouble(NamedTuple):
    """`problem` continues "The mirror at … "."""

    problem: str
    next_step: str
    meaning: str = "What was committed before is kept, and nothing is half-written."


_FULL = _Trouble("has no room left", "Make room on its disk, then repeat the command.")
_READ_ONLY = _Trouble(
    "may be read and not written by this user",
    "Run Reprise as the user to whom the mirror belongs; commands that only read work as they are.",
)
_CLOSED_FOLDER = _Trouble(
    "cannot be read, because its folder may not be written: even to read, SQLite keeps two files beside a database",
    "Run Reprise as the user to whom the folder belongs, or copy the file to a folder of yours and name the copy in "
    "REPRISE_DATABASE.",
    "Nothing was read or changed.",
)
_DAMAGED = _Trouble(
    "is damaged",
    "Move it and its -wal and -shm files away, put the newest .backup in its place if there is one, and run `reprise sync`.",
    "What it says of your runs cannot be trusted; the org itself is not affected.",
)
_BUSY = _Trouble("is kept locked by another program", "Wait for that program or end it, then repeat the command.")
_CLOSED = _Trouble(
    "cannot be opened", "Check the path and whether this user may read and write it.", "Nothing was read or changed."
)
_BROKEN_DISK = _Trouble("cannot be read or written", "Check the disk, then repeat the command.")
_AWAY = _Trouble(
    "does not answer as it should", "Check that its server runs and can be reached, then repeat the command."
)

_SQLITE = {
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY_DIRECTORY": _CLOSED_FOLDER,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_PERM": _READ_ONLY,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_BUSY": _BUSY,
    "SQLITE_LOCKED": _BUSY,
    "SQLITE_PROTOCOL": _BUSY,
    "SQLITE_CANTOPEN": _CLOSED,
    "SQLITE_IOERR": _BROKEN_DISK,
}
"""By the beginning of SQLite's result code; the first that fits counts (SQLite: Result and Error Codes)."""

_POSTGRESQL = {
    "53100": _FULL,
    "25006": _READ_ONLY,  # a standby, or default_transaction_read_only
    "42501": _READ_ONLY,
    "XX001": _DAMAGED._replace(next_step="Restore the database from its backup."),
    "XX002": _DAMAGED._replace(next_step="Run REINDEX on the database, or restore it from its backup."),
    "55P03": _BUSY,
    "57014": _BUSY,  # statement_timeout
    "40P01": _BUSY,
    "40001": _BUSY,
}
"""By SQLSTATE (PostgreSQL documentation: Error Codes)."""


def translate(context: ExceptionContext) -> BaseException | None:
    """Listener for `handle_error`: MirrorUnusable in place of what is wrong with the store, not with our statement."""
    if context.is_pre_ping or context.engine is None:
        return None  # a connection that died in the pool is replaced
    operational = isinstance(context.sqlalchemy_exception, OperationalError)
    unreachable = operational or context.connection is None
    where = shown(context.engine.url.render_as_string(hide_password=False))
    return unusable(context.original_exception, where, unreachable=unreachable)


def unusable(error: BaseException, where: str, *, unreachable: bool = False) -> MirrorUnusable | None:
    """The meaning of a driver's error; None for one that is a mistake of ours, such as wrong SQL.

    `where` is the database as people may see it; `unreachable` is whether a PostgreSQL error that is not in our table stands
    for the connection or the server.
    """
    name = getattr(error, "sqlite_errorname", None)
    if name is not None:
        trouble = next((trouble for code, trouble in _SQLITE.items() if name.startswith(code)), None)
    else:
        trouble = _POSTGRESQL.get(getattr(error, "sqlstate", None) or "", _AWAY if unreachable else None)
    if trouble is None:
        return None
    return _told(trouble, where, next(iter(str(error).splitlines()), "").rstrip("."))


def damaged(where: str, found: str) -> MirrorUnusable:
    """For damage that was looked for; `found` is how SQLite describes it."""
    return _told(_DAMAGED, where, found)


def _told(trouble: _Trouble, where: str, said: str) -> MirrorUnusable:
    return MirrorUnusable(
        f"The mirror at {where} {trouble.problem} ({said}).", meaning=trouble.meaning, next_step=trouble.next_step
    )
