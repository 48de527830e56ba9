"""What failed runs depend on beside the five objects: interviews, assignees, called flows, approvals, pending outputs.

Asked only for runs in Error: at once when one fails or changes, and for all that may still be saved every few minutes, in one
composite call. What the org refuses is a warning that says what is lost by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

from connector.errors import OrgRefused, PermissionDenied
from connector.mirror import changes, state
from connector.mirror import evidence as mirrored
from connector.mirror.engine import writing
from connector.mirror.tables import (
    ApprovalLink,
    CalledFlow,
    EvidenceCheck,
    FlowVersion,
    Interview,
    Person,
    StepEvidence,
)
from connector.org import soql
from connector.org.client import OrgClient
from connector.settings import SyncSettings
from connector.topics import (
    APPROVALS,
    FLOWS,
    INTERVIEWS,
    LOGINS,
    OUTPUTS,
    TEAMS,
    USERS,
    USERS_BY_NAME,
    Record,
    Topic,
    ask,
)

NO_ACTIVE_VERSION = ""


def gather(client: OrgClient, engine: Engine, org_id: str, settings: SyncSettings) -> list[str]:
    """Bring the evidence up to date; sentences about what could not be asked. Costs nothing while nothing failed."""
    now = client.now()
    with engine.connect() as connection:
        fresh = mirrored.unchecked_runs(connection, org_id)
        watched = mirrored.watched_runs(connection, org_id, now)
        last = mirrored.last_look(connection, org_id)
        due = bool(watched) and (last is None or now - last >= settings.evidence_every)
        about = mirrored.subjects(connection, org_id, fresh | watched if due else fresh)
        new = mirrored.subjects(connection, org_id, fresh) if due else about
    if not about.runs:
        with writing(engine) as connection:
            changes.note_evidence(connection, org_id)
        return []
    look = _Look(client, engine, org_id, now)
    look.read_versions(about.versions)
    look.ask(about, new)
    look.finish(fresh, due=due)
    return look.warnings


class _Look:
    """One look at the evidence while it goes on."""

    def __init__(self, client: OrgClient, engine: Engine, org_id: str, now: datetime) -> None:
        self.client, self.engine, self.org_id, self.now = client, engine, org_id, now
        self.warnings: list[str] = []
        self.changed = False

    def read_versions(self, versions: Iterable[tuple[str, int]]) -> None:
        """Learn from metadata which flows the steps of orchestration versions call; tried once for each version."""
        with self.engine.connect() as connection:
            unread = mirrored.unread_versions(connection, self.org_id, versions)
        if not unread:
            return
        found: list[CalledFlow] = []
        try:
            for orchestration, version, flow_id in self._flow_versions(unread):
                # Tooling API: metadata can be read of one record at a time only.
                metadata = (self.client.get(f"tooling/sobjects/Flow/{flow_id}") or {}).get("Metadata") or {}
                found += called_flows(self.org_id, orchestration, version, metadata, self.now)
        except (OrgRefused, PermissionDenied) as refused:
            self.warnings.append(
                f"Which flows the steps call cannot be read ({refused.what}), so whether one was fixed is known only for"
                " screen flows. Give the integration user View Setup and Configuration."
            )
        self._keep(found, [self._check(mirrored.version_subject(*version)) for version in unread])

    def _flow_versions(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, int, str]]:
        """(orchestration, version, Id of that flow version) of those that the org still has."""
        names = sorted({orchestration for orchestration, _ in wanted})
        text = soql.select(
            ("Id", "VersionNumber", "Definition.DeveloperName"),
            "Flow",
            [soql.one_of("Definition.DeveloperName", names)],
        )
        rows = [
            (row["Definition"]["DeveloperName"], row["VersionNumber"], row["Id"])
            for row in self.client.tooling_query(text)
        ]
        return [row for row in rows if row[:2] in wanted]

    def ask(self, about: mirrored.Subjects, new: mirrored.Subjects) -> None:
        """Ask about everything in as few calls as possible. What never changes is asked for `new` only."""
        with self.engine.connect() as connection:
            known = mirrored.people_named(connection, self.org_id, about.usernames)
            flows = about.flows | mirrored.called_flows(connection, self.org_id, about.versions)
        users = about.users | set(known.values())
        answers = self._ask(
            [
                (INTERVIEWS, about.interviews),
                (USERS, users),
                (LOGINS, users),
                (FLOWS, flows),
                (OUTPUTS, new.steps),
                (APPROVALS, new.runs),
                (TEAMS, new.teams),
                (USERS_BY_NAME, about.usernames - known.keys()),
            ]
        )
        newcomers = {record["Id"] for record in answers.get(USERS_BY_NAME, ())}
        late = self._ask([(LOGINS, newcomers - users)])
        logins = [*answers.get(LOGINS, ()), *late.get(LOGINS, ())] if LOGINS in answers or LOGINS in late else None
        with writing(self.engine) as connection:
            self._note_interviews(connection, about.interviews, answers.get(INTERVIEWS))
            people = [*answers.get(USERS, ()), *answers.get(USERS_BY_NAME, ())]
            self._note_people(connection, people, logins)
            self._note_flows(connection, answers.get(FLOWS, ()))
            state.store(connection, *self._outputs(answers.get(OUTPUTS, ())))
            state.store(connection, *self._approvals(answers.get(APPROVALS, ())), *self._teams(answers.get(TEAMS, ())))
            changes.note_judgement(connection, self.org_id, about.runs if self.changed else new.runs)

    def finish(self, fresh: Iterable[str], *, due: bool) -> None:
        """Note what need not be asked again."""
        checks = [self._check(run_id) for run_id in fresh] + [self._check(mirrored.EVERYTHING)] * due
        with writing(self.engine) as connection:
            state.store(connection, *checks)
            changes.note_evidence(connection, self.org_id)

    def _ask(self, asked: Sequence[tuple[Topic, Collection[str]]]) -> dict[Topic, list[Record]]:
        answers, warnings = ask(self.client, asked)
        self.warnings += warnings
        return answers

    def _note_interviews(self, connection: Connection, asked: Iterable[str], records: Iterable[Record] | None) -> None:
        """An interview that is not found is gone, and keeps what was last known of it."""
        if records is None:
            return
        found = {record["Id"]: record for record in records}
        before = {row.id: row for row in mirrored.stored(connection, Interview, self.org_id, "id", asked)}
        for interview_id in sorted(asked):
            row = before.get(interview_id) or Interview(
                org_id=self.org_id, id=interview_id, present=False, checked_at=self.now
            )
            was = (row.present, row.status, row.error)
            row.present, row.checked_at = interview_id in found, self.now
            if interview_id in found:
                record = found[interview_id]
                row.status, row.error = record.get("InterviewStatus"), record.get("Error")
                row.current_element = record.get("CurrentElement")
            self.changed |= was != (row.present, row.status, row.error)
            state.store(connection, row)

    def _note_people(self, connection: Connection, users: Sequence[Record], logins: Iterable[Record] | None) -> None:
        """`logins` is None where UserLogin cannot be read: whether somebody is frozen is then unknown."""
        frozen = None if logins is None else {login["UserId"]: bool(login["IsFrozen"]) for login in logins}
        ids = [user["Id"] for user in users]
        before = {row.id: row for row in mirrored.stored(connection, Person, self.org_id, "id", ids)}
        for user in users:
            old = before.get(user["Id"])
            row = Person(
                org_id=self.org_id,
                id=user["Id"],
                kind="User",
                name=user.get("Name"),
                username=user.get("Username"),
                is_active=user.get("IsActive"),
                is_frozen=None if frozen is None else frozen.get(user["Id"]),
                changed_at=old.changed_at if old else None,
                checked_at=self.now,
            )
            if old is None or (old.is_active, old.is_frozen) != (row.is_active, row.is_frozen):
                row.changed_at = self.now if old else None
                self.changed = True
            state.store(connection, row)

    def _note_flows(self, connection: Connection, records: Iterable[Record]) -> None:
        """One row for each active version seen. A version that becomes active again is seen anew."""
        current = {record["ApiName"]: record for record in records}
        rows = mirrored.stored(connection, FlowVersion, self.org_id, "api_name", current)
        active = {row.api_name: row for row in rows if row.is_current}
        for api_name, record in current.items():
            version_id = record.get("ActiveVersionId") or NO_ACTIVE_VERSION
            row = active.get(api_name)
            if row is None or row.active_version_id != version_id:
                self.changed = True
                if row is not None:
                    row.is_current = False
                    state.store(connection, row)
                row = FlowVersion(
                    org_id=self.org_id, api_name=api_name, active_version_id=version_id, first_seen_at=self.now
                )
            row.version_number = record.get("VersionNumber")
            row.last_modified_at = _moment(record.get("LastModifiedDate"))
            state.store(connection, row)

    def _outputs(self, records: Iterable[Record]) -> Iterable[StepEvidence]:
        for record in records:
            pending = bool(record["InProgressStepOutputs"]) if "InProgressStepOutputs" in record else None
            yield StepEvidence(
                org_id=self.org_id, step_id=record["Id"], has_pending_outputs=pending, checked_at=self.now
            )

    def _approvals(self, records: Iterable[Record]) -> Iterable[ApprovalLink]:
        for record in records:
            yield ApprovalLink(
                org_id=self.org_id,
                run_id=record["FlowOrchestrationInstanceId"],
                submission_id=record["Id"],
                status=record.get("Status"),
                checked_at=self.now,
            )

    def _teams(self, records: Iterable[Record]) -> Iterable[Person]:
        for record in records:
            yield Person(
                org_id=self.org_id,
                id=record["Id"],
                kind="Queue" if record.get("Type") == "Queue" else "Group",
                name=record.get("Name"),
                username=record.get("DeveloperName"),
                checked_at=self.now,
            )

    def _check(self, subject: str) -> EvidenceCheck:
        return EvidenceCheck(org_id=self.org_id, subject=subject, checked_at=self.now)

    def _keep(self, rows: Iterable[SQLModel], checks: Iterable[SQLModel]) -> None:
        with writing(self.engine) as connection:
            state.store(connection, *rows, *checks)


def called_flows(
    org_id: str, orchestration: str, version: int, metadata: Mapping[str, Any], now: datetime
) -> list[CalledFlow]:
    """What each step calls, out of a Flow's metadata (Metadata API: Flow, FlowOrchestratedStage and FlowStageStep)."""
    return [
        CalledFlow(
            org_id=org_id,
            orchestration=orchestration,
            version=version,
            stage_name=stage["name"],
            step_name=step["name"],
            action_name=step["actionName"],
            action_type=step.get("actionType"),
            checked_at=now,
        )
        for stage in metadata.get("orchestratedStages") or ()
        for step in stage.get("stageSteps") or ()
        if step.get("actionName")
    ]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
