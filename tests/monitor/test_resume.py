"""Resuming runs of the simulated org over HTTP: what is sent, how often, and when it counts as done."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ApiLimitReached, MirrorUnusable, NothingMatched, Refused
from connector.mirror.tables import LogEntry
from connector.settings import SyncSettings
from connector.sync import sync
from fixtures.org.faults import Fault, Kind
from fixtures.org.switches import OTHER_RESUME_VALUE, ResumeMilestones, ResumeWrite, Rows, Switches
from monitor import attempts, read
from monitor.attempts import Intent, Settlement
from monitor.ledger import AttemptOutcome, OrgProof, ResumeAttempt, ResumeBatch
from monitor.plans import seal
from monitor.resume import BatchOutcome
from monitor.rows import RunFilter
from monitor.settings import ResumeSettings
from monitor.verdict import Eligibility, ReasonCode
from tests.connector.peers import runs_to_judge
from tests.mirrors import empty_mirror
from tests.monitor.workshop import ALLOWED, Workshop, workshop

ROOT = Path(__file__).parent.parent.parent
COLLECTIONS = "PATCH /services/data/v[0-9.]+/composite/sobjects"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A SQLite mirror, for what does not depend on the store."""
    return empty_mirror(tmp_path)


@pytest.fixture
def shop(url: str) -> Iterator[Workshop]:
    """A workshop where every question about Salesforce has its likeliest answer."""
    with workshop(url) as made:
        yield made


def outcomes(batch: Any) -> Counter[str]:
    """How often each outcome came."""
    return Counter(str(attempt.outcome) for attempt in batch.attempts)


@contextmanager
def lock_held_elsewhere(shop: Workshop) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to the shop's mirror until its standard input ends."""
    program = (
        "import sys; from sqlalchemy import create_engine; from connector.mirror.lock import writer_lock\n"
        "with writer_lock(create_engine(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, str(shop.engine.url)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_runs_of_a_fixed_flow_are_resumed_and_proven(database_url: str) -> None:
    """Runs whose flow was fixed go on, each is VERIFIED by later evidence, and the ledger tells who, why and on what proof."""
    with workshop(database_url) as shop:
        runs = shop.fail_runs(3)
        shop.sync()
        batch = shop.execute(shop.plan())
        assert batch.outcome is BatchOutcome.ALL_VERIFIED
        assert {attempt.run for attempt in batch.attempts} == set(runs)
        assert {shop.status(run) for run in runs} == {"InProgress"}
        (kept,) = shop.rows(ResumeBatch)
        assert (kept.actor, kept.reason, kept.outcome) == ("ada", "the quote service is back", "ALL_VERIFIED")
        assert kept.finished_at is not None
        assert {attempt.outcome for attempt in shop.rows(ResumeAttempt)} == {"VERIFIED"}
        assert "milestone Resume Run" in batch.attempts[0].detail


def test_the_first_verified_resume_proves_the_org(shop: Workshop) -> None:
    """A plan says "not proven here" until a resume of this org was verified."""
    runs = shop.fail_runs(2)
    shop.sync()
    first = shop.plan([runs[0]])
    shop.execute(first)
    second = shop.plan([runs[1]])
    assert (first.proven_here, second.proven_here) == (False, True)
    (proof,) = shop.rows(OrgProof)
    assert (proof.run_id, proof.target_status) == (runs[0], "InProgress")


def test_a_bulk_resume_costs_one_read_one_write_per_chunk_and_one_read_per_look(shop: Workshop) -> None:
    """100 runs in chunks of 20: 5 writes, one preflight and one look, counted by the org, as for 1,000 in chunks of 200."""
    shop.fail_runs(100)
    shop.sync()
    plan = shop.plan()
    before = shop.org.api_calls()
    batch = shop.execute(plan, ALLOWED.model_copy(update={"chunk": 20}))
    assert batch.outcome is BatchOutcome.ALL_VERIFIED
    assert shop.writes() == 5
    assert (shop.org.api_calls() - before, batch.api_calls, len(shop.slept)) == (7, 7, 1)
    spent = sync(shop.client, shop.engine, SyncSettings()).spend
    assert spent is not None
    assert spent.budget.ours == shop.org.api_calls()


def test_what_the_ledger_says_of_a_run_waits_to_be_judged(shop: Workshop) -> None:
    """A process that dies right after it leased a run, or settled an attempt on it, leaves word of that."""
    (run,) = shop.fail_runs(1)
    shop.sync()
    shop.execute(shop.plan())
    (attempt,) = shop.rows(ResumeAttempt)
    shop.sync()
    assert runs_to_judge(shop.engine) == set()
    attempts.settle(shop.engine, [Settlement(attempt, AttemptOutcome.STALLED, "")], shop.now())
    assert runs_to_judge(shop.engine) == {run}
    attempts.answer(shop.engine, [attempt], {}, shop.now(), 1)
    assert runs_to_judge(shop.engine) == {run}
    (batch,) = shop.rows(ResumeBatch)
    intent = Intent(run, 1, Eligibility.RESUMABLE, ReasonCode.STEP_FLOW_ERROR, {}, 1)
    assert [one.run_id for one in attempts.lease(shop.engine, batch, [intent], shop.now())] == [run]
    assert runs_to_judge(shop.engine) == {run}


def test_a_look_reads_of_the_log_only_what_proofs_and_verdicts_stand_on(shop: Workshop) -> None:
    """So that the news of 1,000 runs fits into one call; the next sync reads the rest."""
    shop.fail_runs(1)
    shop.advance(minutes=30)
    shop.sync()
    shop.execute(shop.plan())
    assert [row.kind for row in shop.rows(LogEntry)].count("StartStep") == 1
    shop.sync()
    assert [row.kind for row in shop.rows(LogEntry)].count("StartStep") == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"settings": ResumeSettings()}, "only reads"),
        ({"reason": "  "}, "needs a reason"),
        ({"actor": ""}, "who asks"),
    ],
)
def test_nothing_is_sent_without_permission_reason_and_name(shop: Workshop, change: dict[str, Any], says: str) -> None:
    """Writes that the settings do not allow, or that nobody explains or signs, are refused before anything happens."""
    shop.fail_runs(1)
    shop.sync()
    with pytest.raises(Refused, match=says):
        shop.execute(shop.plan(), **change)
    assert (shop.writes(), shop.rows(ResumeBatch)) == (0, [])


