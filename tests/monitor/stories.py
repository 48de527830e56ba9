"""Small hand-made stories for tests of pure functions: a run whose step failed, to be changed with `replace`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.story import InterviewFacts, LogFacts, RunFacts, StageFacts, StatusFacts, StepFacts, Story

FAILED = datetime(2026, 11, 10, 9, 0, 0, tzinfo=UTC)
STARTED = FAILED - timedelta(hours=3)
NOW = FAILED + timedelta(days=2)
RUN, STAGE, STEP = "0jE000000000001EAA", "0jF000000000001EAA", "0jL000000000001EAA"


def log(kind: str, at: datetime, number: int = 0, **more: Any) -> LogFacts:
    """A milestone of the run."""
    return LogFacts(RUN, f"0jK{number:015d}", kind, at, version=3, **more)


def step(**changes: Any) -> StepFacts:
    """The step that failed."""
    made = StepFacts(RUN, STEP, "Error", STAGE, "Credit", "Call_Bureau", "Call the bureau", "BackgroundStep", STARTED)
    return made._replace(**changes)


def failed_run(**changes: Any) -> Story:
    """A run whose background step `Call_Bureau` of stage `Credit` failed at FAILED, with every evidence there is."""
    run = RunFacts(
        "00D000000000001EAA",
        RUN,
        "Error",
        name="R-1",
        current_stage="Credit",
        interview_id="0Fo000000000001CAA",
        orchestration="Loan",
        triggering_record="001000000000001AAA",
        created_at=STARTED,
        system_modstamp=FAILED,
        first_seen_at=STARTED,
    )
    where = {"stage_name": "Credit", "step_name": "Call_Bureau"}
    facts: dict[str, Any] = {
        "run": run._replace(**changes.pop("of_run", {})),
        "stages": (StageFacts(RUN, STAGE, "Error", "Credit", "Credit check", STARTED),),
        "steps": (step(),),
        "log": (
            log("StartInstance", STARTED, 1),
            log("StartStep", STARTED, 2, **where),
            log("FailStep", FAILED, 3, **where),
            log("FailInstance", FAILED, 4),
        ),
        "status_changes": (
            StatusFacts(RUN, "InProgress", "Error", FAILED - timedelta(minutes=1), FAILED + timedelta(minutes=1)),
        ),
        "interview": InterviewFacts("0Fo000000000001CAA", True, "REQUIRED_FIELD_MISSING: [Income__c]", FAILED),
        "as_of": NOW - timedelta(minutes=1),
    }
    return Story(**(facts | changes))


def second_failure(again: datetime) -> Story:
    """The same run, resumed an hour before it failed once more at `again`."""
    story = failed_run(of_run={"system_modstamp": again})
    where = {"stage_name": "Credit", "step_name": "Call_Bureau"}
    newer = (
        log("ResumeInstance", again - timedelta(hours=1), 11),
        log("StartInstance", again - timedelta(hours=1), 12),
        log("FailStep", again, 13, **where),
        log("FailInstance", again, 14),
    )
    return replace(story, log=(*story.log, *newer))
