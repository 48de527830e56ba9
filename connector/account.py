"""What a pass cost and came to: its report, its entry in the history, and what the org's row says of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine

from connector.errors import Failure
from connector.mirror import changes, quarantine, state
from connector.mirror.engine import orgs, writing
from connector.mirror.tables import Org, SyncPass
from connector.org.client import OrgClient
from connector.pace import DAY, RECENT, Budget, Spend, spend, usual_calls
from connector.quarantine import warnings as kept_aside
from connector.report import ObjectReport, Progress, SyncOutcome, SyncReport
from connector.settings import SyncSettings
from connector.sweep import Sweep

UNFINISHED = "UNFINISHED"  # in the history: the pass goes on, or its process died


class Account:
    """Counts calls and seconds from when it is made. `open` it before the first call, and `close` it."""

    def __init__(self, client: OrgClient, engine: Engine, settings: SyncSettings) -> None:
        self.client, self.engine, self.settings = client, engine, settings
        self._began, self._calls_before = perf_counter(), client.api_calls

    def open(self, org_id: str, started_at: datetime) -> None:
        """Begin the entry in the history, so that the calls of a pass that dies are not forgotten."""
        self._entry = SyncPass(org_id=org_id, kind="sync", started_at=started_at, outcome=UNFINISHED)
        with writing(self.engine) as connection:
            state.begin_pass(connection, self._entry)

    def note(self, connection: Connection) -> None:
        """Write down the calls so far, together with what they brought."""
        self._entry.api_calls = self.api_calls
        state.store(connection, self._entry)

    @property
    def api_calls(self) -> int:
        """Calls of this pass so far."""
        return self.client.api_calls - self._calls_before

    @property
    def seconds(self) -> float:
        """Seconds of this pass so far."""
        return perf_counter() - self._began

    def progress(self, sweeps: Sequence[Sweep]) -> Progress:
        """Where the pass stands."""
        return Progress(
            rows=sum(sweep.tally.read for sweep in sweeps),
            total=sum(sweep.tally.expected for sweep in sweeps),
            api_calls=self.api_calls,
            seconds=self.seconds,
        )

    def close(
        self,
        org: Org,
        outcome: SyncOutcome,
        started_at: datetime,
        sweeps: Sequence[Sweep],
        warnings: Sequence[str],
    ) -> SyncReport:
        """Write the org's row and the pass into the history; the report. `started_at` is the org's time."""
        now = self.client.now()
        with self.engine.connect() as connection:
            changed_runs = changes.count(connection, org.org_id)
            kept = quarantine.listed(connection, org.org_id)
        report = SyncReport(
            org=org.name,
            outcome=outcome,
            api_calls=self.api_calls,
            seconds=self.seconds,
            objects=tuple(_object_report(sweep, now) for sweep in sweeps),
            warnings=tuple(dict.fromkeys([*warnings, *kept_aside(kept)])),
            quarantine=tuple(kept),
            changed_runs=changed_runs,
            api_used=self.client.api_used,
            api_max=self.client.api_max,
            spend=self._spend(org.org_id, started_at),
        )
        entry = SyncPass(
            id=self._entry.id,
            org_id=org.org_id,
            kind="sync",
            started_at=started_at,
            finished_at=now,
            outcome=str(outcome),
            api_calls=report.api_calls,
            report={name: value for name, value in report.to_json().items() if name != "quarantine"},
        )
        _note_reply(org, self.client)
        org.last_attempt_at, org.last_outcome = now, str(outcome)
        with writing(self.engine) as connection:
            state.store(connection, org)
            state.record_pass(connection, entry)
        return report

    def _spend(self, org_id: str, started_at: datetime) -> Spend | None:
        used, allowed = self.client.api_used, self.client.api_max
        if used is None or allowed is None:
            return None
        before = state.calls_since(self.engine, org_id, started_at - DAY, besides=self._entry.id)
        recent = [self.api_calls, *state.recent_calls(self.engine, org_id, RECENT - 1)]
        return spend(self.settings, Budget(before + self.api_calls, used, allowed), usual_calls(recent))


def _object_report(sweep: Sweep, now: datetime) -> ObjectReport:
    tally, watermark = sweep.tally, sweep.cursor.watermark
    return ObjectReport(
        object=sweep.name,
        read=tally.read,
        upserted=tally.upserted,
        unchanged=tally.read - tally.upserted - tally.quarantined,
        deleted=tally.deleted,
        quarantined=tally.quarantined,
        watermark=watermark,
        lag_seconds=None if watermark is None else max((now - watermark).total_seconds(), 0.0),
        calls=tally.calls,
        seconds=tally.seconds,
    )


def _note_reply(org: Org, client: OrgClient) -> None:
    """What every reply of the org tells: its clock, its allowance, who we are."""
    org.instance_url, org.api_version = client.identity.instance_url, client.identity.api_version
    org.username = client.identity.username
    org.clock_offset_seconds = client.clock_offset.total_seconds()
    org.api_used, org.api_max = client.api_used, client.api_max


def note_failed_sign_in(engine: Engine, client: OrgClient, failure: Failure) -> None:
    """An org that is known under this name and address shows what went wrong; its data stays as old as it was."""
    name, host = client.settings.name, urlsplit(client.settings.instance_url).netloc
    known = next((org for org in orgs(engine) if org.name == name and urlsplit(org.instance_url).netloc == host), None)
    if known is not None:
        known.last_attempt_at, known.last_outcome = client.now(), str(SyncOutcome.FAILED)
        known.last_problem = failure.what
        with writing(engine) as connection:
            state.store(connection, known)
