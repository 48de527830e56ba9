"""Whether a resumed run really moved: proof is what is newer than the baseline that was saved before the call. Pure but
for reading the mirror.

An accepted write proves nothing: that writing Status resumes a run is documented nowhere, it may be accepted without
effect, and a reply may be lost although the write was applied. Only reading tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlmodel import col

from connector.mirror.tables import LogEntry, Run, Step
from monitor.ledger import AttemptOutcome
from monitor.sql import chunks
from monitor.story import ERROR

_RESUMED = {"ResumeInstance": "Resume Run", "StartInstance": "Start Run"}
"""Milestones of a resume: "Start Run" is logged when a run "started or was manually resumed" (Help, "Orchestration Run")."""
_FAILED = "FailInstance"


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step's API name, status and SystemModstamp."""

    name: str | None
    status: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class MilestoneSeen:
    """A log entry about the run itself: its Kind and Timestamp."""

    kind: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the mirror shows of one run at one moment; steps and milestones by Id. All instants are the org's own."""

    status: str
    changed_at: datetime
    gone: bool = False
    steps: Mapping[str, StepSeen] = field(default_factory=dict)
    milestones: Mapping[str, MilestoneSeen] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As the ledger stores it."""
        document: dict[str, Any] = _SNAPSHOT.dump_python(self, mode="json")
        return document

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Snapshot:
        """Read what `to_json` wrote."""
        return _SNAPSHOT.validate_python(document)


_SNAPSHOT = TypeAdapter(Snapshot)


def judge(before: Snapshot, after: Snapshot | None) -> tuple[AttemptOutcome | None, str]:
    """What became of a run since its baseline, and the evidence in a sentence; None while nothing is proven.

    1. A run that cannot be seen any more has VANISHED.
    2. It left Error, and a resume milestone or a step state is new: VERIFIED.
    3. It is in Error, and a failure as well as a resume is new (or, where the log cannot be read, the run and its steps
       were written anew): FAILED_AGAIN.
    4. Anything else proves nothing: a bare change of Status, or the old Error read once more.
    """
    if after is None or after.gone:
        return AttemptOutcome.VANISHED, "The run can no longer be seen: it was deleted, or is no longer shared with us."
    new = _new_milestones(before, after)
    resumed = sorted(label for kind, label in _RESUMED.items() if kind in new)
    moved = _moved_steps(before, after)
    proof = ", ".join([*(f"milestone {label}" for label in resumed), *moved])
    if after.status != ERROR:
        if proof:
            return AttemptOutcome.VERIFIED, f"Its status is {after.status}; new since the call: {proof}."
        return None, f"Status is {after.status}, but no milestone and no step state is new."
    if _failed_anew(before, after, new, proof):
        return AttemptOutcome.FAILED_AGAIN, "The run was resumed and failed again."
    return None, "The run is still in Error, with nothing newer than before the call."


def _new_milestones(before: Snapshot, after: Snapshot) -> set[str]:
    """Kinds of entries that the baseline did not have. An older one that only turned up late proves nothing."""
    newest = max((entry.at for entry in before.milestones.values() if entry.at), default=None)
    return {
        entry.kind
        for log_id, entry in after.milestones.items()
        if log_id not in before.milestones and (newest is None or entry.at is None or entry.at >= newest)
    }


def _moved_steps(before: Snapshot, after: Snapshot) -> list[str]:
    return [
        f"step {step.name or step_id} {step.status}"
        for step_id, step in after.steps.items()
        if step_id not in before.steps or step.status != before.steps[step_id].status
    ]


def _failed_anew(before: Snapshot, after: Snapshot, new: set[str], proof: str) -> bool:
    rewritten = after.changed_at > before.changed_at
    if _FAILED in new:
        return bool(proof) or rewritten
    touched = any(
        step.changed_at > before.steps[step_id].changed_at
        for step_id, step in after.steps.items()
        if step_id in before.steps
    )
    return not after.milestones and rewritten and (bool(proof) or touched)


def snapshots(engine: Engine, org_id: str, runs: Sequence[str]) -> dict[str, Snapshot]:
    """What the mirror shows of these runs now; a run that it does not have is missing from the answer."""
    found: dict[str, Snapshot] = {}
    with engine.connect() as connection:
        for chunk in chunks(runs):
            found |= _read(connection, org_id, chunk)
    return found


def _read(connection: Connection, org_id: str, runs: Sequence[str]) -> dict[str, Snapshot]:
    steps: dict[str, dict[str, StepSeen]] = {run: {} for run in runs}
    milestones: dict[str, dict[str, MilestoneSeen]] = {run: {} for run in runs}
    step_rows = select(col(Step.run_id), col(Step.id), col(Step.name), col(Step.status), col(Step.system_modstamp))
    for run, row_id, name, status, changed_at in connection.execute(step_rows.where(*_children(Step, org_id, runs))):
        steps[run][row_id] = StepSeen(name, status, changed_at)
    log_rows = select(col(LogEntry.run_id), col(LogEntry.id), col(LogEntry.kind), col(LogEntry.occurred_at))
    about_the_run = col(LogEntry.kind).in_((*_RESUMED, _FAILED))
    for run, row_id, kind, at in connection.execute(log_rows.where(about_the_run, *_children(LogEntry, org_id, runs))):
        milestones[run][row_id] = MilestoneSeen(kind, at)
    run_rows = select(col(Run.id), col(Run.status), col(Run.system_modstamp), col(Run.is_deleted), col(Run.vanished_at))
    mine = connection.execute(run_rows.where(col(Run.org_id) == org_id, col(Run.id).in_(runs)))
    return {
        run: Snapshot(status, changed_at, deleted or vanished is not None, steps[run], milestones[run])
        for run, status, changed_at, deleted, vanished in mine
    }


def _children(table: type[Step] | type[LogEntry], org_id: str, runs: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """The condition for the visible child rows of these runs."""
    return (
        col(table.org_id) == org_id,
        col(table.run_id).in_(runs),
        col(table.is_deleted).is_(False),
        col(table.vanished_at).is_(None),
    )
