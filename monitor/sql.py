"""Small things that every module with SQL needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import FromClause
from sqlmodel import SQLModel

Value = TypeVar("Value")
CHUNK = 2000
"""Values in one IN list; both databases take more."""


def table_of(model: type[SQLModel]) -> FromClause:
    """The Core table behind a model."""
    table: FromClause = model.__table__  # type: ignore[attr-defined]
    return table


def chunks(values: Iterable[Value], size: int = CHUNK) -> Iterator[list[Value]]:
    """The values in lists of at most `size`."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk
