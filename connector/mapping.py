"""Salesforce's JSON into rows, through the field classes. Pure: a record that does not fit is returned, never lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from connector.mirror.tables import Mirrored, MirroredFields, field_class

Row = dict[str, Any]
"""Column name to value, without what the mirror adds."""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be mapped, and why."""

    record_id: str
    problem: str
    raw: Mapping[str, Any]


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
    fields: dict[str, Any] = {name: (info.annotation, info) for name, info in field_class(table).model_fields.items()}
    validate: Callable[[Mapping[str, Any]], BaseModel]
    validate = create_model(f"{table.__name__}Record", **fields).__pydantic_validator__.validate_python
    return validate


def _bad(record: Mapping[str, Any], misfit: ValidationError) -> BadRecord:
    problems = (f"{'.'.join(map(str, error['loc'])) or 'record'}: {error['msg']}" for error in misfit.errors())
    return BadRecord(str(record.get("Id") or "no Id"), "; ".join(problems), record)


def fields_of(table: type[Mirrored]) -> dict[str, str]:
    """Salesforce field name to column name, in the order declared."""
    return {info.alias or name: name for name, info in _declared(table)}


def required_fields(table: type[Mirrored]) -> frozenset[str]:
    """The Salesforce fields without which a record of this object says nothing."""
    return frozenset(info.alias or name for name, info in _declared(table) if info.is_required())


def _declared(table: type[Mirrored]) -> Iterable[tuple[str, Any]]:
    declared: type[MirroredFields] = field_class(table)
    return declared.model_fields.items()
