"""What the org says about its own completeness: `/updated` for the moment everything is visible up to, `/deleted` for deletes.

Pure. Both resources take windows of whole minutes and ignore seconds (REST API guide: Get Updated, Get Deleted). The Ids
that `/updated` lists are not needed, so its window is as short as it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.mirror.tables import SyncCursor
from connector.org import composite
from connector.org.composite import Subreply, Subrequest

SHORTEST = timedelta(minutes=2)  # start and end must be more than a minute apart
DELETES_KEPT = timedelta(days=15) - timedelta(hours=1)  # the org answers for 15 days; an hour for clocks and queues
UNCERTAINTY = timedelta(seconds=2)  # of our idea of the org's clock


@dataclass(frozen=True, slots=True)
class Coverage:
    """Up to which moment everything was visible when the queries began, and what was deleted since the watermark."""

    until: datetime
    deleted: Sequence[str] = ()
    warning: str = ""
    refused: bool = False  # the org does not answer for this object; do not ask at each poll
    told: bool = True  # False: `until` is a guess by the clock


def windows(cursors: Sequence[SyncCursor], now: datetime) -> list[Subrequest]:
    """The questions for every object that the org answers them for. `now` is the org's time."""
    end = _minute(now - UNCERTAINTY)
    start = end - SHORTEST
    asked = [cursor for cursor in cursors if cursor.readable and cursor.replicateable]
    updated = [composite.updated(f"updated{c.object_name}", c.object_name, start, end) for c in asked]
    deleted = [composite.deleted(f"deleted{c.object_name}", c.object_name, _deletes_from(c, start), end) for c in asked]
    return updated + deleted


def _deletes_from(cursor: SyncCursor, latest: datetime) -> datetime:
    if cursor.watermark is None:
        return latest
    return _minute(min(max(cursor.watermark, latest - DELETES_KEPT), latest))


def coverage(cursor: SyncCursor, replies: Mapping[str, Subreply], asked_at: datetime, lookback: timedelta) -> Coverage:
    """What the replies say about one object. `asked_at` is the org's time just before it ran the queries.

    Where the org does not tell, everything older than `lookback` is taken as visible: Salesforce ends a transaction after
    about ten minutes.
    """
    name = cursor.object_name
    updated, deleted = replies.get(f"updated{name}"), replies.get(f"deleted{name}")
    guess = asked_at - lookback
    if updated is None or deleted is None:
        return Coverage(guess, told=False)
    if not (updated.ok and deleted.ok):
        refused = deleted if updated.ok else updated
        return Coverage(
            guess,
            _ids(deleted),
            _without(name, refused.problem, lookback),
            refused=not refused.is_transient,
            told=False,
        )
    until = min(_covered(updated), _covered(deleted), asked_at)
    return Coverage(until, _ids(deleted), _gap(cursor, asked_at))


def _without(name: str, problem: str, lookback: timedelta) -> str:
    return (
        f"The org does not answer /updated or /deleted for {name} ({problem}): each poll reads the last"
        f" {lookback.total_seconds() / 60:.0f} minutes again, and a purged record is found only by `reprise reconcile`."
    )


def _gap(cursor: SyncCursor, asked_at: datetime) -> str:
    if cursor.watermark is None or asked_at - cursor.watermark < DELETES_KEPT:
        return ""
    return (
        f"{cursor.object_name} was last read on {cursor.watermark:%Y-%m-%d}; the org remembers deletes for 15 days only."
        " Run `reprise reconcile` to find what was deleted before."
    )


def _covered(reply: Subreply) -> datetime:
    return datetime.fromisoformat(reply.body["latestDateCovered"]).astimezone(UTC)


def _ids(reply: Subreply) -> list[str]:
    return [entry["id"] for entry in reply.body["deletedRecords"]] if reply.ok else []


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
