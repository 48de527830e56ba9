"""One pass over one org: ask, map, write, advance; as few API calls as there can be, and a report that hides nothing.

An idle poll is one composite call: for each object what `/updated` covers, what `/deleted` lists, and the rows since the
watermark. Each call's rows, deletes and cursors commit in one transaction, so a pass may die at any point.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy import Connection, Engine

from connector import drift, evidence
from connector.account import Account, note_failed_sign_in
from connector.audits import standing_alarms
from connector.errors import Failure, OrgRefused, PermissionDenied, UsageError
from connector.mirror import names, quarantine, state
from connector.mirror.engine import writer_lock, writing
from connector.mirror.tables import MIRRORED, LogEntry, Mirrored, Org, Run, SyncCursor, WorkItem
from connector.org import soql
from connector.org.client import OrgClient
from connector.org.composite import MAX_QUERIES, Subreply, Subrequest
from connector.pages import Moment, delete_rows, write_page
from connector.report import ProgressCallback, SyncOutcome, SyncReport
from connector.settings import SyncSettings
from connector.sight import Sight
from connector.sweep import Sweep
from connector.windows import coverage, windows

__all__ = ["SyncOutcome", "SyncReport", "sync"]

MOST_RUNS = 4_000  # Ids that fit into a statement of 100,000 characters (SOQL and SOSL Reference)
ROUNDING = timedelta(seconds=1)  # the Date header is cut to the second
SHORTEST_BOUND = timedelta(days=15)  # the resume window and a day


def sync(
    client: OrgClient,
    engine: Engine,
    settings: SyncSettings,
    *,
    full: bool = False,
    since: datetime | None = None,
    progress: ProgressCallback | None = None,
    only_runs: Sequence[str] | None = None,
    only_kinds: Sequence[str] = (),
) -> SyncReport:
    """Bring the mirror up to date and say what was done.

    `full` reads everything again; `since` bounds a first load to what changed at or after that moment; `only_runs`
    refreshes these runs and what is below them, of their log entries those of `only_kinds` where that names any, and
    leaves the cursors alone. Raises a Failure when nothing could be read; what goes wrong later makes the report PARTIAL.
    Raises MirrorUnusable while another process writes to the mirror.
    """
    with writer_lock(engine):
        try:
            this = _Pass(client, engine, settings, progress)
        except Failure as failure:
            note_failed_sign_in(engine, client, failure)
            raise
        this.plan(full=full, since=since, only_runs=only_runs, only_kinds=only_kinds)
        return this.run()


class _Pass:
    """The pass while it runs."""

    def __init__(
        self, client: OrgClient, engine: Engine, settings: SyncSettings, progress: ProgressCallback | None
    ) -> None:
        self.client, self.engine, self.settings, self.progress = client, engine, settings, progress
        identity = client.identity
        self.started_at = client.now()
        self.account = Account(client, engine, settings)
        known = state.load_org(engine, identity.org_id)
        self.is_known = known is not None
        self.org = known or Org(org_id=identity.org_id, name=client.settings.name, instance_url=identity.instance_url)
        self.looked_before_at = self.org.last_success_at
        self.cursors = state.load_cursors(engine, identity.org_id, self.started_at)
        self.sweeps: list[Sweep] = []
        self.warnings: list[str] = []
        self.sight = Sight(self.org, self.sweeps, settings, self.started_at)
        self.remember = self.full = self.committed = False

    def plan(
        self, *, full: bool, since: datetime | None, only_runs: Sequence[str] | None, only_kinds: Sequence[str]
    ) -> None:
        """Decide what each object's sweep reads. Raises UsageError for a `since` that would hide runs to be saved."""
        self.remember, self.full = only_runs is None, full
        if since is not None:
            self._check_bound(since, full=full)
        for table in MIRRORED:
            cursor = self.cursors[table.salesforce_object]
            if only_runs is not None:
                # A sweep of its own from the watermark on: what is older is mirrored already.
                cursor = SyncCursor(**cursor.model_dump() | {"position_at": None, "last_id": None})
            only = _below(table, only_runs, only_kinds)
            sweep = Sweep(table, cursor, drift.select_list(table, cursor.missing_fields), only)
            if full or (not cursor.loaded and since is not None and since != cursor.since):
                sweep.restart(since)
            self.sweeps.append(sweep)

    def _check_bound(self, since: datetime, *, full: bool) -> None:
        """A run that failed 14 days ago and did not change since can still be saved, so it must be within the bound."""
        if since > self.started_at - SHORTEST_BOUND:
            raise UsageError(
                f"--since must reach back at least {SHORTEST_BOUND.days} days: runs that failed before it can still be saved.",
                meaning="Nothing was read.",
                next_step=f"Give --since {SHORTEST_BOUND.days}d or more, or leave it out to read everything.",
            )
        if self.cursors[Run.salesforce_object].loaded and not full:
            self.warnings.append(
                "--since bounds a first load only, and this mirror is loaded; add --full to load anew."
            )
        else:
            self.warnings.append(
                f"What did not change since {since:%Y-%m-%d} is not in this mirror; `reprise sync --full` reads it."
            )

    def run(self) -> SyncReport:
        """Ask until everything is read or given up."""
        self.account.open(self.org.org_id, self.started_at)
        problem = ""
        try:
            self._first_call()
            while any(sweep.active for sweep in self.sweeps):
                with _no_search_for_cycles():
                    self._call([])
            self._require_runs()
        except Failure as failure:
            if not self.committed or isinstance(failure, PermissionDenied):
                self._give_up(failure)
                raise
            problem = failure.what
        self._gather_evidence()
        problems = [*filter(None, [problem, *(sweep.problem for sweep in self.sweeps)]), *self._unreadable()]
        problems += standing_alarms(self.engine, self.org.org_id)
        self.warnings[:0] = problems
        return self._finish(SyncOutcome.PARTIAL if problems else SyncOutcome.COMPLETE, " ".join(problems))

    def _give_up(self, failure: Failure) -> None:
        """Note a pass that ends with an error. An org that never answered is not known by the Id that its token claims."""
        if self.committed or self.is_known:
            is_empty = not any(sweep.tally.read for sweep in self.sweeps)
            self._finish(SyncOutcome.FAILED if is_empty else SyncOutcome.PARTIAL, failure.what)
        else:
            note_failed_sign_in(self.engine, self.client, failure)

    def _require_runs(self) -> None:
        if not self.cursors[Run.salesforce_object].readable:
            raise PermissionDenied(drift.unreadable(Run), meaning="Without runs there is nothing to watch.")

    def _gather_evidence(self) -> None:
        """The rows are safe by now, so a failure here makes the evidence old and the pass no less complete."""
        if not self.remember:
            return
        try:
            self.warnings += evidence.gather(self.client, self.engine, self.org.org_id, self.settings)
        except Failure as failure:
            self.warnings.append(f"What failed runs depend on could not be looked at: {failure.what}")

    def _unreadable(self) -> list[str]:
        """What cannot be read: a problem where it once could, a standing warning where it never could."""
        hidden = [sweep for sweep in self.sweeps if not sweep.cursor.readable]
        self.warnings += [drift.unreadable(sweep.table) for sweep in hidden if not sweep.cursor.loaded]
        return [drift.unreadable(sweep.table) for sweep in hidden if sweep.cursor.loaded]

    def _first_call(self) -> None:
        """What is covered, what was deleted, what changed; now and then also what can be seen at all."""
        asked = windows([sweep.cursor for sweep in self.sweeps], self.client.now()) if self.remember else []
        try:
            self._call(asked, first=True)
        except OrgRefused as refused:
            if not asked:
                raise
            self.warnings.append(
                f"The org refuses /updated and /deleted inside a composite ({refused.code}): each poll reads the last"
                f" {self.settings.lookback.total_seconds() / 60:.0f} minutes again, and a purged record is found only by"
                " `reprise reconcile`."
            )
            for sweep in self.sweeps:
                sweep.cursor.replicateable = False
            self._call([], first=True)

    def _call(self, asked: Sequence[Subrequest], *, first: bool = False) -> None:
        """One API call and the one transaction that its replies are committed in."""
        reading = self._queries()
        described = self.sight.requests() if self.remember else []
        requests = [*asked, *described, *(request for _, queries in reading for request in queries)]
        began = perf_counter()
        replies = {reply.ref: reply for reply in self.client.composite(requests)}
        waited = perf_counter() - began
        asked_with = {sweep.name: sweep.fields for sweep in self.sweeps}
        with writing(self.engine) as connection:
            self.warnings += self.sight.learn(connection, replies)
            if first:
                self._cover(connection, replies, waited)
                if self.full:
                    quarantine.release_nameless(connection, self.org.org_id)
            for sweep, queries in reading:
                sweep.tally.calls += 1
                sweep.tally.seconds += waited / len(reading)
                if sweep.fields == asked_with[sweep.name]:  # else it is asked again, for what can be seen
                    for query in queries:
                        self._take(connection, sweep, replies.pop(query.ref))  # a page written is a page forgotten
            if self.remember:
                state.store(connection, *(sweep.cursor for sweep in self.sweeps))
            self.account.note(connection)
        self.committed = True
        if self.progress is not None:
            self.progress(self.account.progress(self.sweeps))

    def _queries(self) -> list[tuple[Sweep, list[Subrequest]]]:
        """The five query slots of a call, shared among the objects that are not read to their end."""
        active = [sweep for sweep in self.sweeps if sweep.active and (self.sight.is_known or not sweep.schema_changed)]
        active.sort(key=lambda sweep: sweep.tally.read - sweep.tally.expected)  # the most left to read first
        share, extra = divmod(MAX_QUERIES, len(active)) if active else (0, 0)
        return [(sweep, sweep.requests(share + (place < extra))) for place, sweep in enumerate(active)]

    def _cover(self, connection: Connection, replies: Mapping[str, Subreply], waited: float) -> None:
        """Apply what the org says about its own completeness, before any row: a row may show that a delete was undone."""
        shown = self.client.reply_time or self.client.now()
        asked_at = self.started_at = shown - timedelta(seconds=waited) - ROUNDING
        for sweep in self.sweeps:
            covered = coverage(sweep.cursor, replies, asked_at, self.settings.lookback)
            sweep.covered = covered.until
            is_known = covered.told or covered.until == sweep.cursor.watermark  # else it is a guess by the clock
            sweep.margin = None if is_known else self.settings.lookback
            if covered.warning:
                self.warnings.append(covered.warning)
            if covered.refused:
                sweep.cursor.replicateable = False
            # Before the first rows there was nothing whose deletion or change could be missed.
            sweep.cursor.deleted_until = covered.deleted_until or sweep.cursor.deleted_until or asked_at
            sweep.cursor.audited_until = sweep.cursor.audited_until or asked_at
            sweep.tally.deleted += delete_rows(connection, sweep.table, self.org.org_id, covered.deleted)

    def _take(self, connection: Connection, sweep: Sweep, reply: Subreply) -> None:
        began = perf_counter()
        written = write_page(
            connection,
            sweep.table,
            sweep.take(reply),
            Moment(self.org.org_id, self.client.now(), self.looked_before_at),
            first_load=not sweep.cursor.loaded,
            read_again=sweep.is_from_the_start,
        )
        sweep.committed_to(written.rows)
        sweep.tally.upserted += written.upserted
        sweep.tally.deleted += written.deleted
        sweep.tally.quarantined += written.quarantined
        sweep.tally.seconds += perf_counter() - began

    def _finish(self, outcome: SyncOutcome, problem: str) -> SyncReport:
        """Say what stays wrong, and close the account."""
        if self.committed:
            self._claim_name()
        for sweep in self.sweeps:
            self.warnings += drift.warnings(sweep.table, sweep.cursor.missing_fields)
        if outcome is SyncOutcome.COMPLETE and self.remember:
            self.org.last_success_at = self.started_at
        self.org.last_problem = problem or None
        return self.account.close(self.org, outcome, self.started_at, self.sweeps, self.warnings)

    def _claim_name(self) -> None:
        with writing(self.engine) as connection:
            if renamed := names.claim(connection, self.org, self.client.settings.name):
                self.warnings.append(renamed)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Ten thousand records are hundreds of thousands of new objects without a cycle among them: a fifth of a load's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _below(table: type[Mirrored], run_ids: Sequence[str] | None, kinds: Sequence[str]) -> str | None:
    """The condition that a record is one of these runs or belongs to one; of log entries only these kinds, if any."""
    if run_ids is None:
        return None
    field = "StepInstance.OrchestrationInstanceId" if table is WorkItem else "OrchestrationInstanceId"
    named = [soql.one_of("Id" if table is Run else field, run_ids)] if len(run_ids) <= MOST_RUNS else []
    wanted = [soql.one_of("Kind", kinds)] if kinds and table is LogEntry else []
    return " AND ".join([*named, *wanted]) or None
