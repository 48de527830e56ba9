"""The rules and the clock of triage on small hand-made stories, where the engine does not go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.settings import MonitorSettings
from monitor.story import AttemptFacts, CalledFlowFacts, InterviewFacts, Story
from monitor.triage import judge, triage
from monitor.verdict import Confidence, Eligibility, Readiness, ReasonCode
from tests.monitor.stories import FAILED, NOW, RUN, failed_run, log, second_failure, step

KNOWN_CALL = (CalledFlowFacts("Loan", 3, "Credit", "Call_Bureau", "Bureau_Call", "stepBackground"),)


def test_full_evidence_proves_a_verdict() -> None:
    """A background step in Error with log, interview and metadata is proven to be resumable."""
    verdict = triage(failed_run(called_flows=KNOWN_CALL), NOW)
    assert (verdict.eligibility, verdict.reason, verdict.confidence) == (
        Eligibility.RESUMABLE,
        ReasonCode.STEP_FLOW_ERROR,
        Confidence.PROVEN,
    )
    assert (verdict.stage, verdict.step, verdict.failed_at, verdict.episode) == ("Credit", "Call_Bureau", FAILED, 1)


@pytest.mark.parametrize(
    ("missing", "confidence"),
    [
        ({"called_flows": ()}, Confidence.INFERRED),
        ({"log": ()}, Confidence.INFERRED),
        ({"interview": None}, Confidence.ASSUMED),
        ({"interview": None, "log": ()}, Confidence.ASSUMED),
    ],
)
def test_missing_evidence_lowers_the_confidence(missing: dict[str, object], confidence: Confidence) -> None:
    """Each thing nobody could read is named among the evidence and makes the verdict less sure."""
    full = triage(failed_run(called_flows=KNOWN_CALL), NOW)
    verdict = triage(failed_run(**{"called_flows": KNOWN_CALL} | missing), NOW)
    assert verdict.reason is ReasonCode.STEP_FLOW_ERROR
    assert verdict.confidence is confidence
    assert {fact.fact for fact in verdict.evidence} - {fact.fact for fact in full.evidence}


def test_a_screen_flow_that_left_its_step_in_progress_is_inferred() -> None:
    """The object reference says so of interactive steps; Help says Error: both readings are resumable, this one less surely."""
    verdict = triage(failed_run(steps=(step(status="InProgress", step_type="InteractiveStep"),)), NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.SCREEN_FLOW_ERROR, Confidence.INFERRED)


@pytest.mark.parametrize("spelling", ["AynchronousBackgroundStep", "AsynchronousBackgroundStep", "BackgroundStep"])
def test_every_spelling_of_a_background_step_is_one(spelling: str) -> None:
    """The object reference prints one of them without its first s."""
    assert triage(failed_run(steps=(step(step_type=spelling),)), NOW).reason is ReasonCode.STEP_FLOW_ERROR


def test_an_undocumented_step_type_is_taken_for_mulesoft() -> None:
    """Nothing else can be behind a type that the object reference does not list, but it is only inferred."""
    verdict = triage(failed_run(steps=(step(step_type="IntegrationStep"),)), NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.MULESOFT_ACTION, Confidence.INFERRED)


def test_metadata_speaks_louder_than_an_undocumented_step_type() -> None:
    """A step that is known to call a flow is no MuleSoft step; the strange type is listed as a contradiction."""
    verdict = triage(failed_run(steps=(step(step_type="IntegrationStep"),), called_flows=KNOWN_CALL), NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.STEP_FLOW_ERROR, Confidence.INFERRED)
    assert any(fact.contradicts for fact in verdict.evidence)


def test_a_step_type_nobody_may_read_decides_nothing() -> None:
    """It may be a MuleSoft step, so the verdict is unknown until somebody may read the field."""
    assert triage(failed_run(steps=(step(step_type=None),)), NOW).reason is ReasonCode.NO_STEP_ROWS


def test_a_fault_that_was_handled_before_is_not_the_present_failure() -> None:
    """A stage left on its fault path keeps its step in Error; the run failed later, outside of steps."""
    earlier = failed_run()
    second = earlier.stages[0]._replace(
        id="0jF000000000002EAA", name="Review", status="Discontinued", created_at=FAILED
    )
    later = log("FailInstance", FAILED + timedelta(hours=1), 9)
    story = replace(
        earlier,
        run=earlier.run._replace(current_stage=None),
        stages=(*earlier.stages, second),
        log=(*earlier.log[:3], later),
    )
    assert triage(story, NOW).reason is ReasonCode.OUTSIDE_STEP


# what can no longer be seen


def test_a_run_that_vanished_is_unknown_and_its_deadline_goes_on() -> None:
    """Nobody can tell whether it was purged or is no longer shared with us; all that was known of it is still told."""
    seen = triage(failed_run(interview=None), NOW)
    verdict = triage(failed_run(interview=None, of_run={"vanished_at": NOW}), NOW)
    assert (verdict.eligibility, verdict.reason) == (Eligibility.UNKNOWN, ReasonCode.RUN_NOT_VISIBLE)
    assert (verdict.confidence, verdict.readiness) == (Confidence.ASSUMED, Readiness.UNASSESSED)
    assert verdict.deadline == seen.deadline is not None
    assert (verdict.group, verdict.step, verdict.episode) == (seen.group, seen.step, seen.episode)
    assert "cannot be seen since 2026-11-12 09:00:00Z" in verdict.evidence[0].fact
    assert set(verdict.evidence) > set(seen.evidence)


def test_a_run_that_vanished_expires_as_any_other_but_unproven() -> None:
    """Fourteen days after its failure it cannot be resumed; that nobody did before, nobody saw."""
    late = FAILED + timedelta(days=20)
    verdict = triage(failed_run(of_run={"vanished_at": NOW}, as_of=late), late)
    assert (verdict.eligibility, verdict.reason) == (Eligibility.NOT_RESUMABLE, ReasonCode.WINDOW_EXPIRED)
    assert verdict.confidence is Confidence.INFERRED


@pytest.mark.parametrize(
    ("of_run", "reason", "confidence"),
    [
        ({"flow_type": "ApprovalOrchAutolnch"}, ReasonCode.APPROVAL_RUN, Confidence.INFERRED),
        ({"status": "Completed"}, ReasonCode.NOT_IN_ERROR, Confidence.INFERRED),
        ({"status": "Suspended"}, ReasonCode.RUN_NOT_VISIBLE, Confidence.ASSUMED),
        ({"status": "Hibernating"}, ReasonCode.RUN_NOT_VISIBLE, Confidence.ASSUMED),
        ({"is_deleted": True}, ReasonCode.RUN_DELETED, Confidence.PROVEN),
    ],
)
def test_what_was_over_stays_over_out_of_sight(
    of_run: dict[str, object], reason: ReasonCode, confidence: Confidence
) -> None:
    """Hopeless, finished or deleted by the org's own word: nothing starts to burn because nobody sees it; the rest may have."""
    verdict = triage(failed_run(of_run=of_run | {"vanished_at": NOW}), NOW)
    assert (verdict.reason, verdict.confidence) == (reason, confidence)


