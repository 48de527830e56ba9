"""The runs that changed and wait to be judged, each noted in the transaction of its change: no crash can lose one.

Write transactions take turns (`engine.writing`), so whoever takes the queue sees every change behind what it took.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, false, func, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from connector.mirror.tables import ChangedRun, Run

KEY = ("org_id", "run_id")


def note(connection: Connection, org_id: str, run_ids: Collection[str]) -> None:
    """These runs changed: they wait to be judged, and those that failed for their evidence as well."""
    if run_ids:
        rows = [{"org_id": org_id, "run_id": run_id, "evidence_due": True} for run_id in run_ids]
        new = _insert(connection)
        connection.execute(new.on_conflict_do_update(index_elements=KEY, set_={"evidence_due": true()}), rows)


def note_judgement(connection: Connection, org_id: str, run_ids: Collection[str]) -> None:
    """What is known of these runs changed and not they themselves: they wait to be judged."""
    if run_ids:
        rows = [{"org_id": org_id, "run_id": run_id, "evidence_due": False} for run_id in run_ids]
        connection.execute(_insert(connection).on_conflict_do_nothing(), rows)


def note_all(connection: Connection, org_id: str) -> None:
    """Something changed for every run of an org."""
    runs = select(col(Run.org_id), col(Run.id), true()).where(col(Run.org_id) == org_id)
    new = _insert(connection).from_select([*KEY, "evidence_due"], runs)
    connection.execute(new.on_conflict_do_update(index_elements=KEY, set_={"evidence_due": true()}))


def note_evidence(connection: Connection, org_id: str) -> None:
    """The evidence of every run that failed has been asked for."""
    due = update(ChangedRun).where(col(ChangedRun.org_id) == org_id, col(ChangedRun.evidence_due))
    connection.execute(due.values(evidence_due=false()))


def count(connection: Connection, org_id: str) -> int:
    """How many runs wait to be judged."""
    waiting = select(func.count()).select_from(ChangedRun).where(col(ChangedRun.org_id) == org_id)
    return connection.execute(waiting).scalar_one()


def take(connection: Connection, org_id: str) -> set[str]:
    """The runs that wait, which the caller judges in the same transaction; those whose evidence is still due go on waiting."""
    of_org = col(ChangedRun.org_id) == org_id
    waiting = set(connection.scalars(select(col(ChangedRun.run_id)).where(of_org)))
    if waiting:
        connection.execute(delete(ChangedRun).where(of_org, ~col(ChangedRun.evidence_due)))
    return waiting


def _insert(connection: Connection) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(ChangedRun) if connection.dialect.name == "sqlite" else postgresql.insert(ChangedRun)