def test_an_expired_plan_is_refused(shop: Workshop) -> None:
    """After a quarter of an hour runs may have moved on, so the plan no longer counts."""
    shop.fail_runs(1)
    shop.sync()
    plan = shop.plan()
    shop.advance(minutes=16)
    with pytest.raises(Refused, match="expired"):
        shop.execute(plan)
    assert shop.writes() == 0


def test_a_plan_for_another_org_is_refused(shop: Workshop) -> None:
    """A sandbox copy has the same run ids as production, so the org's own id decides."""
    shop.fail_runs(1)
    shop.sync()
    plan = seal(replace(shop.plan(), org_id="00DRM000000000000A"))
    with pytest.raises(Refused, match="sign-in is to") as refused:
        shop.execute(plan)
    assert "REPRISE_INSTANCE_URL" in refused.value.next_step
    assert shop.writes() == 0


def test_a_plan_cannot_choose_what_is_written(shop: Workshop) -> None:
    """A plan is a file that anybody can write: one that would cancel the runs is refused."""
    shop.fail_runs(1)
    shop.sync()
    with pytest.raises(Refused, match="writes the status Canceled"):
        shop.execute(seal(replace(shop.plan(), target_status="Canceled")))
    assert shop.writes() == 0


def test_a_plan_cannot_smuggle_in_a_run_that_cannot_be_resumed(shop: Workshop) -> None:
    """A forged plan with a fitting hash meets the preflight, which judges every run anew."""
    shop.org.world.break_action("Warehouse_Check_Inventory", "502 from the warehouse")
    hopeless = shop.org.world.start("Order_Fallout")
    (run,) = shop.fail_runs(1)
    shop.sync()
    plan = shop.plan([run])
    forged = replace(plan.included[0], run=hopeless, reason_code=ReasonCode.MULESOFT_ACTION)
    batch = shop.execute(seal(replace(plan, included=(forged,))))
    assert outcomes(batch) == {"SKIPPED": 1}
    assert shop.writes() == 0


def test_a_plan_without_runs_is_refused(shop: Workshop) -> None:
    """When every chosen run was left out there is nothing to execute."""
    runs = shop.fail_runs(1)
    shop.org.world.resume(runs[0])
    shop.sync()
    with pytest.raises(NothingMatched):
        shop.execute(shop.plan(runs))


