"""Should a run be resumed yet? What counts as a change since the failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.story import (
    CalledFlowFacts,
    FlowVersionFacts,
    InterviewFacts,
    LogFacts,
    PersonFacts,
    Sibling,
    Story,
    WorkItemFacts,
)
from monitor.triage import judge
from monitor.verdict import Readiness, ReasonCode
from tests.monitor.stories import FAILED, RUN, STEP, failed_run, log, second_failure, step

HOUR = timedelta(hours=1)
CALL = (CalledFlowFacts("Loan", 3, "Credit", "Call_Bureau", "Bureau_Call", "stepBackground"),)
PERSON = PersonFacts("005000000000001AAA", "User", "Ana Perez", "ana@acme.example", is_active=True, is_frozen=False)


def _version(
    number: int, seen: datetime, *, modified: datetime | None = None, current: bool = True
) -> FlowVersionFacts:
    return FlowVersionFacts("Bureau_Call", f"301{number:012d}AAA", number, modified, seen, current)


def _readiness(*versions: FlowVersionFacts, **changes: object) -> Readiness:
    story: Story = failed_run(**{"called_flows": CALL, "flow_versions": versions} | changes)
    return judge(story).readiness


def test_a_version_activated_after_the_failure_makes_it_ready() -> None:
    """Another version than before was seen active after the failure."""
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED + HOUR)
    assert _readiness(old, new) is Readiness.READY


def test_a_version_that_was_active_when_we_first_looked_is_news_only_if_it_was_modified() -> None:
    """The first look comes after the failure and proves nothing about when the version became active."""
    assert _readiness(_version(8, FAILED + HOUR, modified=FAILED - HOUR)) is Readiness.FIX_UNSEEN
    assert _readiness(_version(8, FAILED + HOUR, modified=FAILED + HOUR)) is Readiness.READY


def test_a_version_activated_before_the_failure_fixed_nothing() -> None:
    """It failed with that version."""
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED - HOUR)
    assert _readiness(old, new) is Readiness.FIX_UNSEEN


def test_a_flow_nobody_knows_leaves_it_unassessed() -> None:
    """Neither metadata nor a work item names the flow."""
    assert _readiness(called_flows=()) is Readiness.UNASSESSED


def test_a_work_item_names_its_screen_flow() -> None:
    """Without metadata an interactive step's flow is still known."""
    item = WorkItemFacts(RUN, "0jf000000000001AAA", STEP, "Completed", PERSON.id, "Bureau_Call")
    changes = {"called_flows": (), "work_items": (item,), "steps": (step(step_type="InteractiveStep"),)}
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED + HOUR)
    assert _readiness(old, new, people=(PERSON,), **changes) is Readiness.READY


@pytest.mark.parametrize(
    "text", ["UNABLE_TO_LOCK_ROW: row", "System.CalloutException: Read timed out", "Apex CPU time limit exceeded"]
)
def test_errors_that_pass_by_themselves_make_it_ready(text: str) -> None:
    """A record lock, a limit or a time-out may be gone already."""
    story = failed_run(interview=InterviewFacts("0Fo000000000001CAA", True, text))
    assert judge(story).readiness is Readiness.READY


@pytest.mark.parametrize(("lived", "expected"), [(True, Readiness.READY), (False, Readiness.LIKELY_TO_FAIL_AGAIN)])
def test_what_became_of_a_run_like_it_tells_most(lived: bool, expected: Readiness) -> None:
    """Another run of the same cause was resumed after the change, and went on or failed again."""
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED + HOUR)
    sibling = Sibling("0jE000000000009EAA", FAILED + 2 * HOUR, lived)
    assert _readiness(old, new, siblings=(sibling,)) is expected


def test_what_became_of_others_before_the_change_tells_nothing() -> None:
    """They were resumed into the broken version."""
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED + 5 * HOUR)
    before = Sibling("0jE000000000009EAA", FAILED + 2 * HOUR, lived=False)
    open_still = Sibling("0jE000000000008EAA", FAILED + 6 * HOUR, lived=None)
    assert _readiness(old, new, siblings=(before, open_still)) is Readiness.READY


