"""Salesforce's JSON into rows, through the field classes. Pure: a record that does not fit is returned, never lost.

What passes can be stored by SQLite and PostgreSQL alike: a value that only one of them takes does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, create_model

from connector.mirror.quarantine import NO_ID
from connector.mirror.tables import Mirrored, MirroredFields, field_class
from connector.mirror.upsert import sql_table

Row = dict[str, Any]
"""Column name to value, without what the mirror adds."""

# SOQL and SOSL Reference: Date Formats, "Minimum and Maximum Dates". So far from what Python can count, days can be added.
EARLIEST, LATEST = datetime(1700, 1, 1, tzinfo=UTC), datetime(4000, 12, 31, tzinfo=UTC)
Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]  # PostgreSQL's integer
Key = Annotated[str, Field(max_length=255)]  # an index entry of PostgreSQL has 2,704 bytes, for two of them and more

RECORD_ID = re.compile(r"[A-Za-z0-9]{15,18}")


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be mapped, and why. Without a usable Id, `record_id` tells it apart from others of its kind."""

    record_id: str
    problem: str
    raw: Mapping[str, Any]

    @property
    def is_deleted(self) -> bool:
        """Whether the org says that it was deleted."""
        return self.raw.get("IsDeleted") is True


@dataclass(frozen=True, slots=True)
class Mapped:
    """One page of records as rows, and those that did not fit."""

    rows: list[Row] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)


def map_records(table: type[Mirrored], records: Iterable[Mapping[str, Any]]) -> Mapped:
    """Validate each record by the table's field class. Absent fields become None."""
    validate = _validator(table)
    mapped = Mapped()
    for record in records:
        try:
            mapped.rows.append(validate(record).__dict__)
        except ValidationError as misfit:
            mapped.bad.append(_bad(record, misfit))
    return mapped


@lru_cache
def _validator(table: type[Mirrored]) -> Callable[[Mapping[str, Any]], BaseModel]:
    """The field class's rules on a plain pydantic model: SQLModel's own constructor would triple the time of a first load."""
    keys = {column.name for index in sql_table(table).indexes for column in index.columns}
    fields: dict[str, Any] = {
        name: (_storable(info.annotation, is_key=name in keys), info) for name, info in _declared(table)
    }
    validate: Callable[[Mapping[str, Any]], BaseModel]
    validate = create_model(f"{table.__name__}Record", **fields).__pydantic_validator__.validate_python
    return validate


def _storable(annotation: Any, *, is_key: bool) -> Any:
    """A declared type, cut to what both stores take."""
    if is_key and annotation in (str, str | None):
        return Key if annotation is str else Key | None
    cut = {AwareDatetime: Moment, AwareDatetime | None: Moment | None, int | None: Integer | None}
    return cut.get(annotation, annotation)


def _bad(record: Mapping[str, Any], misfit: ValidationError) -> BadRecord:
    problems = (f"{'.'.join(map(str, error['loc'])) or 'record'}: {error['msg']}" for error in misfit.errors())
    return BadRecord(_record_id(record), "; ".join(problems), record)


def _record_id(record: Mapping[str, Any]) -> str:
    found = record.get("Id")
    if isinstance(found, str) and RECORD_ID.fullmatch(found):
        return found
    return f"{NO_ID}{sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]}"


def fields_of(table: type[Mirrored]) -> dict[str, str]:
    """Salesforce field name to column name, in the order declared."""
    return {info.alias or name: name for name, info in _declared(table)}


def required_fields(table: type[Mirrored]) -> frozenset[str]:
    """The Salesforce fields without which a record of this object says nothing."""
    return frozenset(info.alias or name for name, info in _declared(table) if info.is_required())


def _declared(table: type[Mirrored]) -> Iterable[tuple[str, Any]]:
    declared: type[MirroredFields] = field_class(table)
    return declared.model_fields.items()
