"""One object under audit: how it is asked about, and what came of it. No HTTP, no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.mirror.audit import Span
from connector.mirror.tables import Mirrored, SyncCursor
from connector.org import soql

STAMPED = ("Id", "SystemModstamp")


@dataclass
class Subject:
    """One object under audit."""

    table: type[Mirrored]
    cursor: SyncCursor
    whole: Span
    visible: int = 0
    mirrored: int = 0
    alarm: bool = False
    missing: set[str] = field(default_factory=set)  # mirrored and not seen
    unknown: set[str] = field(default_factory=set)  # seen, and not mirrored or with another SystemModstamp
    compared_until: datetime | None = None  # what changed before this moment has been compared
    vanished: int = 0
    returned: int = 0

    def where(self, span: Span) -> list[str]:
        """The conditions of a span in SOQL."""
        conditions = [f"CreatedDate < {soql.instant(span.end)}"]
        if span.start is not None:
            conditions.append(f"CreatedDate >= {soql.instant(span.start)}")
        if self.cursor.since is not None:
            conditions.append(soql.at_or_after(self.cursor.since))
        return conditions

    @property
    def has_news(self) -> bool:
        """Whether something may have changed since the last audit that no audit compared."""
        return self.cursor.audited_until is None or self.cursor.audited_until < self.whole.end

    def changes(self) -> str:
        """The SELECT that lists what changed between the last audit and the watermark."""
        until = f"SystemModstamp < {soql.instant(self.whole.end)}"
        where = [soql.at_or_after(self.cursor.audited_until), until] if self.cursor.audited_until else [until]
        return soql.select(STAMPED, self.cursor.object_name, where, order_by=("SystemModstamp", "Id"))


def stamp(record: Mapping[str, Any]) -> datetime:
    """When a listed record last changed."""
    return datetime.fromisoformat(record["SystemModstamp"])
