"""The ledger's attempts on both stores: one lease per run, settled once, and what they prove."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from connector.mirror.engine import open_mirror
from connector.org.commands import CommandResult
from monitor import attempts
from monitor.attempts import Intent, Settlement
from monitor.ledger import AttemptOutcome, ResumeAttempt, ResumeBatch
from monitor.plans import new_id
from monitor.proof import BatchOutcome, close
from monitor.verdict import Eligibility, ReasonCode

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ORG = "00DRM000003ZjUF2A0"
RUN, OTHER = "0jERM0000004C932AE", "0jERM0000004C942AE"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty mirror with its ledger."""
    opened = open_mirror(database_url)
    yield opened
    opened.dispose()


def intent(run: str = RUN, *, tried: int = 0, eligibility: Eligibility = Eligibility.RESUMABLE) -> Intent:
    """What is about to be sent."""
    return Intent(run, 1, eligibility, ReasonCode.STEP_FLOW_ERROR, {"status": "Error"}, tried)


def batch(engine: Engine, started_at: datetime = NOW) -> ResumeBatch:
    """A batch that was just started."""
    made = ResumeBatch(
        id=new_id(),
        org_id=ORG,
        plan_id=new_id(),
        plan_hash="0" * 64,
        actor="ada",
        reason="fixed",
        target_status="InProgress",
        planned=1,
        started_at=started_at,
    )
    attempts.start_batch(engine, made)
    return made


def end(attempt: ResumeAttempt, outcome: AttemptOutcome, detail: str = "seen") -> Settlement:
    """How an attempt ends."""
    return Settlement(attempt, outcome, detail)


def test_an_open_attempt_is_a_lease(engine: Engine) -> None:
    """While one attempt on a run is open nobody else gets one, and afterwards whoever knows of it does."""
    mine = attempts.lease(engine, batch(engine), [intent(), intent(OTHER)], NOW)
    assert [attempt.run_id for attempt in mine] == [RUN, OTHER]
    assert attempts.lease(engine, batch(engine), [intent(tried=1)], NOW) == []
    attempts.settle(engine, [end(mine[0], AttemptOutcome.STALLED)], NOW)
    assert len(attempts.lease(engine, batch(engine), [intent(tried=1)], NOW)) == 1


def test_a_run_that_was_tried_since_its_baseline_gets_no_lease(engine: Engine) -> None:
    """Somebody may lease, send and settle between our baseline and our lease; the number of attempts tells."""
    (first,) = attempts.lease(engine, batch(engine), [intent(tried=0)], NOW)
    attempts.settle(engine, [end(first, AttemptOutcome.VERIFIED)], NOW)
    assert attempts.lease(engine, batch(engine), [intent(tried=0)], NOW) == []
    assert attempts.open_attempts(engine, ORG) == []


def test_skipped_attempts_hold_nothing_and_count_as_no_try(engine: Engine) -> None:
    """Nothing was sent for them, so they stand in nobody's way."""
    made = batch(engine)
    attempts.skip(engine, made, [(intent(), "it moved on")], NOW)
    assert attempts.tries(engine, ORG, [RUN])[RUN] == 0
    assert len(attempts.lease(engine, batch(engine), [intent()], NOW)) == 1
    assert close(engine, made.id, NOW)[1][0].detail == "it moved on"


def test_many_who_lease_at_once_get_one_lease(engine: Engine) -> None:
    """Eight threads with a connection each ask for the same run at the same moment: one gets it."""
    barrier = threading.Barrier(8)
    leased: list[ResumeAttempt] = []

    def ask() -> None:
        mine = batch(engine)
        barrier.wait()
        leased.extend(attempts.lease(engine, mine, [intent()], NOW))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(leased) == 1