@pytest.mark.parametrize("write", [ResumeWrite.WITHOUT_EFFECT, ResumeWrite.RELABELS])
def test_accepted_without_effect_is_never_verified(url: str, write: ResumeWrite) -> None:
    """An org that says 204 and does nothing, or only changes the label, leaves runs UNVERIFIED, and STALLED in the end."""
    with workshop(url, switches=Switches(resume_write=write)) as shop:
        shop.fail_runs(2)
        shop.sync()
        batch = shop.execute(shop.plan())
        assert batch.outcome is BatchOutcome.NONE
        assert outcomes(batch) == {"UNVERIFIED": 2}
        assert "accepted it; there is no proof yet. `reprise watch --once` looks again." in batch.attempts[0].detail
        shop.advance(minutes=15)
        report = shop.verify_open()
        assert [one.outcome for one in report.settled] == [AttemptOutcome.STALLED] * 2
        assert (shop.rows(OrgProof), shop.writes()) == ([], 1)
        (kept,) = shop.rows(ResumeBatch)
        assert (kept.outcome, kept.finished_at is not None) == ("NONE", True)


def test_a_refusal_is_kept_verbatim_and_contradicts_the_verdict(url: str) -> None:
    """The org's code and text are the outcome, and a RESUMABLE verdict that was refused counts as a mismatch."""
    with workshop(url, switches=Switches(resume_write=ResumeWrite.REFUSED)) as shop:
        shop.fail_runs(1)
        shop.sync()
        batch = shop.execute(shop.plan())
        assert outcomes(batch) == {"REFUSED": 1}
        (attempt,) = shop.rows(ResumeAttempt)
        assert attempt.code == "FIELD_INTEGRITY_EXCEPTION"
        assert attempt.message in batch.attempts[0].detail
        assert attempt.mismatch
        assert shop.slept == []


def test_a_missing_permission_is_refused_without_blaming_the_verdict(url: str) -> None:
    """Somebody who may only look is refused by the org; that says nothing about the run."""
    with workshop(url, user="viewer") as shop:
        shop.fail_runs(1)
        shop.sync()
        batch = shop.execute(shop.plan())
        assert outcomes(batch) == {"REFUSED": 1}
        (attempt,) = shop.rows(ResumeAttempt)
        assert not attempt.mismatch
        assert attempt.detail.startswith("NO_PERMISSION: ")


def test_the_value_that_is_written_is_a_setting(url: str) -> None:
    """An org that wants another Status value is served by a setting, and each value is proven by itself."""
    with workshop(url, switches=Switches(resume_write=ResumeWrite.OTHER_VALUE)) as shop:
        shop.fail_runs(1)
        shop.sync()
        assert outcomes(shop.execute(shop.plan())) == {"REFUSED": 1}
        other = ALLOWED.model_copy(update={"target_status": OTHER_RESUME_VALUE})
        assert shop.execute(shop.plan(settings=other), other).outcome is BatchOutcome.ALL_VERIFIED
        assert [proof.target_status for proof in shop.rows(OrgProof)] == [OTHER_RESUME_VALUE]


@pytest.mark.parametrize(
    ("switches", "user"),
    [
        (Switches(resume_milestones=ResumeMilestones.START_ONLY), "run.manager"),
        (Switches(resume_milestones=ResumeMilestones.RESUME_ONLY), "run.manager"),
        (Switches(resume_rows=Rows.NEW), "run.manager"),
        (Switches(), "no.logs"),
        (Switches(resume_rows=Rows.NEW), "no.logs"),
    ],
)
def test_proof_does_not_depend_on_what_salesforce_leaves_open(url: str, switches: Switches, user: str) -> None:
    """Whichever milestones a resume writes, in old rows or new ones, with or without access to the log: it is proven."""
    with workshop(url, switches=switches, user=user) as shop:
        runs = shop.fail_runs(1)
        shop.sync()
        assert shop.execute(shop.plan(runs)).outcome is BatchOutcome.ALL_VERIFIED


@pytest.mark.parametrize("user", ["run.manager", "no.logs"])
def test_a_run_that_fails_again_is_told_apart_from_one_that_never_moved(url: str, user: str) -> None:
    """A flow that is still broken fails the run anew: FAILED_AGAIN, with or without access to the log."""
    with workshop(url, user=user) as shop:
        runs = shop.fail_runs(1, fix=False)
        shop.advance(minutes=5)
        shop.sync()
        patient = ALLOWED.model_copy(update={"first_look_after": ALLOWED.longest_wait})
        assert outcomes(shop.execute(shop.plan(runs), patient)) == {"FAILED_AGAIN": 1}


