"""Rows as JSON documents, whose names are promises to scripts. The schemas are in docs/schemas/, one per document.

Instants are ISO 8601 in UTC with a Z; lengths of time are whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from monitor.reasons import Reason
from monitor.rows import CauseGroup, RunDetail, RunPage

SCHEMA_VERSION = 1

Document = dict[str, Any]


def runs(page: RunPage) -> Document:
    """What `reprise runs --json` prints."""
    return _document(as_of=page.as_of, total=page.total, runs=page.runs)


def run(detail: RunDetail, as_of: datetime | None) -> Document:
    """What `reprise show --json` prints: the run's line with everything beneath it."""
    beneath = {each.name: getattr(detail, each.name) for each in fields(detail) if each.name != "line"}
    return _document(as_of=as_of, run={**_plain(detail.line), **_plain(beneath)})


def groups(found: Iterable[CauseGroup], as_of: datetime | None) -> Document:
    """What `reprise groups --json` prints."""
    listed = list(found)
    return _document(as_of=as_of, total=len(listed), groups=listed)


def explain(found: Iterable[Reason]) -> Document:
    """What `reprise explain --json` prints."""
    return _document(reasons=list(found))


def _document(**parts: Any) -> Document:
    return {"schema_version": SCHEMA_VERSION, **{name: _plain(part) for name, part in parts.items()}}


def _plain(value: Any) -> Any:
    """A value in JSON's own types."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return _instant(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value


def _instant(moment: datetime) -> str:
    precision = "microseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"
