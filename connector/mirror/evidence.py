"""Which failed runs need evidence, what it hangs on, and what is known of it already: the SQL behind connector.evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_model

from connector.mirror import state
from connector.mirror.tables import (
    CalledFlow,
    ChangedRun,
    EvidenceCheck,
    Interview,
    LogEntry,
    Person,
    Run,
    Step,
    WorkItem,
)
from connector.mirror.upsert import CHUNK, chunks

M = TypeVar("M", bound=SQLModel)

EVERYTHING = "*"  # the subject of the repeated look
GAP = "!"  # how the subject of something that could not be read begins
STILL_MATTERS = timedelta(days=15)  # a run can be resumed for 14 days (Help: Orchestration Run)
HALTED = ("Error", "Discontinued")  # steps that a resume would take up again


@dataclass
class Subjects:
    """What to ask about. Versions are (orchestration, version) pairs whose metadata nobody has read yet."""

    runs: set[str] = field(default_factory=set)
    interviews: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    usernames: set[str] = field(default_factory=set)
    teams: set[str] = field(default_factory=set)
    flows: set[str] = field(default_factory=set)
    versions: set[tuple[str, int]] = field(default_factory=set)


def unchecked_runs(connection: Connection, org_id: str) -> set[str]:
    """Failed runs that nobody looked into since they last changed, themselves or below them."""
    checked = exists().where(
        col(EvidenceCheck.org_id) == col(Run.org_id),
        col(EvidenceCheck.subject) == col(Run.id),
        col(EvidenceCheck.checked_at) >= col(Run.system_modstamp),
    )
    changed = exists().where(col(ChangedRun.org_id) == col(Run.org_id), col(ChangedRun.run_id) == col(Run.id))
    changed = changed.where(col(ChangedRun.evidence_due))
    return set(connection.scalars(select(col(Run.id)).where(_failed(org_id), or_(~checked, changed))))


def watched_runs(connection: Connection, org_id: str, now: datetime) -> set[str]:
    """Failed runs that may still be saved."""
    recent = col(Run.system_modstamp) >= now - STILL_MATTERS
    return set(connection.scalars(select(col(Run.id)).where(_failed(org_id), recent)))


def last_look(connection: Connection, org_id: str) -> datetime | None:
    """When everything that failed runs depend on was last looked at."""
    return connection.scalar(
        select(col(EvidenceCheck.checked_at)).where(
            col(EvidenceCheck.org_id) == org_id, col(EvidenceCheck.subject) == EVERYTHING
        )
    )


def gaps(connection: Connection, org_id: str) -> dict[str, datetime]:
    """What could not be read, as `replace_gaps` was given it, and when it was last asked for."""
    rows = connection.execute(select(col(EvidenceCheck.subject), col(EvidenceCheck.checked_at)).where(_of_gaps(org_id)))
    return {subject.removeprefix(GAP): checked_at for subject, checked_at in rows}


def replace_gaps(connection: Connection, org_id: str, found: Mapping[str, datetime]) -> None:
    """These gaps are all that there are."""
    connection.execute(delete(EvidenceCheck).where(_of_gaps(org_id)))
    checks = [EvidenceCheck(org_id=org_id, subject=GAP + gap, checked_at=at) for gap, at in found.items()]
    state.store(connection, *checks)


def _of_gaps(org_id: str) -> ColumnElement[bool]:
    return and_(col(EvidenceCheck.org_id) == org_id, col(EvidenceCheck.subject).startswith(GAP))


def _failed(org_id: str) -> ColumnElement[bool]:
    return and_(
        col(Run.org_id) == org_id,
        col(Run.status) == "Error",
        col(Run.is_deleted).is_(False),
        col(Run.vanished_at).is_(None),
    )


def subjects(connection: Connection, org_id: str, run_ids: Collection[str]) -> Subjects:
    """What these runs hang on, as far as the mirror knows."""
    found = Subjects(runs=set(run_ids))
    for chunk in chunks(sorted(run_ids), CHUNK):
        _add_interviews(connection, org_id, chunk, found)
        _add_steps(connection, org_id, chunk, found)
        _add_log(connection, org_id, chunk, found)
    return found


def _add_interviews(connection: Connection, org_id: str, run_ids: list[str], found: Subjects) -> None:
    of_runs = and_(col(Run.org_id) == org_id, col(Run.id).in_(run_ids), col(Run.interview_id).is_not(None))
    found.interviews.update(filter(None, connection.scalars(select(col(Run.interview_id)).where(of_runs))))


def _add_steps(connection: Connection, org_id: str, run_ids: list[str], found: Subjects) -> None:
    halted = and_(col(Step.org_id) == org_id, col(Step.run_id).in_(run_ids), col(Step.status).in_(HALTED))
    found.steps.update(connection.scalars(select(col(Step.id)).where(halted)))
    same = and_(col(WorkItem.org_id) == col(Step.org_id), col(WorkItem.step_id) == col(Step.id))
    items = connection.execute(
        select(col(WorkItem.assignee_id), col(WorkItem.screen_flow)).join(Step, same).where(halted)
    )
    for assignee, flow in items:
        if assignee:
            (found.teams if assignee.startswith("00G") else found.users).add(assignee)
        if flow:
            found.flows.add(flow)


def _add_log(connection: Connection, org_id: str, run_ids: list[str], found: Subjects) -> None:
    """Versions, and assignees of steps that failed before a work item was made: only the log names those."""
    of_runs = and_(col(LogEntry.org_id) == org_id, col(LogEntry.run_id).in_(run_ids))
    entries = select(
        col(LogEntry.orchestration), col(LogEntry.version), col(LogEntry.assignee), col(LogEntry.assignee_type)
    )
    for orchestration, version, assignee, assignee_type in connection.execute(entries.where(of_runs).distinct()):
        if orchestration and version is not None:
            found.versions.add((orchestration, version))
        if assignee and assignee_type == "User":
            found.usernames.add(assignee)


def sees_interviews(connection: Connection, org_id: str) -> bool:
    """Whether we are shown any interview at all. They are shared record by record, so one that is not found may be hidden."""
    visible = select(col(Interview.id)).where(col(Interview.org_id) == org_id, col(Interview.present)).limit(1)
    return connection.scalar(visible) is not None


def unread_versions(connection: Connection, org_id: str, versions: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those versions whose metadata nobody has read."""
    wanted = {version_subject(*version): version for version in versions}
    checks = select(col(EvidenceCheck.subject)).where(
        col(EvidenceCheck.org_id) == org_id, col(EvidenceCheck.subject).in_(wanted)
    )
    read = set(connection.scalars(checks)) if wanted else set()
    return [wanted[subject] for subject in sorted(wanted.keys() - read)]


