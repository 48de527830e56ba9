"""What the org says about its own completeness: `/updated` for the moment everything is visible up to, `/deleted` for deletes.

Pure. Both resources take windows of whole minutes and ignore seconds (REST API guide: Get Updated, Get Deleted). The Ids
that `/updated` lists are not needed, so its window is as short as it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connector.mirror.tables import SyncCursor
from connector.org import composite
from connector.org.composite import Subreply, Subrequest

SHORTEST = timedelta(minutes=2)  # start and end must be more than a minute apart
DELETES_KEPT = timedelta(days=15) - timedelta(hours=1)  # the org answers for 15 days; an hour for clocks and queues
UNCERTAINTY = timedelta(seconds=2)  # of our idea of the org's clock


@dataclass(frozen=True, slots=True)
class Coverage:
    """Up to which moment everything was visible when the queries began, and what was deleted."""

    until: datetime
    told: bool = True  # False: `until` is what was known before, or a guess by the clock
    deleted: Mapping[str, datetime] = field(default_factory=dict)  # Id to when
    deleted_until: datetime | None = None  # None: the org did not say what was deleted
    refused: bool = False  # the org does not answer for this object; do not ask at each poll
    warning: str = ""


def windows(cursors: Sequence[SyncCursor], now: datetime) -> list[Subrequest]:
    """The questions for every object that the org answers them for. `now` is the org's time."""
    end = _minute(now - UNCERTAINTY)
    start = end - SHORTEST
    asked = [cursor for cursor in cursors if cursor.readable and cursor.replicateable]
    updated = [composite.updated(f"updated{c.object_name}", c.object_name, start, end) for c in asked]
    deleted = [composite.deleted(f"deleted{c.object_name}", c.object_name, _deletes_from(c, start), end) for c in asked]
    return updated + deleted


def _deletes_from(cursor: SyncCursor, latest: datetime) -> datetime:
    if cursor.deleted_until is None:
        return latest
    return _minute(min(max(cursor.deleted_until, latest - DELETES_KEPT), latest))


def coverage(cursor: SyncCursor, replies: Mapping[str, Subreply], asked_at: datetime, lookback: timedelta) -> Coverage:
    """What the replies say about one object. `asked_at` is the org's time just before it ran the queries.

    Where an org never tells, everything older than `lookback` is taken as visible: Salesforce ends a transaction after
    about ten minutes. Where it does not tell this once, no more counts as visible than before.
    """
    name = cursor.object_name
    updated, deleted = replies.get(f"updated{name}"), replies.get(f"deleted{name}")
    if updated is None or deleted is None:
        return Coverage(_untold(cursor, asked_at, lookback), told=False)
    refusals = [reply for reply in (updated, deleted) if not reply.ok]
    for_good = any(not refusal.is_transient for refusal in refusals)
    until = min(_covered(updated), asked_at) if updated.ok else _untold(cursor, asked_at, lookback, for_good=for_good)
    warning = _without(name, refusals[0].problem, lookback, for_good=for_good) if refusals else _gap(cursor, asked_at)
    if not deleted.ok:
        return Coverage(until, told=updated.ok, refused=for_good, warning=warning)
    gone = {entry["id"]: _moment(entry["deletedDate"]) for entry in deleted.body["deletedRecords"]}
    deleted_until = min(_covered(deleted), asked_at)
    return Coverage(until, updated.ok, gone, deleted_until, refused=for_good, warning=warning)


def _untold(cursor: SyncCursor, asked_at: datetime, lookback: timedelta, *, for_good: bool = False) -> datetime:
    never_told = for_good or not cursor.replicateable
    return asked_at - lookback if never_told or cursor.watermark is None else cursor.watermark


def _without(name: str, problem: str, lookback: timedelta, *, for_good: bool) -> str:
    if not for_good:
        return (
            f"This time the org did not answer /updated or /deleted for {name} ({problem}): the next poll reads the same"
            " rows again and asks for the same deletions."
        )
    return (
        f"The org does not answer /updated or /deleted for {name} ({problem}): each poll reads the last"
        f" {lookback.total_seconds() / 60:.0f} minutes again, and a purged record is found only by `reprise reconcile`."
    )


def _gap(cursor: SyncCursor, asked_at: datetime) -> str:
    if cursor.deleted_until is None or asked_at - cursor.deleted_until < DELETES_KEPT:
        return ""
    return (
        f"What was deleted of {cursor.object_name} was last asked on {cursor.deleted_until:%Y-%m-%d}; the org remembers"
        " deletes for 15 days only. Run `reprise reconcile` to find what was deleted before."
    )


def _covered(reply: Subreply) -> datetime:
    return _moment(reply.body["latestDateCovered"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
