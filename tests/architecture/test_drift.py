"""The schema that migrations build is the schema that the models declare."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import monitor.assess
import monitor.ledger
from connector.mirror import engine as mirror
from connector.mirror import tables

# Importing a module that declares tables puts them into SQLModel.metadata.
DECLARED_IN = (tables, monitor.assess, monitor.ledger)


def _is_declared(_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """All but the run numbers, which SQLite has by itself and only PostgreSQL's schema must add."""
    return (kind, name) not in {("column", "rowid"), ("unique_constraint", "run_rowid_key")}


COMPARED = {"compare_type": True, "compare_server_default": False, "include_object": _is_declared}


def test_models_and_migrations_agree(database_url: str) -> None:
    """A database migrated from nothing differs in no table, column, index or constraint from the models."""
    engine = mirror.open_mirror(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=COMPARED)
        differences: list[Any] = compare_metadata(context, SQLModel.metadata)
    engine.dispose()
    assert differences == []


def test_no_foreign_key_crosses_from_the_ledger_into_the_mirror() -> None:
    """The mirror can be dropped and fetched again, so no ledger table may reference one of its tables."""
    mirrored = {table.__tablename__ for table in tables.MIRRORED}
    crossing = [
        f"{table.name} -> {key.column.table.name}"
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_keys
        if (table.name in mirrored) != (key.column.table.name in mirrored)
    ]
    assert crossing == []