def test_an_attempt_is_settled_once(engine: Engine) -> None:
    """Two verifiers may look at the same attempt; the second changes nothing."""
    made = batch(engine)
    (attempt,) = attempts.lease(engine, made, [intent()], NOW)
    attempts.settle(engine, [end(attempt, AttemptOutcome.VERIFIED, "first")], NOW)
    attempts.settle(engine, [end(attempt, AttemptOutcome.STALLED, "second")], NOW + timedelta(hours=1))
    (kept,) = attempts.attempts_of(engine, made.id)
    assert (kept.outcome, kept.detail, kept.settled_at) == ("VERIFIED", "first", NOW)


@pytest.mark.parametrize(
    ("eligibility", "code", "mismatch"),
    [
        (Eligibility.RESUMABLE, "FIELD_INTEGRITY_EXCEPTION", True),
        (Eligibility.RESUMABLE, "UNABLE_TO_LOCK_ROW", False),
        (Eligibility.RESUMABLE, "INSUFFICIENT_ACCESS_OR_READONLY", False),
        (Eligibility.UNKNOWN, "FIELD_INTEGRITY_EXCEPTION", False),
    ],
)
def test_a_refusal_scores_the_verdict(engine: Engine, eligibility: Eligibility, code: str, mismatch: bool) -> None:
    """A refused RESUMABLE was wrong, unless the reason lies with us or the moment; UNKNOWN had promised nothing."""
    made = batch(engine)
    leased = attempts.lease(engine, made, [intent(eligibility=eligibility)], NOW)
    attempts.answer(engine, leased, {RUN: CommandResult(RUN, False, code, "no")}, NOW, 1)
    (kept,) = attempts.attempts_of(engine, made.id)
    assert (kept.outcome, kept.code, kept.mismatch) == ("REFUSED", code, mismatch)
    assert kept.detail is not None
    assert kept.detail.endswith(f"{code}: no")


def test_neither_acceptance_nor_silence_settles_anything(engine: Engine) -> None:
    """An accepted write and a lost reply both wait for proof."""
    leased = attempts.lease(engine, batch(engine), [intent(), intent(OTHER)], NOW)
    replies = {RUN: CommandResult(RUN, True), OTHER: CommandResult(OTHER, None, "NO_REPLY", "lost")}
    attempts.answer(engine, leased, replies, NOW, 1)
    waiting = {attempt.run_id: attempt.accepted for attempt in attempts.open_attempts(engine, ORG)}
    assert waiting == {RUN: True, OTHER: None}


def test_only_a_verified_resume_proves_an_org(engine: Engine) -> None:
    """An org starts unproven, and nothing but VERIFIED changes that; each Status value is proven by itself."""
    leased = attempts.lease(engine, batch(engine), [intent(), intent(OTHER)], NOW)
    attempts.settle(engine, [end(leased[0], AttemptOutcome.STALLED)], NOW)
    assert not attempts.is_proven(engine, ORG, "InProgress")
    attempts.settle(engine, [end(leased[1], AttemptOutcome.VERIFIED)], NOW)
    assert attempts.is_proven(engine, ORG, "InProgress")
    assert not attempts.is_proven(engine, ORG, "Resumed")


def test_a_batch_stays_open_as_long_as_one_of_its_attempts(engine: Engine) -> None:
    """A batch is finished when its last attempt is settled, and its outcome is what was proven."""
    made = batch(engine)
    leased = attempts.lease(engine, made, [intent(), intent(OTHER)], NOW)
    attempts.settle(engine, [end(leased[0], AttemptOutcome.VERIFIED)], NOW)
    outcome, told = close(engine, made.id, NOW)
    assert outcome is BatchOutcome.PARTIAL
    assert [str(attempt.outcome) for attempt in told] == ["VERIFIED", "UNVERIFIED"]
    later = NOW + timedelta(seconds=1)
    assert attempts.unfinished_batches(engine, ORG, later) == []
    attempts.settle(engine, [end(leased[1], AttemptOutcome.VERIFIED)], NOW)
    assert attempts.unfinished_batches(engine, ORG, later) == [made.id]
    assert close(engine, made.id, NOW)[0] is BatchOutcome.ALL_VERIFIED
    assert attempts.unfinished_batches(engine, ORG, later) == []
