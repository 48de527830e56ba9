"""What is said of a run after a resume of ours that the org refused, or that changed nothing but a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.org.switches import ResumeWrite, Switches
from monitor import documents, read
from monitor.ledger import AttemptOutcome
from monitor.rows import RunDetail, RunFilter
from monitor.story import AttemptFacts, Story
from monitor.triage import judge, triage
from monitor.verdict import Confidence, Eligibility, ReasonCode
from tests.mirrors import empty_mirror
from tests.monitor.stories import FAILED, NOW, RUN, failed_run, log, step
from tests.monitor.test_triage import KNOWN_CALL
from tests.monitor.workshop import Workshop, workshop
from tests.schemas import fits

LATER = FAILED + timedelta(hours=1)


def _tried(outcome: AttemptOutcome, **more: Any) -> AttemptFacts:
    return AttemptFacts(RUN, LATER, False, 1, outcome)._replace(**more)


def _shown(work: Workshop, run: str) -> RunDetail:
    found = read.run(work.engine, work.now(), run)
    fits("show", documents.run(found, work.now()))
    return found


def _against(found: RunDetail) -> str:
    return " ".join(fact.fact for fact in found.evidence if fact.contradicts)


def test_a_run_that_only_got_another_label_needs_eyes(tmp_path: Path) -> None:
    """It says InProgress, its step is still in Error, and its 14 days end when they did."""
    with workshop(empty_mirror(tmp_path), switches=Switches(resume_write=ResumeWrite.RELABELS)) as work:
        (run,) = work.fail_runs(1)
        work.sync()
        failed = read.run(work.engine, work.now(), run).line
        work.execute(work.plan())
        work.advance(minutes=15)
        work.verify_open()
        work.sync()
        (line,) = read.runs(work.engine, work.now(), RunFilter(needs_eyes=True)).runs
        assert (line.id, line.status, line.step) == (run, "InProgress", failed.step)
        assert line.attention is not None
        assert line.attention.startswith("The run was resumed by Reprise at ")
        assert f"step {failed.step} is still in Error" in line.attention
        assert failed.deadline_earliest is not None
        assert f"end at {failed.deadline_earliest:%Y-%m-%d %H:%MZ}" in line.attention
        assert (line.reason_code, line.confidence) == (ReasonCode.NOT_IN_ERROR, Confidence.INFERRED)
        assert (line.deadline_earliest, line.deadline_latest) == (failed.deadline_earliest, failed.deadline_latest)
        assert line.seconds_left == (failed.deadline_earliest - work.now()) // timedelta(seconds=1)
        found = _shown(work, run)
        assert "still in Error" in _against(found)
        assert [(each.outcome, each.reason) for each in found.resumes] == [("STALLED", "the quote service is back")]
        assert found.resumes[0].detail.endswith("No proof came in time, so this resume is given up.")


def test_an_attempt_without_proof_is_given_up_in_words(tmp_path: Path) -> None:
    """Until then everything says what looks for proof; then, that it is over and that the run can be resumed again."""
    with workshop(empty_mirror(tmp_path), switches=Switches(resume_write=ResumeWrite.WITHOUT_EFFECT)) as work:
        (run,) = work.fail_runs(1)
        work.sync()
        work.execute(work.plan())
        (left_out,) = work.plan([run]).excluded
        (made,) = _shown(work, run).resumes
        assert (left_out.reason_code, made.outcome) == (ReasonCode.ATTEMPT_OPEN, None)
        for said in (left_out.sentence, made.detail):
            assert "`reprise watch --once` looks for proof" in said
        work.advance(minutes=15)
        work.verify_open()
        (made,) = _shown(work, run).resumes
        assert made.outcome == "STALLED"
        assert made.detail.endswith("this resume is given up; the run can be resumed again while its 14 days last.")
        assert [planned.run for planned in work.plan([run]).included] == [run]


def test_a_run_that_was_resumed_in_earnest_needs_nobody(tmp_path: Path) -> None:
    """Its milestones and its steps move with its status."""
    with workshop(empty_mirror(tmp_path)) as work:
        (run,) = work.fail_runs(1)
        work.sync()
        work.execute(work.plan())
        work.sync()
        assert read.runs(work.engine, work.now(), RunFilter(needs_eyes=True)).total == 0
        found = _shown(work, run)
        assert _against(found) == ""
        assert [each.outcome for each in found.resumes] == ["VERIFIED"]


def test_a_refused_run_is_no_longer_proven_to_be_resumable(tmp_path: Path) -> None:
    """At once, in lists and in full, with the org's code and words; the verdict itself stays what the rows show."""
    with workshop(empty_mirror(tmp_path), switches=Switches(resume_write=ResumeWrite.REFUSED)) as work:
        (run,) = work.fail_runs(1)
        work.sync()
        work.execute(work.plan())
        (line,) = read.runs(work.engine, work.now(), RunFilter(ids=(run,))).runs
        assert (line.eligibility, line.confidence) == (Eligibility.RESUMABLE, Confidence.ASSUMED)
        found = _shown(work, run)
        (made,) = found.resumes
        assert (made.outcome, found.line.attempts) == ("REFUSED", 1)
        assert "FIELD_INTEGRITY_EXCEPTION" in made.detail
        assert f"was refused by the org: {made.detail}" in _against(found)


