"""What the mirror holds as live, counted and listed by when it was created; and marking what has vanished."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from connector.mirror.tables import Mirrored
from connector.mirror.upsert import CHUNK, chunks, sql_table


class Span(NamedTuple):
    """Records created in [start, end); None: no bound on that side."""

    start: datetime | None
    end: datetime


def _live(table: type[Mirrored], org_id: str, span: Span) -> ColumnElement[bool]:
    columns = sql_table(table).c
    conditions = [
        columns.org_id == org_id,
        columns.is_deleted.is_(False),
        columns.vanished_at.is_(None),
        columns.created_at < span.end,
    ]
    if span.start is not None:
        conditions.append(columns.created_at >= span.start)
    return and_(*conditions)


def count(connection: Connection, table: type[Mirrored], org_id: str, span: Span) -> int:
    """How many live rows the mirror holds of this span."""
    return connection.scalar(select(func.count()).select_from(sql_table(table)).where(_live(table, org_id, span))) or 0


def ids(connection: Connection, table: type[Mirrored], org_id: str, span: Span) -> set[str]:
    """Their Ids."""
    return set(connection.scalars(select(sql_table(table).c.id).where(_live(table, org_id, span))))


def split(connection: Connection, table: type[Mirrored], org_id: str, span: Span, parts: int) -> list[Span]:
    """The span cut into at most `parts` with about equally many mirrored rows; the span itself where it cannot be cut."""
    created = sql_table(table).c.created_at
    rows = count(connection, table, org_id, span)
    cuts: set[datetime] = set()
    for part in range(1, parts):
        at = connection.scalar(
            select(created).where(_live(table, org_id, span)).order_by(created).offset(rows * part // parts).limit(1)
        )
        if at is not None and at != span.start:
            cuts.add(at)
    edges = [span.start, *sorted(cuts), span.end]
    return [Span(start, end) for start, end in pairwise(edges) if end is not None]


def mark_vanished(
    connection: Connection, table: type[Mirrored], org_id: str, missing: Collection[str], now: datetime
) -> None:
    """Keep the rows and say since when they cannot be seen."""
    target = sql_table(table)
    for chunk in chunks(missing, CHUNK):
        connection.execute(
            update(target).where(target.c.org_id == org_id, target.c.id.in_(chunk)).values(vanished_at=now)
        )
