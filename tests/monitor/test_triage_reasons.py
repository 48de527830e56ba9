"""Every reason code, from runs of the simulated org's engine that went over HTTP through a sync into the mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from connector.mirror.engine import writing
from fixtures.org.access import hide_name
from fixtures.org.switches import InterviewLink, ScreenFlowFault, Switches
from monitor import read
from monitor.ledger import ResumeAttempt, ResumeBatch
from monitor.rows import RunFilter, RunLine
from monitor.settings import MonitorSettings
from monitor.verdict import Eligibility, ReasonCode
from tests.mirrors import empty_mirror
from tests.monitor.workshop import Workshop, workshop

MESSAGE = "FIELD_CUSTOM_VALIDATION_EXCEPTION: {record} is wrong. Error ID: {error_id}"
OFFICER = "dana.whitfield@northwind-mutual.example"
Recipe = Callable[[Workshop], str]

DECIDED_BY_A_PLAN = {ReasonCode.NO_PERMISSION, ReasonCode.READ_ONLY, ReasonCode.POLICY_BLOCKED}
"""No fact about a run: who we are and what the settings allow. A resume's plan says these."""


def _broken_flow(work: Workshop) -> str:
    work.org.world.break_flow("Loan_Pull_Credit_Report", MESSAGE)
    return work.org.world.start("Loan_Origination", "a0L000000000001")


def _broken_screen_flow(work: Workshop) -> str:
    world = work.org.world
    world.switches = Switches(screen_flow_fault=ScreenFlowFault.FAILS_THE_RUN)
    world.break_flow("Loan_Verify_Documents", MESSAGE)
    run = world.start("Loan_Origination", "a0L000000000002")
    (item,) = world.store.rows("FlowOrchestrationWorkItem", Status="Assigned")
    world.complete_work_item(item["Id"])
    return run


def _absent_assignee(work: Workshop) -> str:
    world = work.org.world
    run = world.start("KYC_Review", "a0K000000000001")
    world.choose_assignee(run, "Officer_Decision", OFFICER)
    world.freeze_user(OFFICER)
    return run


def _wrong_assignee(work: Workshop) -> str:
    run = work.org.world.start("KYC_Review", "a0K000000000002")
    work.org.world.choose_assignee(run, "Officer_Decision", "nobody@nowhere.example")
    return run


def _broken_action(work: Workshop) -> str:
    work.org.world.break_action("Warehouse_Check_Inventory", MESSAGE)
    return work.org.world.start("Order_Fallout", "801000000000001")


def _broken_stage(work: Workshop) -> str:
    work.org.world.break_stage("Contract_Renewal", "Offer", MESSAGE)
    return work.org.world.start("Contract_Renewal", "800000000000001")


def _approval(work: Workshop) -> str:
    world = work.org.world
    world.break_flow("Discount_Apply", MESSAGE)
    run = world.start("Discount_Approval", "006000000000001")
    (item,) = world.store.rows("FlowOrchestrationWorkItem", Status="Assigned")
    world.complete_work_item(item["Id"])
    return run


