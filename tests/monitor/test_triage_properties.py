"""What holds of every verdict: edits extend nothing, order means nothing, less evidence is never more certain."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.org.errors import SalesforceError
from fixtures.org.switches import Switches, questions
from monitor.deadline import deadline
from monitor.story import InterviewFacts, PersonFacts, StatusFacts, Story
from monitor.triage import judge, triage
from monitor.verdict import Confidence, Eligibility
from tests.chaos.confusion import play, random_sight
from tests.monitor.org_stories import EVERYTHING, new_world, story_of
from tests.monitor.stories import NOW, RUN, STARTED, failed_run, log, step

unhurried = settings(deadline=None, max_examples=60)  # a busy machine proves nothing

STATUSES = st.sampled_from(["Error", "InProgress", "Completed", "Discontinued", "NotStarted"])
TYPES = st.sampled_from(["BackgroundStep", "InteractiveStep", "AynchronousBackgroundStep", "MuleSoftStep", None])
KINDS = st.sampled_from(["StartInstance", "ResumeInstance", "FailInstance", "FailStage", "FailStep", "StartWorkItem"])
MOMENTS = st.integers(0, 20 * 86400).map(lambda seconds: STARTED + timedelta(seconds=seconds))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any story, plausible or not, of a run of one stage."""
    steps = draw(st.lists(st.tuples(STATUSES, TYPES), max_size=4))
    entries = draw(st.lists(st.tuples(KINDS, MOMENTS), max_size=8))
    seen = draw(st.lists(st.tuples(st.sampled_from(["Error", "InProgress"]), MOMENTS), max_size=3))
    where = {"stage_name": "Credit", "step_name": "Step_0"}
    base = failed_run(
        of_run={"system_modstamp": draw(MOMENTS), "current_stage": draw(st.sampled_from(["Credit", None]))}
    )
    return replace(
        base,
        steps=tuple(
            step(id=f"0jL{n:012d}EAA", name=f"Step_{n}", status=status, step_type=kind)
            for n, (status, kind) in enumerate(steps)
        ),
        stages=tuple(stage._replace(status=draw(STATUSES)) for stage in base.stages),
        log=tuple(log(kind, at, n, **(where if kind.endswith("Step") else {})) for n, (kind, at) in enumerate(entries)),
        status_changes=tuple(
            StatusFacts(RUN, "InProgress" if new == "Error" else "Error", new, None, at) for new, at in seen
        ),
        interview=draw(
            st.sampled_from([None, *(InterviewFacts("0Fo000000000001CAA", here) for here in (True, False))])
        ),
        people=(PersonFacts("005000000000001AAA", "User", "Ana", "ana@acme.example", True, False),),
    )


@unhurried
@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(story: Story, random: Random) -> None:
    """Databases return rows as they like; the verdict is the same."""
    shuffled: dict[str, Any] = {}
    for each in fields(story):
        value = getattr(story, each.name)
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            shuffled[each.name] = tuple(random.sample(value, len(value)))
    assert triage(replace(story, **shuffled), NOW) == triage(story, NOW)


@unhurried
@given(stories(), st.timedeltas(timedelta(), timedelta(days=30)))
def test_a_later_edit_of_the_run_never_moves_a_deadline(story: Story, later: timedelta) -> None:
    """SystemModstamp changes with every edit, and no deadline is made from it."""
    assert story.run.system_modstamp is not None
    edited = replace(story, run=story.run._replace(system_modstamp=story.run.system_modstamp + later))
    assert deadline(edited) == deadline(story)


@unhurried
@given(stories(), MOMENTS)
def test_a_later_poll_never_extends_a_deadline(story: Story, at: Any) -> None:
    """That the run is still seen in Error says nothing new about when it failed."""
    later = replace(story, as_of=at)
    assert deadline(later) == deadline(story)


@unhurried
@given(stories())
def test_a_deadline_is_an_interval(story: Story) -> None:
    """Its earliest end is not after its latest, and a run in Error with a poll always has one."""
    until = deadline(story)
    assert until is None or until.earliest <= until.latest
    if story.run.status == "Error" and not story.status_changes:
        assert until is not None