def test_a_run_with_another_label_keeps_its_clock_out_of_sight() -> None:
    """Its fourteen days went on before it vanished, so they go on now."""
    story = failed_run(of_run={"status": "InProgress", "system_modstamp": NOW, "vanished_at": NOW})
    verdict = triage(story, NOW)
    assert verdict.reason is ReasonCode.NOT_IN_ERROR
    assert verdict.deadline is not None


def test_rows_that_vanished_below_a_run_make_nothing_surer() -> None:
    """What they showed has happened and still counts, but newer ones may be unseen as well."""
    seen = judge(failed_run(called_flows=KNOWN_CALL))
    verdict = judge(failed_run(called_flows=KNOWN_CALL, steps=(step(vanished_at=NOW),)))
    assert (verdict.reason, verdict.deadline) == (seen.reason, seen.deadline)
    assert (seen.confidence, verdict.confidence) == (Confidence.PROVEN, Confidence.INFERRED)
    assert [fact for fact in verdict.evidence if fact not in seen.evidence and fact.contradicts]


def test_a_run_row_older_than_a_resume_is_not_believed() -> None:
    """The log was read after somebody resumed the run, its row before: resuming again could start the step twice."""
    resumed = log("ResumeInstance", FAILED + timedelta(hours=1), 9)
    story = failed_run()
    verdict = triage(replace(story, log=(*story.log, resumed)), NOW)
    assert verdict.reason is ReasonCode.RESUMED_ELSEWHERE
    assert any(fact.contradicts for fact in verdict.evidence)