def _interview_deleted(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.sync()
    work.org.world.delete_interview(run)
    work.advance(minutes=10)
    return run


def _interview_link_cleared(work: Workshop) -> str:
    work.org.world.switches = Switches(interview_link=InterviewLink.CLEARED)
    return _interview_deleted(work)


def _expired(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(days=16)
    return run


def _running(work: Workshop) -> str:
    return work.org.world.start("Loan_Origination", "a0L000000000003")


def _deleted(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.org.world.delete_run(run)
    return run


def _no_longer_shared(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.sync()
    work.unshare([run])
    return run


def _resumed_by_hand(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.sync()
    work.org.world.fix_flow("Loan_Pull_Credit_Report")
    work.org.world.resume(run)
    return run


def _attempt_open(work: Workshop) -> str:
    run = _broken_flow(work)
    batch = {"id": "b", "org_id": work.org.org_id, "plan_id": "p", "plan_hash": "h", "actor": "ada", "reason": "r"}
    facts = {"target_status": "InProgress", "planned": 1, "started_at": work.now(), "api_calls": 0}
    attempt = {"id": "a", "batch_id": "b", "org_id": work.org.org_id, "run_id": run, "episode": 1}
    said = {"eligibility": "RESUMABLE", "reason_code": "STEP_FLOW_ERROR", "intended_at": work.now()}
    with writing(work.engine) as connection:
        connection.execute(insert(ResumeBatch), [batch | facts])
        connection.execute(insert(ResumeAttempt), [attempt | said | {"detail": "", "mismatch": False}])
    return run


def _new_status(work: Workshop) -> str:
    run = _running(work)
    with work.org.world.store.transaction() as tx:
        tx.update("FlowOrchestrationInstance", run, Status="Hibernating")
    return run


def _hidden_steps(work: Workshop) -> str:
    hide_name(work.org.world.store, "FlowOrchestrationStepInstance")
    return _broken_flow(work)


def _no_logs(recipe: Recipe) -> Recipe:
    """The same failure, seen by somebody who may not read logs."""

    def cooked(work: Workshop) -> str:
        hide_name(work.org.world.store, "FlowOrchestrationLog")
        return recipe(work)

    return cooked


def _old_data(work: Workshop) -> str:
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.sync()
    work.advance(hours=3)
    return run


def _roughly_known(work: Workshop) -> str:
    run = _no_logs(_broken_flow)(work)
    work.advance(days=1)
    work.sync()  # seen a day late, and no log to say since when
    work.advance(days=13, hours=12)
    return run


RECIPES: dict[str, tuple[Recipe, ReasonCode]] = {
    "a background step's flow": (_broken_flow, ReasonCode.STEP_FLOW_ERROR),
    "a screen flow": (_broken_screen_flow, ReasonCode.SCREEN_FLOW_ERROR),
    "a frozen assignee": (_absent_assignee, ReasonCode.ASSIGNEE_INACTIVE),
    "an assignee who is nobody": (_wrong_assignee, ReasonCode.ASSIGNEE_UNRESOLVED),
    "a MuleSoft action": (_broken_action, ReasonCode.MULESOFT_ACTION),
    "a stage's own evaluation": (_broken_stage, ReasonCode.OUTSIDE_STEP),
    "an approval process": (_approval, ReasonCode.APPROVAL_RUN),
    "an interview deleted": (_interview_deleted, ReasonCode.INTERVIEW_GONE),
    "an interview unlinked": (_interview_link_cleared, ReasonCode.INTERVIEW_GONE),
    "sixteen days ago": (_expired, ReasonCode.WINDOW_EXPIRED),
    "nothing failed": (_running, ReasonCode.NOT_IN_ERROR),
    "the run deleted": (_deleted, ReasonCode.RUN_DELETED),
    "the run no longer shared": (_no_longer_shared, ReasonCode.RUN_NOT_VISIBLE),
    "resumed by hand": (_resumed_by_hand, ReasonCode.RESUMED_ELSEWHERE),
    "our attempt on its way": (_attempt_open, ReasonCode.ATTEMPT_OPEN),
    "a status of next year": (_new_status, ReasonCode.UNRECOGNISED_STATUS),
    "step rows hidden": (_hidden_steps, ReasonCode.NO_STEP_ROWS),
    "logs hidden, outside of steps": (_no_logs(_broken_stage), ReasonCode.NO_LOG_ACCESS),
    "old data": (_old_data, ReasonCode.STALE_DATA),
    "a moment known roughly": (_roughly_known, ReasonCode.FAIL_TIME_UNKNOWN),
}


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workshop]:
    """An empty org and its mirror."""
    with workshop(empty_mirror(tmp_path)) as opened:
        yield opened


def _line(work: Workshop, recipe: Recipe) -> RunLine:
    run = recipe(work)
    if recipe is not _old_data:
        work.advance(minutes=5)
        work.sync()
    (line,) = read.runs(work.engine, work.now(), RunFilter(ids=(run,))).runs
    return line


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_of_the_engine_gets_its_reason(work: Workshop, name: str) -> None:
    """What happened is what the verdict and the filter say, and the engine agrees with the eligibility."""
    recipe, expected = RECIPES[name]
    line = _line(work, recipe)
    assert line.reason_code is expected
    found = read.runs(work.engine, work.now(), RunFilter(reason=expected)).runs  # the same in SQL
    assert line.id in {each.id for each in found}
    assert {each.reason_code for each in found} == {expected}
    if line.eligibility is not Eligibility.UNKNOWN and expected not in {
        ReasonCode.RUN_DELETED,
        ReasonCode.ATTEMPT_OPEN,
    }:
        refusal = work.org.world.resume_refusal(line.id)
        assert (refusal is None) == (line.eligibility is Eligibility.RESUMABLE)


def test_every_reason_code_is_in_the_table() -> None:
    """No code exists that no run can have, but for those that a plan decides."""
    assert {code for _, code in RECIPES.values()} | DECIDED_BY_A_PLAN == set(ReasonCode)


def test_a_failure_outside_of_steps_keeps_no_deadline(work: Workshop) -> None:
    """Where nothing can be resumed there is no countdown."""
    line = _line(work, _broken_stage)
    assert (line.deadline_earliest, line.seconds_left) == (None, None)
    assert line.failed_at is not None


def test_a_second_failure_starts_a_new_episode_with_a_new_deadline(work: Workshop) -> None:
    """After a resume that failed again the deadline counts from the newer failure."""
    run = _broken_flow(work)
    work.advance(minutes=10)
    work.sync()
    (first,) = read.runs(work.engine, work.now(), RunFilter(ids=(run,))).runs
    work.advance(days=3)
    work.org.world.resume(run)
    work.advance(minutes=10)
    work.sync()
    (second,) = read.runs(work.engine, work.now(), RunFilter(ids=(run,))).runs
    assert first.deadline_earliest is not None
    assert second.deadline_earliest is not None
    assert second.deadline_earliest - first.deadline_earliest >= timedelta(days=3)
    assert read.run(work.engine, work.now(), run).line.reason_code is ReasonCode.STEP_FLOW_ERROR


def test_the_error_text_is_masked_unless_the_settings_say_otherwise(work: Workshop) -> None:
    """Ids of records are hidden from those who need not see them."""
    line = _line(work, _broken_flow)
    assert line.error is not None
    assert "a0L" not in line.error
    settings = MonitorSettings(mask=False)
    (bare,) = read.runs(work.engine, work.now(), RunFilter(ids=(line.id,)), settings=settings).runs
    assert "a0L000000000001" in (bare.error or "")
