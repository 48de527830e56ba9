"""Records that could not be mapped, kept as the org sent them until they can be, or are gone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from connector.mirror.tables import MIRRORED, Mirrored, Quarantined, Run, Step, WorkItem
from connector.mirror.upsert import CHUNK, chunks, known, sql_table

KEY = ("org_id", "object_name", "record_id")
NO_ID = "no Id, "  # begins what stands for the Id of a record without a usable one


@dataclass(frozen=True, slots=True)
class Kept:
    """One record in quarantine.

    `seen_at` is when it was first met like this, in the org's time; `run` the run it is or belongs to, None where that is
    not known; `mirrored_at` the SystemModstamp of the older version that the mirror shows, None where it shows none.
    """

    object: str
    id: str
    problem: str
    seen_at: datetime
    run: str | None
    mirrored_at: datetime | None


def keep(
    connection: Connection,
    org_id: str,
    object_name: str,
    bad: Iterable[tuple[str, str, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Put records into quarantine: (record Id, problem, raw record). One that is there already keeps its first `seen_at`."""
    rows = [
        {
            "org_id": org_id,
            "object_name": object_name,
            "record_id": record_id,
            "problem": problem,
            "raw": _strict(raw),
            "seen_at": now,
        }
        for record_id, problem, raw in bad
    ]
    if rows:
        insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(Quarantined)
        new = {name: insert.excluded[name] for name in ("problem", "raw")}
        connection.execute(insert.on_conflict_do_update(index_elements=KEY, set_=new), rows)


def _strict(raw: Mapping[str, Any]) -> Any:
    """The record without NaN and Infinity, which PostgreSQL does not take for JSON."""
    return json.loads(json.dumps(raw), parse_constant=str)


def release(connection: Connection, org_id: str, object_name: str, ids: Iterable[str]) -> None:
    """These records were read well, or are gone."""
    of_object = (col(Quarantined.org_id) == org_id) & (col(Quarantined.object_name) == object_name)
    if connection.scalar(select(col(Quarantined.record_id)).where(of_object).limit(1)) is None:
        return
    for chunk in chunks(ids, CHUNK):
        connection.execute(delete(Quarantined).where(of_object, col(Quarantined.record_id).in_(chunk)))


def release_nameless(connection: Connection, org_id: str) -> None:
    """Let go of records without an Id, which cannot be recognized when they come again: everything is about to be read."""
    nameless = (col(Quarantined.org_id) == org_id) & col(Quarantined.record_id).startswith(NO_ID)
    connection.execute(delete(Quarantined).where(nameless))


def ids(connection: Connection, org_id: str, object_name: str) -> set[str]:
    """The Ids in quarantine of one object."""
    found = select(col(Quarantined.record_id)).where(
        col(Quarantined.org_id) == org_id, col(Quarantined.object_name) == object_name
    )
    return {record_id for record_id in connection.scalars(found) if not record_id.startswith(NO_ID)}


def listed(connection: Connection, org_id: str) -> list[Kept]:
    """Everything in quarantine, runs first and the longest kept first."""
    return [kept for table in MIRRORED for kept in _listed(connection, org_id, table)]


def _listed(connection: Connection, org_id: str, table: type[Mirrored]) -> Iterator[Kept]:
    mirrored = sql_table(table).c
    older = and_(mirrored.org_id == org_id, mirrored.id == col(Quarantined.record_id), mirrored.is_deleted.is_(False))
    parent = "StepInstanceId" if table is WorkItem else "OrchestrationInstanceId"
    found = connection.execute(
        select(
            col(Quarantined.record_id),
            col(Quarantined.problem),
            col(Quarantined.seen_at),
            mirrored.system_modstamp,
            col(Quarantined.raw)[parent].as_string(),
        )
        .outerjoin_from(Quarantined, sql_table(table), older)
        .where(col(Quarantined.org_id) == org_id, col(Quarantined.object_name) == table.salesforce_object)
        .order_by(col(Quarantined.seen_at), col(Quarantined.record_id))
    ).all()
    runs = _runs(connection, org_id, table, found)
    for (record_id, problem, seen_at, mirrored_at, _), run in zip(found, runs, strict=True):
        yield Kept(table.salesforce_object, record_id, problem, seen_at, run, mirrored_at)


def _runs(
    connection: Connection, org_id: str, table: type[Mirrored], found: Collection[Row[Any]]
) -> Iterator[str | None]:
    """The run of each; a work item names its step only, whose run the mirror may know."""
    if table is Run:
        return (row[0] for row in found)
    if table is WorkItem:
        steps = known(connection, Step, org_id, (row[-1] for row in found if row[-1]), "run_id")
        return (steps[row[-1]][0] if row[-1] in steps else None for row in found)
    return (row[-1] for row in found)
