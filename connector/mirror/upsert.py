"""Writes pages of rows: INSERT .. ON CONFLICT through Core, where the newer SystemModstamp wins and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Table, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connector.mirror.tables import Instant, Mirrored, Step, instant_text

T = TypeVar("T")

KEY = ("id", "org_id")
ADDED = ("org_id", "first_seen_at", "vanished_at")  # what the mirror adds to a record; the same for a whole page
A_SECOND = timedelta(seconds=1)  # moments of the org are cut to the second here and there
CHUNK = 500  # values in one IN list; SQLite's oldest limit is 999 variables


def upsert(
    connection: Connection,
    table: type[Mirrored],
    rows: Sequence[Mapping[str, Any]],
    *,
    org_id: str,
    seen_at: datetime,
) -> int:
    """Insert or update rows (column name to value); how many were new or different.

    An older SystemModstamp never overwrites a newer one. A row that had vanished and is seen again is no longer vanished.
    """
    if not rows:
        return 0
    sql, arrange = _statement(table, connection.dialect)
    text = connection.dialect.name == "sqlite"
    added = {"org_id": org_id, "first_seen_at": instant_text(seen_at) if text else seen_at, "vanished_at": None}
    # The driver's own executemany: SQLAlchemy's per-value processing would cost more than the insert itself.
    return connection.exec_driver_sql(sql, [arrange(row | added) for row in rows]).rowcount  # type: ignore[operator]


@lru_cache(maxsize=64)
def _statement(table: type[Mirrored], dialect: Dialect) -> tuple[str, Callable[[dict[str, Any]], Any]]:
    """The compiled upsert of one table, and how to arrange a row as its parameters."""
    target = sql_table(table)
    insert = (sqlite if dialect.name == "sqlite" else postgresql).insert(target)
    new = insert.excluded
    mutable = [column.name for column in target.columns if column.name not in {*KEY, "first_seen_at"}]
    statement = insert.values({column.name: bindparam(column.name) for column in target.columns})
    statement = statement.on_conflict_do_update(
        index_elements=KEY,
        set_={name: new[name] for name in mutable},
        where=(new.system_modstamp >= target.c.system_modstamp)
        & or_(*(target.c[name].is_distinct_from(new[name]) for name in mutable)),
    )
    compiled = statement.compile(dialect=dialect)
    return str(compiled), _arranger(target, dialect, compiled.positiontup)


def _arranger(target: Table, dialect: Dialect, positions: list[str] | None) -> Callable[[dict[str, Any]], Any]:
    """Turns a row into driver parameters: a tuple or a dict, as the driver's parameter style wants it."""
    text = dialect.name == "sqlite"
    instants = [column.name for column in target.columns if text and isinstance(column.type, Instant)]
    instants = [name for name in instants if name not in ADDED]
    pick = itemgetter(*positions) if positions else None

    def arrange(row: dict[str, Any]) -> Any:
        for name in instants:
            if row[name] is not None:
                row[name] = instant_text(row[name])
        return pick(row) if pick else row

    return arrange


def sql_table(table: type[Mirrored]) -> Table:
    """The Core table behind a model."""
    found = table.__table__  # type: ignore[attr-defined]  # set by SQLModel's metaclass
    assert isinstance(found, Table)
    return found


def known(
    connection: Connection, table: type[Mirrored], org_id: str, ids: Iterable[str], *columns: str
) -> dict[str, tuple[Any, ...]]:
    """The asked-for columns of those rows that are already mirrored, by Id."""
    target = sql_table(table)
    found: dict[str, tuple[Any, ...]] = {}
    for chunk in chunks(ids, CHUNK):
        rows = connection.execute(
            select(target.c.id, *(target.c[name] for name in columns)).where(
                target.c.org_id == org_id, target.c.id.in_(chunk)
            )
        )
        found.update((row[0], tuple(row[1:])) for row in rows)
    return found


def mark_deleted(connection: Connection, table: type[Mirrored], org_id: str, gone: Mapping[str, datetime]) -> list[str]:
    """Mark rows (Id to when it was deleted) as deleted in the org; the Ids of those that were not marked before.

    A row that changed after its deletion was restored.
    """
    target = sql_table(table)
    rows = known(connection, table, org_id, gone, "is_deleted", "system_modstamp").items()
    fresh = [key for key, (marked, changed_at) in rows if not marked and changed_at < gone[key] + A_SECOND]
    for chunk in chunks(fresh, CHUNK):
        connection.execute(
            update(target).where(target.c.org_id == org_id, target.c.id.in_(chunk)).values(is_deleted=True)
        )
    return fresh


def blank_columns(connection: Connection, table: type[Mirrored], org_id: str, columns: Collection[str]) -> None:
    """Set columns to NULL for a whole org: what can no longer be read must not be shown as if it were current."""
    target = sql_table(table)
    connection.execute(update(target).where(target.c.org_id == org_id).values(dict.fromkeys(columns)))


def runs_of_steps(connection: Connection, org_id: str, step_ids: Iterable[str]) -> set[str]:
    """The runs that these steps belong to, as far as the steps are mirrored."""
    return {run_id for (run_id,) in known(connection, Step, org_id, step_ids, "run_id").values()}


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` values."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