def test_after_failing_again_the_next_plan_is_about_the_second_failure(shop: Workshop) -> None:
    """A new failure is a new episode with 14 days of its own, so an old plan does not fit it any more."""
    runs = shop.fail_runs(1, fix=False)
    shop.sync()
    first = shop.plan(runs)
    shop.advance(minutes=5)
    shop.execute(first, ALLOWED.model_copy(update={"first_look_after": ALLOWED.longest_wait}))
    second = shop.plan(runs)
    assert (first.included[0].episode, second.included[0].episode) == (1, 2)
    assert first.included[0].deadline_earliest < second.included[0].deadline_earliest  # type: ignore[operator]
    assert outcomes(shop.execute(first)) == {"SKIPPED": 1}


def test_what_changed_since_the_plan_is_left_out_and_said(shop: Workshop) -> None:
    """Of a plan's runs, one resumed elsewhere, one deleted and one that failed anew are skipped; the last one is resumed."""
    elsewhere, deleted, anew, last = shop.fail_runs(4, fix=False)
    shop.sync()
    plan = shop.plan()
    world = shop.org.world
    world.resume(anew)
    shop.advance(minutes=1)
    world.fix_flow("Renewal_Build_Quote")
    world.resume(elsewhere)
    world.delete_run(deleted)
    batch = shop.execute(plan)
    assert batch.outcome is BatchOutcome.PARTIAL
    details = {attempt.run: (str(attempt.outcome), attempt.detail) for attempt in batch.attempts}
    assert details.pop(last)[0] == "VERIFIED"
    assert {outcome for outcome, _ in details.values()} == {"SKIPPED"}
    assert "not in Error any more" in details[elsewhere][1]
    assert "no longer be seen" in details[deleted][1]
    assert "failed again" in details[anew][1]


def test_an_org_that_cannot_be_read_gets_no_write(shop: Workshop) -> None:
    """Without a preflight nothing is resumed, and no lease is left behind."""
    shop.fail_runs(1)
    shop.sync()
    plan = shop.plan()
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="/composite", times=None))
    with pytest.raises(ApiLimitReached):
        shop.execute(plan)
    assert (shop.writes(), shop.rows(ResumeAttempt), shop.rows(ResumeBatch)) == (0, [], [])


def test_another_process_that_writes_to_the_mirror_is_waited_for(shop: Workshop) -> None:
    """A watch that is in the middle of its sync delays the preflight; it does not refuse the resume."""
    shop.fail_runs(1)
    shop.sync()
    plan = shop.plan()
    with lock_held_elsewhere(shop) as busy:

        def sleep(seconds: float) -> None:
            if busy.poll() is None:
                busy.communicate()  # its input ends, and so does the process
            shop.sleep(seconds)

        assert shop.execute(plan, sleep=sleep).outcome is BatchOutcome.ALL_VERIFIED
    assert shop.slept == [1.0, 2.0]  # once for the mirror, once for the proof


def test_a_mirror_that_stays_locked_refuses_the_resume(shop: Workshop) -> None:
    """After a quarter of a minute the person is told who holds the mirror, and nothing was sent."""
    shop.fail_runs(1)
    shop.sync()
    plan = shop.plan()
    with lock_held_elsewhere(shop) as busy, pytest.raises(MirrorUnusable, match=f"process {busy.pid}"):
        shop.execute(plan)
    assert (shop.writes(), sum(shop.slept)) == (0, 15)


def test_a_lost_reply_is_settled_by_reading_and_never_sent_again(shop: Workshop) -> None:
    """The org applied the write and the reply was lost: reading proves it, with exactly one write in the org's log."""
    runs = shop.fail_runs(2)
    shop.sync()
    shop.org.faults.arm(Fault(Kind.REPLY_LOST, match=COLLECTIONS))
    batch = shop.execute(shop.plan())
    assert batch.outcome is BatchOutcome.ALL_VERIFIED
    assert "No reply came" in batch.attempts[0].detail
    assert shop.writes() == 1
    assert [shop.resumes_in_org(run) for run in runs] == [1, 1]


