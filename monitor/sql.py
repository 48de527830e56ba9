"""Small things that every module with SQL needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Boolean, ColumnElement, FromClause, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
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


def escaped(text: str) -> str:
    """A text that LIKE takes literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


class AnyCaseLike(ColumnElement[bool]):
    """`LIKE` whatever the case: SQLite's is so for ASCII by itself, and three times faster than lower() on both sides."""

    type = Boolean()
    inherit_cache = False

    def __init__(self, column: ColumnElement[str], pattern: str) -> None:
        self.column = column
        self.pattern = literal(pattern)


@compiles(AnyCaseLike)
def _any_case_like(element: AnyCaseLike, compiler: SQLCompiler, **options: Any) -> str:
    word = "ILIKE" if compiler.dialect.name == "postgresql" else "LIKE"
    column, pattern = compiler.process(element.column, **options), compiler.process(element.pattern, **options)
    return f"{column} {word} {pattern} ESCAPE '\\'"