def test_a_run_that_failed_twice_will_fail_again_unless_something_changed() -> None:
    """It was resumed into the same cause."""
    story = replace(second_failure(FAILED + 5 * HOUR), called_flows=CALL, flow_versions=(_version(8, FAILED),))
    assert judge(story).readiness is Readiness.LIKELY_TO_FAIL_AGAIN


def test_work_done_twice_needs_a_human() -> None:
    """The step ran before, and what it should make exists already: resuming repeats the error or the work."""
    duplicate = InterviewFacts("0Fo000000000001CAA", True, "DUPLICATE_VALUE: duplicate value found: Ext__c")
    story = replace(second_failure(FAILED + 5 * HOUR), interview=duplicate)
    assert judge(story).readiness is Readiness.NEEDS_HUMAN


def _assigned(person: PersonFacts, entry: LogFacts | None = None) -> Story:
    entry = entry or log("StartWorkItem", FAILED - HOUR, 8, stage_name="Credit", step_name="Call_Bureau")
    story = failed_run(steps=(step(step_type="InteractiveStep"),), people=(person,))
    return replace(story, log=(*story.log, entry._replace(assignee=person.username, assignee_type="User")))


@pytest.mark.parametrize("away", [PERSON._replace(is_active=False), PERSON._replace(is_frozen=True)])
def test_an_assignee_who_is_still_away_lets_it_fail_again(away: PersonFacts) -> None:
    """The whole cause can be seen, and it is still there."""
    verdict = judge(_assigned(away))
    assert (verdict.reason, verdict.readiness) == (ReasonCode.ASSIGNEE_INACTIVE, Readiness.LIKELY_TO_FAIL_AGAIN)


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({}, Readiness.LIKELY_TO_FAIL_AGAIN),
        ({"pending_outputs": True}, Readiness.READY),
        ({"status": "Completed"}, Readiness.READY),
        ({"step_type": "BackgroundStep"}, Readiness.READY),
    ],
)
def test_who_would_get_a_replacement_work_item_must_be_there(beside: dict[str, Any], expected: Readiness) -> None:
    """A resume starts the discontinued steps beside the failed one again: a frozen assignee of one fails the fixed run."""
    discontinued = step(id="0jL000000000002EAA", name="Checklist", status="Discontinued", step_type="InteractiveStep")
    item = WorkItemFacts(RUN, "0jf000000000001AAA", discontinued.id, "Completed", PERSON.id)
    old, new = _version(8, FAILED - 9 * HOUR, current=False), _version(9, FAILED + HOUR)
    story = failed_run(
        steps=(step(), discontinued._replace(**beside)),
        work_items=(item,),
        people=(PERSON._replace(is_frozen=True),),
        called_flows=CALL,
        flow_versions=(old, new),
    )
    verdict = judge(story)
    assert (verdict.reason, verdict.readiness) == (ReasonCode.STEP_FLOW_ERROR, expected)
    if expected is Readiness.LIKELY_TO_FAIL_AGAIN:
        assert "is still frozen" in verdict.readiness_note
        assert "Checklist" in verdict.readiness_note


def test_an_assignee_who_came_back_after_the_failure_makes_it_ready() -> None:
    """The cause stays on record although it is gone."""
    verdict = judge(_assigned(PERSON._replace(changed_at=FAILED + HOUR)))
    assert (verdict.reason, verdict.readiness) == (ReasonCode.ASSIGNEE_INACTIVE, Readiness.READY)


def test_an_assignee_who_was_there_all_the_time_is_not_the_cause() -> None:
    """Then the screen flow was."""
    assert judge(_assigned(PERSON._replace(changed_at=FAILED - HOUR))).reason is ReasonCode.SCREEN_FLOW_ERROR


def test_what_cannot_be_resumed_is_not_assessed() -> None:
    """There is no should without a can."""
    assert judge(failed_run(approval_submission="0aX000000000001AAA")).readiness is Readiness.UNASSESSED
