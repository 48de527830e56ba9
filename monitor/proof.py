"""Settling resume attempts by reading: the runs concerned are read from the org again and compared with their baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Engine

from connector.mirror.engine import find_org, org_now
from connector.org.client import OrgClient
from connector.report import SyncOutcome
from connector.settings import SyncSettings
from connector.sync import sync
from monitor import attempts
from monitor.assess import assess
from monitor.attempts import Settlement
from monitor.ledger import AttemptOutcome, ResumeAttempt
from monitor.settings import ResumeSettings
from monitor.stories import VERDICT_KINDS
from monitor.story import ERROR
from monitor.verify import Snapshot, judge, snapshots


class BatchOutcome(StrEnum):
    """How a resume ended, by what was proven. There is no plain "completed"."""

    DRY_RUN = "DRY_RUN"
    ALL_VERIFIED = "ALL_VERIFIED"
    PARTIAL = "PARTIAL"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one run of a batch, in a word and in a sentence."""

    run: str
    outcome: AttemptOutcome
    detail: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What one look at the open attempts of an org settled, and how many are still open."""

    settled: tuple[Attempt, ...] = ()
    still_open: int = 0
    api_calls: int = 0


@dataclass(frozen=True, slots=True)
class OrgReader:
    """Reads single runs of one org into the mirror. `clock` is ours; the org's time is worked out from it."""

    client: OrgClient
    engine: Engine
    clock: Callable[[], datetime]
    sync_settings: SyncSettings = field(default_factory=SyncSettings)

    @property
    def org_id(self) -> str:
        """The org that the client is signed in to."""
        return self.client.identity.org_id

    def now(self) -> datetime:
        """The org's present time."""
        return org_now(find_org(self.engine, self.org_id), self.clock())

    def refresh(self, runs: Sequence[str]) -> bool:
        """Read these runs, and what is below them, again; whether all of it could be read. Raises what sync raises.

        Of their logs only what proofs and verdicts stand on, half of what a resume writes: so the news of 1,000 runs fits
        into one call. The next sync reads the rest.
        """
        report = sync(self.client, self.engine, self.sync_settings, only_runs=runs, only_kinds=VERDICT_KINDS)
        return report.outcome is SyncOutcome.COMPLETE

    def judge(self) -> None:
        """Bring the stored verdicts up to what was read and to what the ledger says."""
        assess(self.engine, self.now(), everything=False, org_id=self.org_id)


def verify_open(
    engine: Engine,
    client: OrgClient,
    *,
    settings: ResumeSettings,
    clock: Callable[[], datetime],
    sync_settings: SyncSettings | None = None,
) -> VerifyReport:
    """Settle what a crash, a time-out or an impatient command left open; at most one read, and never a write.

    Also closes the batches that this finishes. Raises what `sync` raises; nothing is settled then.
    """
    reader = OrgReader(client, engine, clock, sync_settings or SyncSettings())
    calls = client.api_calls
    waiting = attempts.open_attempts(engine, reader.org_id)
    settled = look(reader, waiting, settings) if waiting else []
    for batch_id in attempts.unfinished_batches(engine, reader.org_id, reader.now() - settings.proof_within):
        close(engine, batch_id, reader.now())
    return VerifyReport(
        tuple(Attempt(one.attempt.run_id, one.outcome, one.detail) for one in settled),
        len(waiting) - len(settled),
        client.api_calls - calls,
    )


def look(reader: OrgReader, waiting: Sequence[ResumeAttempt], settings: ResumeSettings) -> list[Settlement]:
    """Read the runs of these open attempts once and settle those whose fate is proven, or that had their time."""
    runs = [attempt.run_id for attempt in waiting]
    complete = reader.refresh(runs)
    seen = snapshots(reader.engine, reader.org_id, runs)
    now = reader.now()
    found = []
    for attempt in waiting:
        given_up = complete and now - attempt.intended_at >= settings.proof_within
        if (settlement := _settlement(attempt, seen.get(attempt.run_id), given_up=given_up)) is not None:
            found.append(settlement)
    attempts.settle(reader.engine, found, now)
    reader.judge()
    return found


def _settlement(attempt: ResumeAttempt, seen: Snapshot | None, *, given_up: bool) -> Settlement | None:
    outcome, detail = judge(Snapshot.from_json(attempt.baseline or {}), seen)
    answered = attempt.accepted is not None
    if outcome is None and given_up:
        unchanged = seen is not None and seen.status == ERROR
        outcome = AttemptOutcome.NOT_APPLIED if unchanged and not answered else AttemptOutcome.STALLED
        again = "; the run can be resumed again while its 14 days last" if unchanged else ""
        detail = f"{detail} No proof came in time, so this resume is given up{again}."
    if outcome is None:
        return None
    return Settlement(attempt, outcome, detail if answered else f"No reply came, so the run was read. {detail}")


def close(engine: Engine, batch_id: str, now: datetime, api_calls: int = 0) -> tuple[BatchOutcome, tuple[Attempt, ...]]:
    """Record how a batch stands by its attempts, and return it; while one is open it is not finished."""
    rows = attempts.attempts_of(engine, batch_id)
    made = tuple(Attempt(row.run_id, _outcome(row), row.detail or _waits_for(row)) for row in rows)
    verified = Counter(attempt.outcome for attempt in made)[AttemptOutcome.VERIFIED]
    outcome = BatchOutcome.PARTIAL if verified else BatchOutcome.NONE
    if verified and verified == len(made):
        outcome = BatchOutcome.ALL_VERIFIED
    is_open = any(row.settled_at is None for row in rows)
    attempts.close_batch(engine, batch_id, outcome, api_calls, None if is_open else now)
    return outcome, made


def _waits_for(row: ResumeAttempt) -> str:
    """What is known of an attempt without proof, and what goes on looking."""
    known = "The org accepted it; there is no proof yet."
    if not row.accepted:
        why = f" ({row.message.rstrip('.')})" if row.message else ""
        known = f"No usable reply{why}; only reading can tell."
    return f"{known} `reprise watch --once` looks again."


def _outcome(row: ResumeAttempt) -> AttemptOutcome:
    return AttemptOutcome(row.outcome) if row.outcome else AttemptOutcome.UNVERIFIED
