"""What failed runs depend on beside the five objects: interviews, assignees, called flows, approvals, pending outputs.

Asked only for runs in Error: at once when one fails or changes, and for all that may still be saved every few minutes, in one
composite call. What the org refuses is a warning that says what is lost by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from connector import metadata
from connector.errors import OrgRefused, OrgUnreachable, PermissionDenied
from connector.gaps import METADATA, Gap
from connector.mirror import changes, state
from connector.mirror import evidence as mirrored
from connector.mirror.engine import writing
from connector.mirror.tables import (
    ApprovalLink,
    EvidenceCheck,
    FlowVersion,
    Interview,
    Person,
    StepEvidence,
)
from connector.org.client import OrgClient
from connector.org.replies import moment
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
    Answer,
    Record,
    Topic,
    ask,
)

NO_ACTIVE_VERSION = ""
METADATA_AGAIN = timedelta(hours=1)  # it may be that this user never sees it, and each question is a call


def gather(client: OrgClient, engine: Engine, org_id: str, settings: SyncSettings) -> list[str]:
    """Bring the evidence up to date; sentences about what cannot be read. Costs nothing while nothing failed."""
    now = client.now()
    with engine.connect() as connection:
        fresh = mirrored.unchecked_runs(connection, org_id)
        watched = mirrored.watched_runs(connection, org_id, now)
        last = mirrored.last_look(connection, org_id)
        due = bool(watched) and (last is None or now - last >= settings.evidence_every)
        about = mirrored.subjects(connection, org_id, fresh | watched if due else fresh)
        new = mirrored.subjects(connection, org_id, fresh) if due else about
        known = {Gap.parse(text): at for text, at in mirrored.gaps(connection, org_id).items()}
    if not about.runs:
        with writing(engine) as connection:
            changes.note_evidence(connection, org_id)
        return _sentences(known) if watched else []
    look = _Look(client, engine, org_id, now, known)
    look.read_versions(about.versions)
    look.ask(about, new)
    look.finish(fresh, due=due)
    return _sentences(look.gaps)


def _sentences(gaps: Iterable[Gap]) -> list[str]:
    return sorted(gap.sentence() for gap in gaps)


class _Look:
    """One look at the evidence while it goes on. Gaps are `known` from before or found now, with the time of the question."""

    def __init__(
        self, client: OrgClient, engine: Engine, org_id: str, now: datetime, known: Mapping[Gap, datetime]
    ) -> None:
        self.client, self.engine, self.org_id, self.now, self.known = client, engine, org_id, now, known
        self.gaps: dict[Gap, datetime] = {}
        self.changed = False

    def read_versions(self, versions: Iterable[tuple[str, int]]) -> None:
        """Learn which flows the steps of orchestration versions call, in calls of its own: what is refused waits an hour."""
        with self.engine.connect() as connection:
            unread = mirrored.unread_versions(connection, self.org_id, versions)
        refused = {gap: at for gap, at in self.known.items() if gap.what == METADATA and not gap.passing}
        if not unread:
            return
        if any(self.now - at < METADATA_AGAIN for at in refused.values()):
            self.gaps |= refused
            return
        try:
            metadata.read_versions(self.client, self.engine, self.org_id, unread, self.now)
        except OrgRefused as no:
            self.gaps[Gap(METADATA, no.code, passing=False)] = self.now
        except PermissionDenied:
            self.gaps[Gap(METADATA, "HTTP 403", passing=False)] = self.now
        except OrgUnreachable:
            self.gaps[Gap(METADATA, "no answer", passing=True)] = self.now

    def ask(self, about: mirrored.Subjects, new: mirrored.Subjects) -> None:
        """Ask about everything in as few calls as possible.

        What changes only with a run is asked for `new` runs, and for all of them where it could not be read before.
        """
        missed = {gap.object_name for gap in self.known}
        outputs, approvals, teams = (
            about if topic.object_name in missed else new for topic in (OUTPUTS, APPROVALS, TEAMS)
        )
        with self.engine.connect() as connection:
            named = mirrored.people_named(connection, self.org_id, about.usernames)
            flows = about.flows | mirrored.called_flows(connection, self.org_id, about.versions)
        users = about.users | set(named.values())
        answers = self._ask(
            [
                (INTERVIEWS, about.interviews),
                (USERS, users),
                (LOGINS, users),
                (FLOWS, flows),
                (OUTPUTS, outputs.steps),
                (APPROVALS, approvals.runs),
                (TEAMS, teams.teams),
                (USERS_BY_NAME, about.usernames - named.keys()),
            ]
        )
        newcomers = {record["Id"] for record in answers[USERS_BY_NAME].records}
        late = self._ask([(LOGINS, newcomers - users)])
        people = answers[USERS].records + answers[USERS_BY_NAME].records
        with writing(self.engine) as connection:
            had_sight = mirrored.sees_interviews(connection, self.org_id)
            self._note_interviews(connection, answers[INTERVIEWS], new.interviews)
            if had_sight != mirrored.sees_interviews(connection, self.org_id):
                changes.note_all(connection, self.org_id)
            self._note_people(connection, people, answers[LOGINS].records + late[LOGINS].records)
            self._note_flows(connection, answers[FLOWS].records)
            state.store(connection, *self._outputs(answers[OUTPUTS], new.steps))
            state.store(connection, *self._approvals(answers[APPROVALS].records), *self._teams(answers[TEAMS].records))
            changed = self.changed or missed != {gap.object_name for gap in self.gaps}
            changes.note_judgement(connection, self.org_id, about.runs if changed else new.runs)

    def finish(self, fresh: Iterable[str], *, due: bool) -> None:
        """Note what need not be asked again, and what could not be read; a look at some runs closes no gap."""
        if not due:
            found = {gap.what for gap in self.gaps}
            self.gaps |= {gap: at for gap, at in self.known.items() if gap.what not in found}
        checks = [self._check(run_id) for run_id in fresh] + [self._check(mirrored.EVERYTHING)] * due
        with writing(self.engine) as connection:
            state.store(connection, *checks)
            mirrored.replace_gaps(connection, self.org_id, {gap.text: at for gap, at in self.gaps.items()})
            changes.note_evidence(connection, self.org_id)

    def _ask(self, asked: Sequence[tuple[Topic, Collection[str]]]) -> dict[Topic, Answer]:
        answers, gaps = ask(self.client, asked, hidden={gap.what for gap in self.known})
        self.gaps |= dict.fromkeys(gaps, self.now)
        return answers

    def _note_interviews(self, connection: Connection, answer: Answer, changed: Collection[str]) -> None:
        """An interview that is not found is gone, and keeps what was last known of it.

        Where the error cannot be read, an old one stands for interviews whose runs did not change since.
        """
        found = {record["Id"]: record for record in answer.records}
        before = {row.id: row for row in mirrored.stored(connection, Interview, self.org_id, "id", answer.keys)}
        for interview_id in sorted(answer.keys):
            row = before.get(interview_id) or Interview(
                org_id=self.org_id, id=interview_id, present=False, checked_at=self.now
            )
            was = (row.present, row.status, row.error)
            row.present, row.checked_at = interview_id in found, self.now
            if interview_id in found:
                record = found[interview_id]
                row.status, row.current_element = record.get("InterviewStatus"), record.get("CurrentElement")
                if INTERVIEWS.newer in record or interview_id in changed:
                    row.error = record.get(INTERVIEWS.newer)
            self.changed |= was != (row.present, row.status, row.error)
            state.store(connection, row)

    def _note_people(self, connection: Connection, users: Sequence[Record], logins: Iterable[Record]) -> None:
        """Who is active and who is frozen. Of somebody whose login was not found, what was last known stands."""
        frozen = {login["UserId"]: bool(login["IsFrozen"]) for login in logins}
        ids = [user["Id"] for user in users]
        before = {row.id: row for row in mirrored.stored(connection, Person, self.org_id, "id", ids)}
        for user in users:
            row = Person(
                org_id=self.org_id,
                id=user["Id"],
                kind="User",
                name=user.get("Name"),
                username=user.get("Username"),
                is_active=user.get("IsActive"),
                is_frozen=frozen.get(user["Id"]),
                checked_at=self.now,
            )
            old = before.get(row.id)
            if old is not None:
                row.is_frozen = old.is_frozen if row.is_frozen is None else row.is_frozen
                was_known = ((old.is_active, row.is_active), (old.is_frozen, row.is_frozen))
                turned = any(None not in pair and pair[0] != pair[1] for pair in was_known)
                row.changed_at = self.now if turned else old.changed_at
            self.changed |= old is None or (old.is_active, old.is_frozen) != (row.is_active, row.is_frozen)
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
            row.version_number = record.get(FLOWS.newer, row.version_number)
            row.last_modified_at = moment(record.get("LastModifiedDate"))
            state.store(connection, row)

    def _outputs(self, answer: Answer, changed: Collection[str]) -> Iterable[StepEvidence]:
        """Nothing is known of a step that changed and that the org did not show."""
        pending = {record["Id"]: bool(record["InProgressStepOutputs"]) for record in answer.records}
        for step_id in sorted(pending.keys() | changed):
            yield StepEvidence(
                org_id=self.org_id, step_id=step_id, has_pending_outputs=pending.get(step_id), checked_at=self.now
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