def test_our_own_resume_is_not_somebody_elses() -> None:
    """A run in progress after an attempt of ours has simply not failed."""
    story = failed_run(
        of_run={"status": "InProgress"}, attempts=(AttemptFacts(RUN, FAILED + timedelta(hours=1), False),)
    )
    resumed = log("ResumeInstance", FAILED + timedelta(hours=1, seconds=5), 9)
    assert triage(replace(story, log=(*story.log, resumed)), NOW).reason is ReasonCode.NOT_IN_ERROR


def test_a_failure_in_the_second_of_its_resume_is_a_failure() -> None:
    """The org's times are whole seconds: of a resume and a failure in one second the failure comes last."""
    again = FAILED + timedelta(hours=1)
    story = failed_run(of_run={"system_modstamp": again})
    entries = (
        log("ResumeInstance", again, 9),
        log("FailStep", again, 10, stage_name="Credit", step_name="Call_Bureau"),
    )
    verdict = triage(replace(story, log=(*story.log, *entries, log("FailInstance", again, 11))), NOW)
    assert (verdict.reason, verdict.failed_at, verdict.episode) == (ReasonCode.STEP_FLOW_ERROR, again, 2)


def test_a_second_failure_is_not_proven_to_have_its_own_fourteen_days() -> None:
    """No document says whether the clock starts anew, so the verdict says it is inferred."""
    verdict = triage(second_failure(FAILED + timedelta(days=1)), NOW)
    assert (verdict.eligibility, verdict.confidence, verdict.episode) == (
        Eligibility.RESUMABLE,
        Confidence.INFERRED,
        2,
    )


def test_contradictions_are_listed_and_lower_the_confidence() -> None:
    """A step in Error that no milestone names is believed, but not proven."""
    story = failed_run(called_flows=KNOWN_CALL)
    silent = replace(story, log=tuple(entry for entry in story.log if entry.kind != "FailStep"))
    verdict = triage(silent, NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.STEP_FLOW_ERROR, Confidence.INFERRED)
    assert any(fact.contradicts for fact in verdict.evidence)


def test_an_attempt_that_is_open_forbids_another() -> None:
    """Nobody knows yet what became of our own resume."""
    verdict = triage(failed_run(attempts=(AttemptFacts(RUN, NOW, True),)), NOW)
    assert (verdict.eligibility, verdict.reason) == (Eligibility.NOT_RESUMABLE, ReasonCode.ATTEMPT_OPEN)


# the clock


def _at(moment: timedelta, as_of: timedelta | None = None, story: Story | None = None) -> tuple[ReasonCode, Confidence]:
    """Reason and confidence so long after the failure, with data read so long after it (default: just now)."""
    known = FAILED + (as_of if as_of is not None else moment)
    verdict = triage(replace(story or failed_run(called_flows=KNOWN_CALL), as_of=known), FAILED + moment)
    return verdict.reason, verdict.confidence


def test_the_last_second_of_fourteen_days_still_counts() -> None:
    """Up to 14 days a run can be resumed; after that it is lost, and so close to the end both are inferred."""
    fortnight = timedelta(days=14)
    assert _at(fortnight) == (ReasonCode.STEP_FLOW_ERROR, Confidence.INFERRED)
    assert _at(fortnight + timedelta(seconds=1)) == (ReasonCode.WINDOW_EXPIRED, Confidence.INFERRED)
    assert _at(fortnight + timedelta(days=2)) == (ReasonCode.WINDOW_EXPIRED, Confidence.PROVEN)


def test_a_lost_run_is_not_called_ready() -> None:
    """Nothing can be resumed, so there is nothing to be ready for."""
    verdict = triage(replace(failed_run(), as_of=FAILED + timedelta(days=20)), FAILED + timedelta(days=20))
    assert (verdict.readiness, verdict.readiness_note) == (Readiness.UNASSESSED, "")