def test_a_call_that_never_arrived_is_not_applied_and_never_sent_again(shop: Workshop) -> None:
    """The connection broke before the org did anything: UNVERIFIED at first, NOT_APPLIED once the org had its time."""
    runs = shop.fail_runs(1)
    shop.sync()
    shop.org.faults.arm(Fault(Kind.RESET, match=COLLECTIONS))
    batch = shop.execute(shop.plan())
    assert outcomes(batch) == {"UNVERIFIED": 1}
    assert re.fullmatch(
        r"No usable reply \(.+\); only reading can tell\. `reprise watch --once` looks again\.",
        batch.attempts[0].detail,
    )
    assert shop.verify_open().still_open == 1
    shop.advance(minutes=15)
    assert [one.outcome for one in shop.verify_open().settled] == [AttemptOutcome.NOT_APPLIED]
    assert shop.status(runs[0]) == "Error"
    assert shop.execute(shop.plan(runs)).outcome is BatchOutcome.ALL_VERIFIED


def test_a_spent_api_allowance_stops_the_batch(shop: Workshop) -> None:
    """When the org refuses the first chunk for want of API calls, the rest of the batch is not sent."""
    shop.fail_runs(3)
    shop.sync()
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match=COLLECTIONS))
    batch = shop.execute(shop.plan(), ALLOWED.model_copy(update={"chunk": 1}))
    assert outcomes(batch) == {"REFUSED": 1, "SKIPPED": 2}
    assert "REQUEST_LIMIT_EXCEEDED" in batch.attempts[-1].detail
    assert shop.writes() == 1


def test_trouble_while_waiting_for_proof_is_said_and_waited_out(shop: Workshop) -> None:
    """A look that fails is a problem of the batch, not its end: the next look proves the run."""
    shop.fail_runs(1)
    shop.sync()
    plan = shop.plan()
    shop.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="POST /services/data/v[0-9.]+/composite", after=1))
    batch = shop.execute(plan)
    assert batch.outcome is BatchOutcome.ALL_VERIFIED
    assert len(batch.problems) == 1


def test_two_people_at_once_make_one_call(database_url: str) -> None:
    """Two executions of the same run at the same moment: the org sees one resume, and one of the two is told why."""
    with workshop(database_url) as shop:
        runs = shop.fail_runs(1)
        shop.sync()
        plans = [shop.plan(runs), shop.plan(runs)]
        barrier = threading.Barrier(2)
        batches: list[Any] = []

        def act(plan: Any) -> None:
            barrier.wait()
            batches.append(shop.execute(plan))

        threads = [threading.Thread(target=act, args=(plan,)) for plan in plans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shop.writes() == 1
        assert shop.resumes_in_org(runs[0]) == 1
        assert sorted(str(batch.attempts[0].outcome) for batch in batches) == ["SKIPPED", "VERIFIED"]


def test_the_document_of_a_resume(shop: Workshop) -> None:
    """Scripts find outcome, batch, plan, attempts and api_calls under their promised names."""
    runs = shop.fail_runs(1)
    shop.sync()
    document = shop.execute(shop.plan()).to_json()
    assert document["schema_version"] == 1
    assert (document["outcome"], document["api_calls"], document["verified"]) == ("ALL_VERIFIED", 3, 1)
    assert document["attempts"][0]["run"] == runs[0]
    assert set(document["attempts"][0]) == {"run", "outcome", "detail"}
    assert document["plan"]["included"][0]["run"] == runs[0]
    assert document["batch"] == shop.rows(ResumeBatch)[0].id


def test_our_own_resumes_are_told_from_those_made_elsewhere(shop: Workshop) -> None:
    """Afterwards a run that we resumed is simply not in Error; one resumed in Salesforce's own screens says so."""
    ours, theirs = shop.fail_runs(2)
    shop.sync()
    plan = shop.plan()
    shop.org.world.resume(theirs)
    shop.execute(plan)
    reasons = {each.run: each.reason_code for each in shop.plan([ours, theirs]).excluded}
    assert reasons == {ours: ReasonCode.NOT_IN_ERROR, theirs: ReasonCode.RESUMED_ELSEWHERE}
    lines = read.runs(shop.engine, shop.now(), RunFilter(ids=(ours, theirs))).runs
    assert {line.id: line.attempts for line in lines} == {ours: 1, theirs: 0}
