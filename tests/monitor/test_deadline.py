"""Until when a run can be resumed: the proofs in their order, and what never moves a deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.deadline import LATE_COMMIT, deadline
from monitor.story import StatusFacts, Story
from monitor.verdict import RESUME_WINDOW, Deadline, DeadlineProof
from tests.monitor.stories import FAILED, RUN, STARTED, failed_run, log, second_failure

MINUTE = timedelta(minutes=1)


def _without(story: Story, *kinds: str) -> Story:
    return replace(story, log=tuple(entry for entry in story.log if entry.kind not in kinds))


def _bounds(found: Deadline | None) -> tuple[timedelta, timedelta, DeadlineProof]:
    """The two ends of the failure's moment, relative to FAILED, and the proof."""
    assert found is not None
    return found.earliest - RESUME_WINDOW - FAILED, found.latest - RESUME_WINDOW - FAILED, found.proof


def test_the_fail_run_milestone_tells_the_moment() -> None:
    """Both ends of the interval are the same second."""
    assert _bounds(deadline(failed_run())) == (timedelta(), timedelta(), DeadlineProof.FAIL_RUN_MILESTONE)


def test_without_it_the_step_s_milestone_tells_it_up_to_the_poll_that_saw_the_error() -> None:
    """The run failed with its step or shortly after."""
    found = deadline(_without(failed_run(), "FailInstance"))
    assert _bounds(found) == (timedelta(), MINUTE, DeadlineProof.FAIL_STEP_MILESTONE)


def test_without_a_log_two_polls_enclose_it() -> None:
    """Between the poll that last saw the run in progress, less a late commit, and the one that saw it failed."""
    found = deadline(failed_run(log=()))
    assert _bounds(found) == (-MINUTE - LATE_COMMIT, MINUTE, DeadlineProof.POLL_BRACKET)


def test_a_run_first_seen_failed_cannot_have_failed_before_its_newest_row_was_made() -> None:
    """All that is known of a first sync without log access."""
    seen = StatusFacts(RUN, None, "Error", None, FAILED + timedelta(days=2))
    found = deadline(failed_run(log=(), status_changes=(seen,)))
    assert _bounds(found) == (STARTED - FAILED, timedelta(days=2), DeadlineProof.STEP_OR_STAGE_ROW)


def test_without_rows_it_cannot_have_failed_before_it_was_made() -> None:
    """Neither log nor rows: from the run's creation to the first sight of it."""
    seen = StatusFacts(RUN, None, "Error", None, FAILED + timedelta(days=2))
    found = deadline(failed_run(log=(), stages=(), steps=(), status_changes=(seen,)))
    assert _bounds(found) == (STARTED - FAILED, timedelta(days=2), DeadlineProof.POLL_BRACKET)


def test_of_two_failures_the_newer_counts() -> None:
    """A resume starts a new episode; the failure before it is history."""
    again = FAILED + timedelta(days=3)
    story = second_failure(again)
    assert _bounds(deadline(story)) == (timedelta(days=3),) * 2 + (DeadlineProof.FAIL_RUN_MILESTONE,)
    assert story.episode == 2


def test_a_failure_that_was_handled_does_not_count() -> None:
    """Fail Run may be logged when a fault path takes over; the newest of an episode is the one that stayed."""
    later = log("FailInstance", FAILED + timedelta(hours=5), 9)
    story = failed_run()
    story = replace(story, log=(*story.log, later))
    assert _bounds(deadline(story))[0] == timedelta(hours=5)
    assert story.episode == 1


def test_a_milestone_older_than_a_poll_that_saw_the_run_alive_is_not_believed_alone() -> None:
    """Then it failed again without a milestone that we see: from the known failure to the poll, never averaged."""
    seen = StatusFacts(RUN, "InProgress", "Error", FAILED + timedelta(days=1), FAILED + timedelta(days=1, hours=1))
    found = deadline(failed_run(status_changes=(seen,)))
    assert _bounds(found) == (timedelta(), timedelta(days=1, hours=1), DeadlineProof.FAIL_RUN_MILESTONE)


def test_a_resume_without_a_newer_failure_milestone_bounds_the_failure() -> None:
    """The run fell into Error after it was resumed, whatever else is missing."""
    resumed = FAILED + timedelta(hours=1)
    story = failed_run(of_run={"system_modstamp": FAILED + timedelta(hours=3)})
    seen = StatusFacts(RUN, "InProgress", "Error", None, FAILED + timedelta(hours=3))
    story = replace(story, log=(*story.log, log("ResumeInstance", resumed, 9)), status_changes=(seen,))
    assert _bounds(deadline(story))[:2] == (timedelta(hours=1), timedelta(hours=3))
    assert story.episode == 2


@pytest.mark.parametrize("status", ["InProgress", "Completed", "Suspended", "Canceled"])
def test_a_run_that_is_not_in_error_has_no_deadline(status: str) -> None:
    """There is nothing to resume as a failed run."""
    assert deadline(failed_run(of_run={"status": status})) is None


def test_a_start_milestone_that_is_not_the_first_is_a_resume() -> None:
    """Help says that Start Run is logged when a run is manually resumed too."""
    restarted = log("StartInstance", FAILED + timedelta(hours=1), 9)
    story = failed_run()
    story = replace(story, log=(*story.log, restarted))
    assert story.resumed_at == FAILED + timedelta(hours=1)