def test_old_data_says_nothing_about_now() -> None:
    """Past the setting's age the run may have been resumed, deleted or failed again."""
    assert _at(timedelta(hours=2), timedelta(hours=1, minutes=31))[0] is ReasonCode.STEP_FLOW_ERROR
    assert _at(timedelta(hours=2), timedelta(hours=1, minutes=29))[0] is ReasonCode.STALE_DATA


def test_a_deadline_that_passed_while_nobody_looked_is_not_called_lost() -> None:
    """It might have been resumed in time; what had expired before the last look stays expired."""
    assert _at(timedelta(days=14, hours=1), timedelta(days=13))[0] is ReasonCode.STALE_DATA
    assert _at(timedelta(days=16), timedelta(days=15))[0] is ReasonCode.WINDOW_EXPIRED


def test_a_mirror_that_was_never_read_completely_has_no_verdicts() -> None:
    """Without a complete sync nothing is known of now."""
    assert triage(failed_run(as_of=None), NOW).reason is ReasonCode.STALE_DATA


def test_how_old_data_may_be_is_a_setting() -> None:
    """Whoever syncs once a day says so."""
    story = failed_run(as_of=NOW - timedelta(hours=20))
    settings = MonitorSettings(data_max_age=timedelta(days=1))
    assert triage(story, NOW, settings).reason is ReasonCode.STEP_FLOW_ERROR


def test_between_the_two_ends_of_a_deadline_nobody_knows() -> None:
    """Without a log the failure is known only to lie between two polls."""
    moment = FAILED + timedelta(days=14)
    verdict = triage(failed_run(log=(), as_of=moment), moment)
    assert (verdict.eligibility, verdict.reason) == (Eligibility.UNKNOWN, ReasonCode.FAIL_TIME_UNKNOWN)


def test_a_failure_that_nothing_dates_is_unknown() -> None:
    """The polls say something else than the run's row, and no milestone helps: there may be no time left."""
    odd = failed_run().status_changes[0]._replace(old_status="Error", new_status="InProgress")
    verdict = triage(failed_run(log=(), status_changes=(odd,)), NOW)
    assert (verdict.eligibility, verdict.reason, verdict.deadline) == (
        Eligibility.UNKNOWN,
        ReasonCode.FAIL_TIME_UNKNOWN,
        None,
    )


def test_nothing_has_a_deadline_that_cannot_be_resumed() -> None:
    """A run whose interview is gone is not counted down."""
    gone = InterviewFacts("0Fo000000000001CAA", present=False, status="Error")
    verdict = triage(failed_run(interview=gone), NOW)
    assert (verdict.reason, verdict.deadline, verdict.failed_at) == (ReasonCode.INTERVIEW_GONE, None, FAILED)
    assert verdict.confidence is Confidence.PROVEN
    never_seen = triage(failed_run(interview=gone._replace(status=None)), NOW)
    assert (never_seen.reason, never_seen.confidence) == (ReasonCode.INTERVIEW_GONE, Confidence.INFERRED)


def test_an_interview_that_nobody_names_is_gone() -> None:
    """InterviewId is empty: there is nothing a resume could continue."""
    verdict = triage(failed_run(of_run={"interview_id": None}, interview=None), NOW)
    assert (verdict.reason, verdict.confidence) == (ReasonCode.INTERVIEW_GONE, Confidence.INFERRED)


def test_failures_of_one_kind_share_a_group_and_others_do_not() -> None:
    """The group is made of place and normalised error, not of ids, numbers or times."""
    groups = {
        text: judge(failed_run(interview=InterviewFacts("0Fo000000000001CAA", True, text))).group
        for text in (
            "FIELD_INTEGRITY: record 001000000000001AAA is locked. Error ID: 904995012-1848",
            "FIELD_INTEGRITY: record 001000000000777AAA is locked. Error ID: 1704995012-77 (-129)",
            "FIELD_INTEGRITY: record 001000000000001AAA is missing",
        )
    }
    first, second, third = groups.values()
    assert first == second
    assert first != third


def test_the_stage_of_an_unplaced_failure_is_the_log_s() -> None:
    """Without step rows the newest Fail Step milestone says where."""
    verdict = judge(failed_run(steps=(), stages=(), of_run={"current_stage": None}))
    assert (verdict.stage, verdict.step) == ("Credit", "Call_Bureau")
