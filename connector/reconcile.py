"""The Id audit: finds what polling cannot see, which is rows that were purged, and rows that sharing hid or brought back.

Counts first: the org and the mirror are compared in five spans a call, and only spans that differ are cut further and at last
listed by Id. Then what changed since the last audit is compared by SystemModstamp, so an audit that finds nothing costs two
calls, and one more for each page of changes. A row that is gone is marked with the date and kept. When a large part of the
rows is gone at once, the user has lost sight of them, which is an alarm and marks nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from sqlalchemy import Engine

from connector import drift
from connector.audits import partial_visibility, vanished
from connector.errors import Failure, MirrorUnusable
from connector.mirror import audit, changes, quarantine, state, upsert
from connector.mirror.audit import Span
from connector.mirror.engine import writer_lock, writing
from connector.mirror.tables import MIRRORED, Org, SyncCursor, SyncPass
from connector.org import composite, soql
from connector.org.client import OrgClient
from connector.org.composite import MAX_QUERIES
from connector.pages import Moment, note_rows, write_page
from connector.report import SCHEMA_VERSION, SyncOutcome
from connector.settings import SyncSettings
from connector.subject import STAMPED, Subject, stamp

PAGE = 2000  # rows of a query's page: a span of so many is listed instead of cut
FETCHED_AT_ONCE = 1000  # Ids in one statement of at most 100,000 characters


@dataclass(frozen=True, slots=True)
class AuditedObject:
    """One object's part of an audit: live rows in the org and in the mirror, and what was done about the difference."""

    object: str
    visible: int
    mirrored: int
    vanished: int = 0
    returned: int = 0
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """One audit. PARTIAL: an alarm, something unreadable, or the limit of calls was reached before the end.

    `changed_runs` is how many more runs wait to be judged because of it.
    """

    org: str
    outcome: SyncOutcome
    api_calls: int
    seconds: float
    objects: tuple[AuditedObject, ...]
    warnings: tuple[str, ...]
    changed_runs: int

    def to_json(self) -> dict[str, Any]:
        """The document of `reprise reconcile --json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "org": self.org,
            "outcome": str(self.outcome),
            "api_calls": self.api_calls,
            "seconds": round(self.seconds, 3),
            "objects": [asdict(each) for each in self.objects],
            "warnings": list(self.warnings),
            "changed_runs": self.changed_runs,
        }


def reconcile(client: OrgClient, engine: Engine, settings: SyncSettings, *, thorough: bool = False) -> ReconcileReport:
    """Compare the mirror with everything the user can see, and put right what differs.

    `thorough` lists every record instead of trusting equal counts: a call for 2,000 rows. Raises MirrorUnusable when nothing
    was ever synced, a Failure when the org cannot be asked.
    """
    with writer_lock(engine):
        org = state.load_org(engine, client.identity.org_id)
        if org is None:
            raise MirrorUnusable("There is nothing to audit yet.", next_step="Run `reprise sync` first.")
        return _Audit(client, engine, settings, org, thorough=thorough).run()


class _Audit:
    """The audit while it runs."""

    def __init__(self, client: OrgClient, engine: Engine, settings: SyncSettings, org: Org, *, thorough: bool) -> None:
        self.client, self.engine, self.settings, self.org, self.thorough = client, engine, settings, org, thorough
        self.started_at, self._clock, self._calls = client.now(), perf_counter(), client.api_calls
        self.warnings: list[str] = []
        self.alarms: list[str] = []
        self.complete = True
        with engine.connect() as connection:
            self.waiting_before = changes.count(connection, org.org_id)
        cursors = state.load_cursors(engine, org.org_id, self.started_at)
        self.subjects: list[Subject] = []
        for table in MIRRORED:
            cursor = cursors[table.salesforce_object]
            if not cursor.readable or "CreatedDate" in cursor.missing_fields:
                self._leave_out(cursor, "cannot be read", is_gap=cursor.loaded)
            elif not cursor.loaded or cursor.watermark is None:
                self._leave_out(cursor, "is still being read", is_gap=True)
            else:
                # What was created behind the watermark is the next poll's business.
                self.subjects.append(Subject(table, cursor, Span(None, cursor.watermark)))

    def _leave_out(self, cursor: SyncCursor, why: str, *, is_gap: bool) -> None:
        self.warnings.append(f"{cursor.object_name} was not audited: it {why}.")
        self.complete = self.complete and not is_gap

    def run(self) -> ReconcileReport:
        """Count, narrow down, look at single rows, put right."""
        try:
            self._count_all()
            suspects = [(subject, subject.whole) for subject in self.subjects if self._differs(subject)]
            self._narrow(suspects)
            self._compare_changes()
            for subject in self.subjects:
                self._put_right(subject)
        except Failure as failure:
            return self._finish(SyncOutcome.FAILED, failure)
        return self._finish(SyncOutcome.PARTIAL if self.alarms or not self.complete else SyncOutcome.COMPLETE, None)

    def _count_all(self) -> None:
        counts = self._counts([(subject, subject.whole) for subject in self.subjects])
        with self.engine.connect() as connection:
            for subject, visible in zip(self.subjects, counts, strict=True):
                subject.visible = visible
                subject.mirrored = audit.count(connection, subject.table, self.org.org_id, subject.whole)
                self._sound_alarm(subject)

    def _sound_alarm(self, subject: Subject) -> None:
        gone = subject.mirrored - subject.visible
        if gone <= max(self.settings.vanished_at_least, self.settings.vanished_share * subject.mirrored):
            return
        subject.alarm = True
        alarm = partial_visibility(subject.cursor.object_name, subject.mirrored, subject.visible)
        self.warnings.append(alarm)
        self.alarms.append(alarm)

    def _differs(self, subject: Subject) -> bool:
        return not subject.alarm and (self.thorough or subject.visible != subject.mirrored)

    def _counts(self, spans: Sequence[tuple[Subject, Span]]) -> list[int]:
        """Live rows in the org of up to five spans, in one call."""
        if not spans:
            return []
        replies = self.client.composite(
            [
                composite.query(f"count{n}", soql.select(["COUNT()"], subject.cursor.object_name, subject.where(span)))
                for n, (subject, span) in enumerate(spans)
            ]
        )
        for reply in replies:
            if not reply.ok:
                raise Failure(f"The audit could not count ({reply.problem}).", next_step="Try again later.")
        return [int(reply.body["totalSize"]) for reply in replies]

    def _narrow(self, suspects: Sequence[tuple[Subject, Span]]) -> None:
        """Cut spans that differ until they are small enough to be listed."""
        waiting = deque(suspects)
        while waiting:
            if self._is_spent():
                return
            subject, span = waiting.popleft()
            with self.engine.connect() as connection:
                rows = audit.count(connection, subject.table, self.org.org_id, span)
                parts = audit.split(connection, subject.table, self.org.org_id, span, MAX_QUERIES)
            if self.thorough or rows <= PAGE or len(parts) == 1:
                self._list(subject, span)
                continue
            counts = self._counts([(subject, part) for part in parts])
            with self.engine.connect() as connection:
                waiting.extend(
                    (subject, part)
                    for part, visible in zip(parts, counts, strict=True)
                    if visible != audit.count(connection, subject.table, self.org.org_id, part)
                )

    def _is_spent(self) -> bool:
        """Whether the calls are used up; says so when they are."""
        if self.client.api_calls - self._calls < self.settings.reconcile_calls:
            return False
        self.complete = False
        self.warnings.append(
            f"The audit stopped after {self.settings.reconcile_calls} calls; the rest waits for the next one."
        )
        return True

    def _list(self, subject: Subject, span: Span) -> None:
        text = soql.select(STAMPED, subject.cursor.object_name, subject.where(span))
        seen = {record["Id"]: stamp(record) for record in self.client.query(text)}
        with self.engine.connect() as connection:
            here = audit.ids(connection, subject.table, self.org.org_id, span)
        subject.missing |= here - seen.keys()
        subject.unknown |= seen.keys() - here
        self._compare(subject, seen)

    def _compare_changes(self) -> None:
        """Hold what changed since the last audit against the mirror: a record that changed while it was not shared shows
        its newer stamp when it is shared again, and no poll reads behind the watermark."""
        subjects = [subject for subject in self.subjects if not subject.alarm and subject.has_news]
        if not subjects or self._is_spent():
            return
        requests = [
            composite.query(f"changed{n}", subject.changes(), deleted_too=True) for n, subject in enumerate(subjects)
        ]
        for subject, reply in zip(subjects, self.client.composite(requests), strict=True):
            if not reply.ok:
                raise Failure(f"The audit could not list changes ({reply.problem}).", next_step="Try again later.")
            seen: dict[str, datetime] = {}
            for record in self.client.rest_of(reply.body):
                seen[record["Id"]] = subject.compared_until = stamp(record)
                if len(seen) % PAGE == 0 and self._is_spent():
                    break
            else:
                subject.compared_until = subject.cursor.watermark
            self._compare(subject, seen)

    def _compare(self, subject: Subject, seen: Mapping[str, datetime]) -> None:
        """Records with another stamp are read again, but for those that the next poll reads anyway."""
        with self.engine.connect() as connection:
            here = upsert.known(connection, subject.table, self.org.org_id, seen, "system_modstamp")
        subject.unknown |= {
            key for key, changed_at in seen.items() if changed_at < subject.whole.end and here.get(key) != (changed_at,)
        }

    def _put_right(self, subject: Subject) -> None:
        """Read every row in question once more, deleted ones too; what still cannot be seen has vanished."""
        aside = self._kept_aside(subject)
        asked = sorted(subject.missing | subject.unknown | aside)
        found: set[str] = set()
        for chunk in upsert.chunks(asked, FETCHED_AT_ONCE):
            records = self._fetch(subject, chunk)
            found.update(record["Id"] for record in records)
            with writing(self.engine) as connection:
                moment = Moment(self.org.org_id, self.started_at, self.org.last_success_at)
                written = write_page(connection, subject.table, records, moment, read_again=True)
                subject.returned += written.upserted
        gone = subject.missing - found
        subject.vanished = len(gone)
        with writing(self.engine) as connection:
            audit.mark_vanished(connection, subject.table, self.org.org_id, gone, self.started_at)
            note_rows(connection, subject.table, self.org.org_id, gone)
            quarantine.release(connection, self.org.org_id, subject.cursor.object_name, aside - found)
            subject.cursor.audited_until = subject.compared_until or subject.cursor.audited_until
            state.store(connection, subject.cursor)
        if gone:
            self.warnings.append(vanished(subject.cursor.object_name, len(gone)))

    def _kept_aside(self, subject: Subject) -> set[str]:
        """Records in quarantine are read again: they may be mended, or gone where no poll is told. Not while sight is lost."""
        if subject.alarm:
            return set()
        with self.engine.connect() as connection:
            return quarantine.ids(connection, self.org.org_id, subject.cursor.object_name)

    def _fetch(self, subject: Subject, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        fields = drift.select_list(subject.table, subject.cursor.missing_fields)
        text = soql.select(fields, subject.cursor.object_name, [soql.one_of("Id", ids)])
        (reply,) = self.client.composite([composite.query("rows", text, deleted_too=True)])
        if not reply.ok:
            raise Failure(f"The audit could not read rows again ({reply.problem}).", next_step="Try again later.")
        return list(self.client.rest_of(reply.body))

    def _finish(self, outcome: SyncOutcome, failure: Failure | None) -> ReconcileReport:
        with self.engine.connect() as connection:
            waiting = changes.count(connection, self.org.org_id)
        report = ReconcileReport(
            org=self.org.name,
            outcome=outcome,
            api_calls=self.client.api_calls - self._calls,
            seconds=perf_counter() - self._clock,
            objects=tuple(
                AuditedObject(
                    each.cursor.object_name, each.visible, each.mirrored, each.vanished, each.returned, each.alarm
                )
                for each in self.subjects
            ),
            warnings=tuple(dict.fromkeys(self.warnings)),
            changed_runs=waiting - self.waiting_before,
        )
        with writing(self.engine) as connection:
            if self.alarms:
                self.org.last_problem = " ".join(self.alarms)
                state.store(connection, self.org)
            state.record_pass(
                connection,
                SyncPass(
                    org_id=self.org.org_id,
                    kind="reconcile",
                    started_at=self.started_at,
                    finished_at=self.client.now(),
                    outcome=str(outcome),
                    api_calls=report.api_calls,
                    report=report.to_json(),
                ),
            )
        if failure is not None:
            raise failure
        return report
