"""What a pass remembers in the mirror: the org, its cursors, its history and status changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, func, insert
from sqlmodel import Session, SQLModel, col, select

from connector.mirror.tables import MIRRORED, Org, StatusChange, SyncCursor, SyncPass

M = TypeVar("M", bound=SQLModel)

HISTORY_KEPT = timedelta(days=30)


def load_org(engine: Engine, org_id: str) -> Org | None:
    """The org's row, if this mirror has it."""
    with Session(engine) as session:
        return session.get(Org, org_id)


def load_cursors(engine: Engine, org_id: str, now: datetime) -> dict[str, SyncCursor]:
    """A cursor for each mirrored object, new ones where nothing was read yet."""
    with Session(engine) as session:
        stored = session.exec(select(SyncCursor).where(SyncCursor.org_id == org_id)).all()
    cursors = {cursor.object_name: cursor for cursor in stored}
    for table in MIRRORED:
        name = table.salesforce_object
        cursors.setdefault(name, SyncCursor(org_id=org_id, object_name=name, updated_at=now))
    return cursors


def store(connection: Connection, *rows: SQLModel) -> None:
    """Insert or replace rows by their primary keys, in the caller's transaction."""
    with Session(bind=connection) as session:
        for row in rows:
            session.merge(row)
        session.flush()


def begin_pass(connection: Connection, entry: SyncPass) -> None:
    """Add a pass that has only begun to the history, and give it the Id under which it is stored again later."""
    values = entry.model_dump(exclude={"id"})
    entry.id = connection.execute(insert(SyncPass).values(values).returning(col(SyncPass.id))).scalar_one()


def record_pass(connection: Connection, entry: SyncPass) -> None:
    """Bring one pass into the history and let go of the oldest; of nothing newer because the org's clock runs ahead."""
    store(connection, entry)
    oldest = min(entry.started_at, datetime.now(UTC)) - HISTORY_KEPT
    connection.execute(delete(SyncPass).where(col(SyncPass.org_id) == entry.org_id, col(SyncPass.started_at) < oldest))


def calls_since(engine: Engine, org_id: str, moment: datetime, *, besides: int | None) -> int:
    """API calls of what began at or after a moment of the org's time, without those of the entry `besides`."""
    spent = select(func.coalesce(func.sum(SyncPass.api_calls), 0)).where(
        col(SyncPass.org_id) == org_id, col(SyncPass.started_at) >= moment, col(SyncPass.id).is_distinct_from(besides)
    )
    with Session(engine) as session:
        return session.exec(spent).one()


def recent_calls(engine: Engine, org_id: str, passes: int) -> list[int]:
    """API calls of each of the newest finished passes, the newest first."""
    finished = select(SyncPass.api_calls).where(
        col(SyncPass.org_id) == org_id, col(SyncPass.kind) == "sync", col(SyncPass.finished_at).is_not(None)
    )
    with Session(engine) as session:
        return list(session.exec(finished.order_by(col(SyncPass.started_at).desc()).limit(passes)))


def newest_audit(engine: Engine, org_id: str) -> SyncPass | None:
    """The newest Id audit in the history, however it ended."""
    audits = select(SyncPass).where(col(SyncPass.org_id) == org_id, col(SyncPass.kind) == "reconcile")
    with Session(engine) as session:
        return session.exec(audits.order_by(col(SyncPass.started_at).desc()).limit(1)).first()


def first_pass_at(engine: Engine, org_id: str) -> datetime | None:
    """When the oldest pass in the history began, in the org's time."""
    oldest = select(col(SyncPass.started_at)).where(col(SyncPass.org_id) == org_id).order_by(col(SyncPass.started_at))
    with Session(engine) as session:
        return session.exec(oldest.limit(1)).first()


def record_status_changes(connection: Connection, changes: Iterable[StatusChange]) -> None:
    """Add what a poll saw change."""
    values = [change.model_dump(exclude={"id"}) for change in changes]
    if values:
        connection.execute(insert(StatusChange), values)
