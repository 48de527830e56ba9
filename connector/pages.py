"""Writes one page of one object, with everything that hangs on it, into the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from connector.mapping import Row, map_records
from connector.mirror import changes, state, upsert
from connector.mirror.tables import Mirrored, Run, StatusChange, WorkItem


@dataclass(frozen=True, slots=True)
class Written:
    """What one page came to."""

    rows: Sequence[Row]
    upserted: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Whose rows they are, and when: org time now, and when the last complete pass looked (None: never)."""

    org_id: str
    now: datetime
    looked_before_at: datetime | None


def write_page(
    connection: Connection,
    table: type[Mirrored],
    records: Sequence[Mapping[str, Any]],
    moment: Moment,
    *,
    quarantined: set[str],
    first_load: bool = False,
    read_again: bool = False,
) -> Written:
    """Map and upsert one page; keep what cannot be mapped; note which runs changed and how their status did.

    `quarantined` are the object's Ids in quarantine, kept up to date here. On a first load every row counts as changed
    and no status change is noted: nothing was seen before. Where rows are `read_again` they count as changed too: fields
    may have come back without a newer SystemModstamp.
    """
    name = table.salesforce_object
    mapped = map_records(table, records)
    if mapped.bad:
        entries = [(bad.record_id, bad.problem, bad.raw) for bad in mapped.bad]
        state.quarantine(connection, moment.org_id, name, entries, moment.now)
        quarantined.update(bad.record_id for bad in mapped.bad)
    elif quarantined:
        cured = quarantined.intersection(row["id"] for row in mapped.rows)
        state.release(connection, moment.org_id, name, cured)
        quarantined -= cured
    newer = [] if first_load else _newer(connection, table, mapped.rows, moment)
    upserted = upsert.upsert(connection, table, mapped.rows, org_id=moment.org_id, seen_at=moment.now)
    changed = mapped.rows if first_load or read_again else newer
    changes.note(connection, moment.org_id, _runs_of(connection, moment.org_id, table, changed))
    return Written(mapped.rows, upserted, len(mapped.bad))


def _newer(connection: Connection, table: type[Mirrored], rows: Sequence[Row], moment: Moment) -> list[Row]:
    """The rows that are new or newer than the mirror's, their changes of status recorded. Must look before the upsert."""
    columns = ("system_modstamp", "status") if table is Run else ("system_modstamp",)
    before = upsert.known(connection, table, moment.org_id, (row["id"] for row in rows), *columns)
    changed = [row for row in rows if row["id"] not in before or before[row["id"]][0] < row["system_modstamp"]]
    if table is Run:
        state.record_status_changes(connection, _status_changes(changed, before, moment))
    return changed


def _status_changes(
    rows: Iterable[Row], before: Mapping[str, tuple[Any, ...]], moment: Moment
) -> Iterable[StatusChange]:
    for row in rows:
        old = before[row["id"]][1] if row["id"] in before else None
        if old != row["status"]:
            yield StatusChange(
                org_id=moment.org_id,
                run_id=row["id"],
                old_status=old,
                new_status=row["status"],
                after=moment.looked_before_at,
                seen_at=moment.now,
            )


def _runs_of(connection: Connection, org_id: str, table: type[Mirrored], rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The runs that these rows belong to. A work item knows its step only, which is looked up in the mirror."""
    if table is Run:
        return {row["id"] for row in rows}
    if table is WorkItem:
        return upsert.runs_of_steps(connection, org_id, {row["step_id"] for row in rows if row["step_id"]})
    return {row["run_id"] for row in rows}


def note_rows(connection: Connection, table: type[Mirrored], org_id: str, ids: Collection[str]) -> None:
    """The runs that mirrored rows with these Ids belong to wait to be judged."""
    column = {Run: "id", WorkItem: "step_id"}.get(table, "run_id")
    rows = upsert.known(connection, table, org_id, ids, column)
    found = _runs_of(connection, org_id, table, ({column: value} for (value,) in rows.values()))
    changes.note(connection, org_id, found)


def delete_rows(connection: Connection, table: type[Mirrored], org_id: str, ids: Collection[str]) -> int:
    """Mark rows as deleted; how many were not marked before."""
    fresh = upsert.mark_deleted(connection, table, org_id, ids)
    note_rows(connection, table, org_id, fresh)
    return len(fresh)
