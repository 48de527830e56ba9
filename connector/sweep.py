"""Reading one object from its watermark to its end: what to ask next, and how far the reading is safe. No HTTP, no SQL.

The rule that nothing is lost by: before the query runs, the org says up to which moment every change is visible
(`covered`). The sweep then reads everything from the watermark on; when it finishes, `covered` is the next watermark. A
change that was still in a transaction carries a later SystemModstamp than `covered`, so the next sweep reads it. For the
same reason only rows older than `covered` are a position to continue from: newer ones may have moved while we paged. A sweep
that a death interrupted goes on from there with what is covered then, for nothing can appear behind such a position.
A query that takes the org too long is asked again for fewer rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.mapping import Row
from connector.mirror.tables import Mirrored, SyncCursor
from connector.org import composite, soql
from connector.org.composite import Subreply, Subrequest

STALLED_AFTER = 3  # replies in a row without progress, after which one object is given up for this pass
LOST_LOCATOR = "INVALID_QUERY_LOCATOR"
QUERY_TIMEOUT = "QUERY_TIMEOUT"
NARROWER = {None: 2000, 2000: 200, 200: 200}  # rows that a query asks for at most, after one that took the org too long
SCHEMA_CODES = frozenset({"INVALID_FIELD", "INVALID_TYPE"})


@dataclass
class Tally:
    """What happened to one object in this pass."""

    read: int = 0
    upserted: int = 0
    deleted: int = 0
    quarantined: int = 0
    expected: int = 0  # rows that the org announced
    calls: int = 0
    seconds: float = 0.0


@dataclass
class Sweep:
    """One object being read. `only` bounds it to some runs, for which nothing is remembered."""

    table: type[Mirrored]
    cursor: SyncCursor
    fields: Sequence[str]
    only: str | None = None
    covered: datetime | None = None
    margin: timedelta | None = None  # the org did not tell what it covers; so much may still come late
    next_url: str | None = None
    done: bool = False
    problem: str = ""
    schema_changed: bool = False
    limit: int | None = None  # stays until the pass ends
    cut: bool = False  # the newest page ends at the limit, so there may be more rows
    whole: bool = False  # it is all that its query found: order and values are of one moment
    stalled: int = 0
    losses: int = 0
    lost_at: tuple[datetime | None, str | None] | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def name(self) -> str:
        """The object's name, which also names its subrequests."""
        return self.table.salesforce_object

    @property
    def active(self) -> bool:
        """Whether there is more to ask."""
        return self.cursor.readable and not self.done and not self.problem

    @property
    def is_from_the_start(self) -> bool:
        """Whether this sweep reads everything there is, or was since the first load's bound."""
        return self.cursor.watermark == self.cursor.since

    def requests(self, pages: int) -> list[Subrequest]:
        """Up to `pages` queries that read on from here."""
        if self.next_url is None:
            return [composite.query(f"{self.name}0", self.soql(), deleted_too=True)]
        return composite.pages(self.name, self.next_url, pages)

    def soql(self) -> str:
        """The SELECT that reads everything behind the committed position."""
        where = [] if self.only is None else [self.only]
        if self.cursor.position_at is not None and self.cursor.last_id is not None:
            where.append(soql.beyond(self.cursor.position_at, self.cursor.last_id))
        elif self.cursor.watermark is not None:
            where.append(soql.at_or_after(self.cursor.watermark))
        return soql.select(self.fields, self.name, where, order_by=("SystemModstamp", "Id"), limit=self.limit)

    def restart(self, since: datetime | None) -> None:
        """Read everything (from `since` on) again."""
        self.cursor.watermark = self.cursor.since = since
        self.cursor.position_at = self.cursor.last_id = self.next_url = None
        self.done = False

    def take(self, reply: Subreply) -> list[Mapping[str, Any]]:
        """The records of the next page, none if it did not come; notes where to go on."""
        self.cut = False
        if self.done:
            return []  # the reference behind the last page has no value
        if not reply.ok:
            self._stumble(reply)
            return []
        self._note_total(reply.body)
        self.stalled = 0
        ended = bool(reply.body["done"])
        self.whole = ended and self.next_url is None
        self.cut = ended and self.limit is not None and int(reply.body["totalSize"]) >= self.limit
        self.done = ended and not self.cut
        self.next_url = None if ended else reply.body["nextRecordsUrl"]
        records: list[Mapping[str, Any]] = reply.body["records"]
        self.tally.read += len(records)
        return records

    def committed_to(self, rows: Sequence[Row]) -> None:
        """These rows are about to be committed: move the position behind the last one that cannot have moved."""
        until = self._visible_until(rows)
        stable = next((row for row in reversed(rows) if until is not None and row["system_modstamp"] < until), None)
        if self.cut:
            self._end_window(rows, stable)
        if stable is not None:
            self.cursor.position_at, self.cursor.last_id = stable["system_modstamp"], stable["id"]
        if self.done:
            self.cursor.watermark = until
            self.cursor.position_at = self.cursor.last_id = None
            self.cursor.loaded = True

    def _visible_until(self, rows: Sequence[Row]) -> datetime | None:
        """Up to when everything was visible. Where the org does not tell, its clock is not believed beyond its newest row.

        A Date header that runs ahead would otherwise carry the watermark past rows that nobody has read.
        """
        if self.margin is None or self.covered is None:
            return self.covered
        if not rows:
            return self.cursor.position_at or self.cursor.watermark
        newest: datetime = rows[-1]["system_modstamp"]
        return min(self.covered, newest - self.margin)

    def _end_window(self, rows: Sequence[Row], stable: Row | None) -> None:
        """The next query begins behind the position, so one that does not move it must have been the last."""
        if self.whole and rows and rows[-1] is not stable:
            self.done = True  # it reached beyond what is covered: everything older has been read
        elif stable is None:
            self.problem = f"{self.name} was not read to its end (none of the next {self.limit} rows could be mapped)."

    def _note_total(self, page: Mapping[str, Any]) -> None:
        if self.next_url is None:
            self.tally.expected = self.tally.read + int(page.get("totalSize", 0))

    def _stumble(self, reply: Subreply) -> None:
        """A page did not come. A dead locator is no loss: the committed position is a place to query from again."""
        if reply.code == LOST_LOCATOR:
            self.next_url = None
            self._count_loss()
        elif reply.ref == f"{self.name}0":  # else only the reference to the page before it had no effect
            self.schema_changed = reply.code in SCHEMA_CODES
            self.stalled += 1
            if reply.code == QUERY_TIMEOUT:
                self.limit, self.next_url = NARROWER[self.limit], None
        if max(self.stalled, self.losses) >= STALLED_AFTER:
            self.problem = f"{self.name} was not read to its end ({reply.problem})."

    def _count_loss(self) -> None:
        """Locators may die as often as they like while the position moves."""
        position = (self.cursor.position_at, self.cursor.last_id)
        self.losses = self.losses + 1 if position == self.lost_at else 1
        self.lost_at = position
