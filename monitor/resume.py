"""Resuming runs: plan, preflight, intent, call, proof. The only caller of connector.org.commands.

A plan is made from the mirror alone. Executing it, in this order:
1. Refuse: writes not allowed, no reason, a plan that was changed, has expired or belongs to another org.
2. Preflight: read every run of the plan from the org again, judge it anew, and leave out what changed, saying so.
3. For each chunk commit the intents, which are leases on the runs, with the baselines to prove against; then one call.
   It is never repeated: a lost reply is settled by reading.
4. Read until each run is proven or patience ends. What is open then is settled by `verify_open`, as after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from connector.errors import Failure, MirrorUnusable
from connector.org.client import OrgClient
from connector.org.commands import CommandResult, set_status
from connector.settings import SyncSettings
from monitor import attempts, gate
from monitor.attempts import Intent
from monitor.failed import FailedRun, failed_runs
from monitor.ledger import AttemptOutcome, ResumeAttempt, ResumeBatch
from monitor.planner import plan
from monitor.plans import SCHEMA_VERSION, Plan, PlannedRun, new_id
from monitor.proof import Attempt, BatchOutcome, OrgReader, VerifyReport, close, look, verify_open
from monitor.reasons import explain
from monitor.settings import MonitorSettings, ResumeSettings
from monitor.story import ERROR
from monitor.verdict import Eligibility, ReasonCode
from monitor.verify import Snapshot, snapshots

__all__ = [
    "Attempt",
    "Batch",
    "BatchOutcome",
    "Plan",
    "Step",
    "VerifyReport",
    "dry_run",
    "execute",
    "plan",
    "verify_open",
]

_STOPS_THE_BATCH = frozenset({"REQUEST_LIMIT_EXCEEDED", "SignInFailed", "PermissionDenied"})
_WAITS_FOR_THE_MIRROR = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8))


@dataclass(frozen=True, slots=True)
class Step:
    """Where an execution stands: `doing` is "checking", "sending" or "proving"; `done` of `total` runs."""

    doing: str
    done: int
    total: int


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Batch:
    """How a plan's execution ended. `batch` is None for a dry run, which has no attempts.

    `reason_code` says why the plan of a dry run could not be executed as things are, None where it could.
    """

    outcome: BatchOutcome
    batch: str | None
    plan: Plan
    attempts: tuple[Attempt, ...]
    api_calls: int
    problems: tuple[str, ...] = ()
    reason_code: ReasonCode | None = None

    def count(self, outcome: AttemptOutcome) -> int:
        """How many runs ended so."""
        return sum(attempt.outcome is outcome for attempt in self.attempts)

    def to_json(self) -> dict[str, Any]:
        """The document of `reprise resume --json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "reason_code": self.reason_code,
            "batch": self.batch,
            "plan": self.plan.to_json(),
            "attempts": [
                {"run": attempt.run, "outcome": attempt.outcome, "detail": attempt.detail} for attempt in self.attempts
            ],
            "verified": self.count(AttemptOutcome.VERIFIED),
            "unverified": self.count(AttemptOutcome.UNVERIFIED),
            "api_calls": self.api_calls,
            "problems": list(self.problems),
        }


def dry_run(plan: Plan, settings: ResumeSettings) -> Batch:
    """The answer to a resume that only shows its plan."""
    obstacle = None if settings.allow_writes else ReasonCode.READ_ONLY
    return Batch(BatchOutcome.DRY_RUN, None, plan, (), 0, reason_code=obstacle)


def execute(
    plan: Plan,
    *,
    client: OrgClient,
    engine: Engine,
    settings: ResumeSettings,
    reason: str,
    actor: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    progress: Progress | None = None,
    monitor: MonitorSettings | None = None,
    sync_settings: SyncSettings | None = None,
) -> Batch:
    """Resume the runs of a plan and wait for proof, as the module's docstring says.

    `clock` is ours (aware UTC), `sleep` takes seconds. Raises Refused, NothingMatched for a plan without runs, and what
    `sync` raises while nothing was sent yet; later trouble is in the batch.
    """
    gate.check_request(settings, reason, actor)
    reader = OrgReader(client, engine, clock, sync_settings or SyncSettings())
    gate.check_plan(plan, settings, reader.org_id, reader.now())
    batch = ResumeBatch(
        id=new_id(),
        org_id=plan.org_id,
        plan_id=plan.id,
        plan_hash=plan.hash,
        actor=actor.strip(),
        reason=reason.strip(),
        target_status=plan.target_status,
        planned=len(plan.included),
        started_at=reader.now(),
    )
    return _Execution(plan, batch, reader, settings, monitor or MonitorSettings(), sleep, progress).run()


class _Execution:
    """One execution of one plan."""

    def __init__(
        self,
        plan: Plan,
        batch: ResumeBatch,
        reader: OrgReader,
        settings: ResumeSettings,
        monitor: MonitorSettings,
        sleep: Callable[[float], object],
        progress: Progress | None,
    ) -> None:
        self.plan, self.batch, self.reader = plan, batch, reader
        self.engine, self.settings, self.monitor = reader.engine, settings, monitor
        self.sleep, self.progress = sleep, progress
        self.problems: list[str] = []

    def run(self) -> Batch:
        """Check, send, prove, and say how it ended."""
        calls = self.reader.client.api_calls
        self._tell("checking", 0)
        ready, skipped = self._preflight()
        attempts.start_batch(self.engine, self.batch)
        attempts.skip(self.engine, self.batch, skipped, self.reader.now())
        self._send(ready)
        self._await_proof()
        calls = self.reader.client.api_calls - calls
        outcome, made = close(self.engine, self.batch.id, self.reader.now(), calls)
        self.reader.judge()  # a refusal, which nobody reads again, tells of its run too
        return Batch(outcome, self.batch.id, self.plan, made, calls, tuple(self.problems))

    def _preflight(self) -> tuple[list[Intent], list[tuple[Intent, str]]]:
        """The runs that may be resumed now, and the others with what changed since the plan was made."""
        runs = [planned.run for planned in self.plan.included]
        tried = attempts.tries(self.engine, self.plan.org_id, runs)
        if not self._read_again(runs):
            raise Failure(
                "Not every run of the plan could be read from the org.",
                meaning="Nothing was sent.",
                next_step="Try again.",
            )
        now = self.reader.now()
        seen = snapshots(self.engine, self.plan.org_id, runs)
        failed = failed_runs(self.engine, self.plan.org_id, now, now, self.monitor, runs)
        ready, skipped = [], []
        for planned in self.plan.included:
            run, before = failed.get(planned.run), seen.get(planned.run)
            intent = _intent(planned, run, before, tried[planned.run])
            if why := _what_changed(planned, run, before):
                skipped.append((intent, why))
            else:
                ready.append(intent)
        return ready, skipped

    def _read_again(self, runs: Sequence[str]) -> bool:
        """Read the runs from the org; another process may be writing to the mirror for a moment."""
        for wait in (*_WAITS_FOR_THE_MIRROR, None):
            try:
                complete = self.reader.refresh(runs)
                break
            except MirrorUnusable:
                if wait is None:
                    raise
                self.sleep(wait.total_seconds())
        self.reader.judge()
        return complete

    def _send(self, intents: Sequence[Intent]) -> None:
        for start in range(0, len(intents), self.settings.chunk):
            self._tell("sending", start)
            chunk = intents[start : start + self.settings.chunk]
            results = self._send_chunk(chunk)
            stops = {result.code for result in results} & _STOPS_THE_BATCH
            if rest := intents[start + self.settings.chunk :] if stops else ():
                why = f"Not sent, because the org had answered {', '.join(sorted(stops))}."
                attempts.skip(self.engine, self.batch, [(intent, why) for intent in rest], self.reader.now())
                return

    def _send_chunk(self, chunk: Sequence[Intent]) -> list[CommandResult]:
        leased = attempts.lease(self.engine, self.batch, chunk, self.reader.now())
        mine = {attempt.run_id for attempt in leased}
        why = "Somebody else is resuming this run, or has just tried to."
        others = [(intent, why) for intent in chunk if intent.run not in mine]
        attempts.skip(self.engine, self.batch, others, self.reader.now())
        if not leased:
            return []
        runs = [attempt.run_id for attempt in leased]
        calls = self.reader.client.api_calls
        results = set_status(self.reader.client, runs, self.plan.target_status)
        calls = self.reader.client.api_calls - calls
        attempts.answer(self.engine, leased, {result.run: result for result in results}, self.reader.now(), calls)
        return results

    def _await_proof(self) -> None:
        """Look with doubling waits until every attempt is settled or patience ends."""
        waited, wait = timedelta(), self.settings.first_look_after
        while waiting := self._open():
            self._tell("proving", len(self.plan.included) - len(waiting))
            if waited >= self.settings.patience:
                return
            self.sleep(wait.total_seconds())
            waited, wait = waited + wait, min(wait * 2, self.settings.longest_wait)
            try:
                look(self.reader, waiting, self.settings)
            except Failure as problem:
                self.problems.append(problem.what)

    def _open(self) -> list[ResumeAttempt]:
        return attempts.open_attempts(self.engine, self.batch.org_id, self.batch.id)

    def _tell(self, doing: str, done: int) -> None:
        if self.progress:
            self.progress(Step(doing, done, len(self.plan.included)))


def _intent(planned: PlannedRun, run: FailedRun | None, before: Snapshot | None, tried: int) -> Intent:
    verdict = run.verdict if run else None
    return Intent(
        run=planned.run,
        episode=verdict.episode if verdict else planned.episode,
        eligibility=verdict.eligibility if verdict else planned.eligibility,
        reason_code=verdict.reason if verdict else planned.reason_code,
        baseline=before.to_json() if before else {},
        tried=tried,
    )


def _what_changed(planned: PlannedRun, run: FailedRun | None, before: Snapshot | None) -> str:
    """Why a planned run may not be resumed any more; empty when it still may."""
    if before is None or before.gone:
        return "The run can no longer be seen: it was deleted, or is no longer shared with us."
    if run is None or before.status != ERROR:
        return f"The run is not in Error any more: its status is {before.status}."
    if run.verdict.episode != planned.episode:
        return "The run was resumed and failed again since the plan was made; look at it anew."
    verdict = run.verdict
    as_planned = verdict.reason is planned.reason_code and verdict.eligibility is not Eligibility.NOT_RESUMABLE
    if verdict.eligibility is Eligibility.RESUMABLE or as_planned:
        return ""
    return explain(verdict.reason).sentence
