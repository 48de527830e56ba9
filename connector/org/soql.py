"""Builds SELECT statements and quotes their literals. Pure; the only place where SOQL is put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

# SOQL and SOSL Reference: "Quoted String Escape Sequences".
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"})


def literal(value: str | bool | int | datetime | None) -> str:
    """A value as SOQL writes it. Raises ValueError for a datetime without time zone."""
    match value:
        case None:
            return "null"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value)
        case datetime():
            return instant(value)
        case str():
            return f"'{value.translate(_ESCAPES)}'"


def instant(value: datetime) -> str:
    """A dateTime literal in UTC, to the millisecond where it has one."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    precision = "milliseconds" if value.microsecond else "seconds"
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def select(
    fields: Iterable[str],
    object_name: str,
    where: Sequence[str] = (),
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """A SELECT statement; the conditions of `where` must all hold."""
    parts = [f"SELECT {', '.join(fields)} FROM {object_name}"]
    if where:
        parts.append("WHERE " + " AND ".join(where))
    if order_by:
        parts.append("ORDER BY " + ", ".join(order_by))
    if limit is not None:
        parts.append(f"LIMIT {limit}")
    return " ".join(parts)


def one_of(field: str, values: Iterable[str]) -> str:
    """`field IN (...)`. Raises ValueError for no values: SOQL has no empty list."""
    quoted = ", ".join(literal(value) for value in values)
    if not quoted:
        raise ValueError(f"nothing to look for in {field}")
    return f"{field} IN ({quoted})"


def at_or_after(moment: datetime) -> str:
    """Everything that changed at this moment or later. Inclusive: many records share a second."""
    return f"SystemModstamp >= {instant(moment)}"


def beyond(moment: datetime, record_id: str) -> str:
    """Everything behind one record in the order (SystemModstamp, Id)."""
    at = instant(moment)
    return f"(SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > {literal(record_id)}))"