def version_subject(orchestration: str, version: int) -> str:
    """How a check names an orchestration version."""
    return f"{orchestration}:{version}"


def called_flows(connection: Connection, org_id: str, versions: Iterable[tuple[str, int]]) -> set[str]:
    """The flows that steps of these versions call, as far as their metadata could be read."""
    same = [
        and_(col(CalledFlow.orchestration) == orchestration, col(CalledFlow.version) == version)
        for orchestration, version in versions
    ]
    if not same:
        return set()
    return set(
        connection.scalars(select(col(CalledFlow.action_name)).where(col(CalledFlow.org_id) == org_id, or_(*same)))
    )


def people_named(connection: Connection, org_id: str, usernames: Collection[str]) -> dict[str, str]:
    """Username to Id of the people who are known already."""
    found: dict[str, str] = {}
    for chunk in chunks(usernames, CHUNK):
        rows = select(col(Person.username), col(Person.id)).where(
            col(Person.org_id) == org_id, col(Person.username).in_(chunk)
        )
        found.update({str(username): person_id for username, person_id in connection.execute(rows)})
    return found


def stored(connection: Connection, model: type[M], org_id: str, key: str, values: Iterable[str]) -> list[M]:
    """The rows of an evidence table whose `key` is one of the values."""
    found: list[M] = []
    with Session(bind=connection) as session:
        for chunk in chunks(values, CHUNK):
            rows = session.exec(
                select_model(model).where(_column(model, "org_id") == org_id, _column(model, key).in_(chunk))
            )
            found += rows.all()
        session.expunge_all()
    return found


def _column(model: type[SQLModel], name: str) -> ColumnElement[str]:
    column: ColumnElement[str] = getattr(model, name)
    return column
