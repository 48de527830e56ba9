"""Writes one page of one object, with everything that hangs on it, into the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from connector.mapping import BadRecord, Row, fields_of, map_records
from connector.mirror import changes, quarantine, state, upsert
from connector.mirror.tables import Mirrored, Run, StatusChange, WorkItem


@dataclass(frozen=True, slots=True)
class Written:
    """What one page came to. `deleted` rows are those newly marked as deleted; where written, they are `upserted` too."""

    rows: Sequence[Row]
    upserted: int
    deleted: int
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
    first_load: bool = False,
    read_again: bool = False,
) -> Written:
    """Map and upsert one page; keep what cannot be mapped; note which runs changed and how their status did.

    On a first load every row counts as changed and no status change is noted: nothing was seen before. Where rows are
    `read_again` they count as changed too: fields may have come back without a newer SystemModstamp.
    """
    mapped = map_records(table, records)
    deleted, kept = _keep(connection, table, mapped.bad, moment)
    quarantine.release(connection, moment.org_id, table.salesforce_object, (row["id"] for row in mapped.rows))
    changed: Sequence[Row] = mapped.rows
    if not first_load:
        newer, marked = _newer(connection, table, mapped.rows, moment)
        changed = mapped.rows if read_again else newer
        deleted += marked
    upserted = upsert.upsert(connection, table, mapped.rows, org_id=moment.org_id, seen_at=moment.now)
    changes.note(connection, moment.org_id, _runs_of(connection, moment.org_id, table, changed))
    return Written(mapped.rows, upserted, deleted, kept)


def _keep(connection: Connection, table: type[Mirrored], bad: Sequence[BadRecord], moment: Moment) -> tuple[int, int]:
    """Put records aside; how many rows were marked as deleted, and how many records kept.

    Of a record that was deleted in the org nothing else matters, and nobody could put it right.
    """
    gone = {record.record_id: moment.now for record in bad if record.is_deleted}
    kept = [(record.record_id, record.problem, record.raw) for record in bad if not record.is_deleted]
    quarantine.keep(connection, moment.org_id, table.salesforce_object, kept, moment.now)
    return delete_rows(connection, table, moment.org_id, gone), len(kept)


def _newer(connection: Connection, table: type[Mirrored], rows: Sequence[Row], moment: Moment) -> tuple[list[Row], int]:
    """The rows that the upsert will write, their changes of status recorded; how many turn into deleted ones.

    Must look before the upsert. Every value counts: two changes within one second have one SystemModstamp.
    """
    columns = _compared(table)
    before = upsert.known(connection, table, moment.org_id, (row["id"] for row in rows), *columns, "vanished_at")
    pick = itemgetter(*columns)
    changed = [row for row in rows if _differs(before.get(row["id"]), (*pick(row), None))]
    if table is Run:
        statuses = {key: values[columns.index("status")] for key, values in before.items()}
        state.record_status_changes(connection, _status_changes(changed, statuses, moment))
    return changed, sum(row["is_deleted"] and row["id"] in before and not before[row["id"]][1] for row in changed)


@cache
def _compared(table: type[Mirrored]) -> tuple[str, ...]:
    first = ("system_modstamp", "is_deleted")
    return (*first, *(name for name in fields_of(table).values() if name not in {"id", *first}))


def _differs(old: tuple[Any, ...] | None, new: tuple[Any, ...]) -> bool:
    """Whether the new values are others and the upsert will write them; both begin with the SystemModstamp."""
    return old is None or (old != new and old[0] <= new[0])


def _status_changes(rows: Iterable[Row], before: Mapping[str, str | None], moment: Moment) -> Iterable[StatusChange]:
    for row in rows:
        old = before.get(row["id"])
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


def delete_rows(connection: Connection, table: type[Mirrored], org_id: str, gone: Mapping[str, datetime]) -> int:
    """Mark rows (Id to when it was deleted); how many were not marked before. None of them is in quarantine any longer."""
    quarantine.release(connection, org_id, table.salesforce_object, gone.keys())
    fresh = upsert.mark_deleted(connection, table, org_id, gone)
    note_rows(connection, table, org_id, fresh)
    return len(fresh)