@unhurried
@given(stories(), MOMENTS)
def test_every_story_has_a_verdict_with_evidence(story: Story, now: Any) -> None:
    """Nothing that rows can say makes triage fail or fall silent."""
    verdict = triage(story, now)
    assert verdict.evidence
    assert (verdict.eligibility is Eligibility.RESUMABLE) <= (verdict.deadline is not None)


@unhurried
@given(stories(), st.sampled_from(["log", "interview", "steps", "called_flows", "people"]))
def test_less_evidence_is_never_more_certain_of_a_resume(story: Story, hidden: str) -> None:
    """What takes evidence away can make a verdict unknown or less sure, and never proves a resume."""
    nothing: Any = {hidden: None if hidden == "interview" else ()}
    less = judge(replace(story, **nothing))
    if less.confidence is Confidence.PROVEN and less.eligibility is Eligibility.RESUMABLE:
        assert judge(story).eligibility is Eligibility.RESUMABLE


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_proven_stays_true_whatever_may_be_seen(seed: int) -> None:
    """One history of the engine, any truth of the documents, any part of the evidence: no proven verdict is wrong."""
    for outcome in play(1, seed, any_truth=True, any_sight=True):
        assert not (outcome.is_wrong and outcome.confidence is Confidence.PROVEN)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_adding_evidence_never_turns_unknown_into_a_wrong_certainty(seed: int) -> None:
    """Where part of the evidence left it unknown, all of it gives the engine's answer."""
    sight = random_sight(Random(seed))
    world = new_world(seed=seed)
    world.break_flow("Loan_Pull_Credit_Report", "broken")
    world.break_action("Warehouse_Check_Inventory", "broken")
    world.break_stage("Contract_Renewal", "Offer", "broken")
    runs = [world.start(name) for name in ("Loan_Origination", "Order_Fallout", "Contract_Renewal")]
    world.advance(timedelta(days=Random(seed).randrange(16)))
    for run in runs:
        if triage(story_of(world, run, sight), world.store.now()).eligibility is Eligibility.UNKNOWN:
            whole = triage(story_of(world, run, EVERYTHING), world.store.now())
            assert (whole.eligibility is Eligibility.RESUMABLE) == (world.resume_refusal(run) is None)


TRUTHS = [(each.name, value) for each in questions() for value in each.values if each.name != "resume_write"]
"""What a write to Status does is no part of a verdict."""


@pytest.mark.parametrize(("name", "value"), TRUTHS)
def test_under_every_truth_of_the_documents_the_engine_agrees(name: str, value: str) -> None:
    """Each switch of the engine by itself: failures of every kind, judged and asked, well inside their 14 days."""
    world = new_world(Switches().with_settings([f"{name}={value}"]))
    for flow in ("Loan_Pull_Credit_Report", "HR_Manager_Checklist", "Claim_Classify"):
        world.break_flow(flow, "broken")
    world.break_action("Warehouse_Check_Inventory", "broken")
    world.break_orchestration("KYC_Review", "broken", before="Decision")
    world.break_stage("Contract_Renewal", "Offer", "broken")
    for orchestration in world.orchestrations:
        world.start(orchestration.api_name, "a0L000000000001")
    world.advance(timedelta(hours=2))
    for item in world.store.rows("FlowOrchestrationWorkItem", Status="Assigned"):
        with suppress(SalesforceError):  # an item whose run failed with the one before
            world.complete_work_item(item["Id"])
    world.advance(timedelta(days=3))
    failed = world.store.rows("FlowOrchestrationInstance", Status="Error")
    assert len(failed) >= 4
    for row in failed:
        verdict = triage(story_of(world, row["Id"]), world.store.now())
        accepted = world.resume_refusal(row["Id"]) is None
        assert (verdict.eligibility is Eligibility.RESUMABLE) == accepted, verdict