def test_a_refusal_of_the_person_says_nothing_of_the_run(tmp_path: Path) -> None:
    """Somebody who may only look is refused every run; the attempt is shown, and the verdict stays as sure as it was."""
    with workshop(empty_mirror(tmp_path), user="viewer") as work:
        (run,) = work.fail_runs(1)
        work.sync()
        before = read.run(work.engine, work.now(), run).line.confidence
        work.execute(work.plan())
        found = _shown(work, run)
        assert [each.outcome for each in found.resumes] == ["REFUSED"]
        assert "refused" not in _against(found)
        assert found.line.confidence is before


@pytest.mark.parametrize(
    ("attempts", "confidence"),
    [
        ((_tried(AttemptOutcome.REFUSED, mismatch=True),), Confidence.ASSUMED),
        ((_tried(AttemptOutcome.REFUSED),), Confidence.PROVEN),
        ((_tried(AttemptOutcome.STALLED),), Confidence.INFERRED),
        ((_tried(AttemptOutcome.NOT_APPLIED),), Confidence.PROVEN),
        ((_tried(AttemptOutcome.REFUSED, mismatch=True, episode=2),), Confidence.PROVEN),
    ],
    ids=["the run refused", "the person or the moment refused", "without effect", "never arrived", "another failure"],
)
def test_what_was_tried_weighs_by_what_it_tells(attempts: Sequence[AttemptFacts], confidence: Confidence) -> None:
    """Only attempts on the present failure count, and only those that tell something of the run."""
    verdict = triage(failed_run(called_flows=KNOWN_CALL, attempts=tuple(attempts)), NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.STEP_FLOW_ERROR, confidence)


def _relabelled(**changes: Any) -> Story:
    return failed_run(of_run={"status": "InProgress", "system_modstamp": LATER}, **changes)


def test_somebody_elses_label_is_seen_without_an_attempt_of_ours() -> None:
    """With the log, or from what the polls saw where the log cannot be read."""
    (change,) = failed_run().status_changes
    back = change._replace(old_status="Error", new_status="InProgress", seen_at=LATER)
    for story in (_relabelled(), _relabelled(log=(), status_changes=(change, back))):
        assert judge(story).confidence is Confidence.INFERRED


def test_a_label_does_not_move_the_deadline() -> None:
    """It stays where the failure put it, by the log or by the polls, and the clock alone changes nothing about the verdict."""
    (change,) = failed_run().status_changes
    back = change._replace(old_status="Error", new_status="InProgress", seen_at=LATER)
    for story, unlabelled in (
        (_relabelled(), failed_run()),
        (_relabelled(log=(), status_changes=(change, back)), failed_run(log=())),
    ):
        until = judge(unlabelled).deadline
        assert until is not None
        for now in (NOW, until.latest + timedelta(days=1)):
            verdict = triage(replace(story, as_of=now), now)
            assert (verdict.deadline, verdict.reason) == (until, ReasonCode.NOT_IN_ERROR)


def test_a_plan_says_why_it_leaves_out_what_only_got_another_label(tmp_path: Path) -> None:
    """Asked for by its id, it is not called healthy: nothing moved, and until when somebody can still do something."""
    with workshop(empty_mirror(tmp_path), switches=Switches(resume_write=ResumeWrite.RELABELS)) as work:
        (run,) = work.fail_runs(1)
        work.sync()
        work.execute(work.plan())
        work.advance(minutes=15)
        work.verify_open()
        (left_out,) = work.plan([run]).excluded
        assert left_out.reason_code is ReasonCode.NOT_IN_ERROR
        assert "nothing moved" in left_out.sentence
        assert "The 14 days of its failure end at" in left_out.sentence


def test_a_run_that_moves_is_believed() -> None:
    """Its step runs again, or went on, or a resume is logged; and a row read before the failure is only old."""
    story = _relabelled()
    resumed = log("ResumeInstance", LATER, 9)
    for moving in (
        replace(story, steps=(step(status="InProgress"),)),
        replace(story, steps=(step(), step(id="0jL000000000002EAA", status="InProgress", created_at=LATER))),
        replace(story, log=(*story.log, resumed)),
        failed_run(of_run={"status": "InProgress", "system_modstamp": FAILED - timedelta(minutes=1)}),
    ):
        assert judge(moving).confidence is Confidence.PROVEN
