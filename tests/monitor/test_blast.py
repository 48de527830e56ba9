"""What a resume would do: against the table of Help's "Orchestration Run", and against the engine."""

from __future__ import annotations

from datetime import timedelta

from monitor.blast import NOBODY, blast_radius
from monitor.rows import BlastRadius
from monitor.story import PersonFacts, WorkItemFacts
from tests.monitor.org_stories import new_world, story_of
from tests.monitor.stories import RUN, failed_run, step


def test_errored_and_discontinued_steps_run_again_unless_outputs_are_pending() -> None:
    """The table "When Run Is Resumed" of Help, row by row."""
    steps = (
        step(),
        step(id="0jL000000000002EAA", name="Other", label="Other", status="Discontinued"),
        step(id="0jL000000000003EAA", name="Late", label="Late", status="Discontinued", pending_outputs=True),
        step(id="0jL000000000004EAA", name="Done", label="Done", status="Completed"),
        step(id="0jL000000000005EAA", name="Next", label="Next", status="NotStarted"),
    )
    found = blast_radius(failed_run(steps=steps), ())
    assert found.steps_again == ("Call the bureau", "Other")
    assert found.outputs_processed == ("Late",)


def test_only_people_of_interactive_steps_get_a_new_work_item() -> None:
    """A replacement work item is created, and its assignee gets an e-mail."""
    ana = PersonFacts("005000000000001AAA", "User", "Ana Perez")
    item = WorkItemFacts(RUN, "0jf000000000001AAA", "0jL000000000001EAA", "Completed", ana.id)
    background = failed_run(work_items=(item,), people=(ana,))
    interactive = failed_run(work_items=(item,), people=(ana,), steps=(step(step_type="InteractiveStep"),))
    assert blast_radius(background, ()).people == ()
    assert blast_radius(interactive, ()).people == ("Ana Perez",)


def test_other_runs_on_the_record_are_named_in_order() -> None:
    """Whoever resumes two runs on one record may make them meet."""
    found = blast_radius(failed_run(), ["0jE000000000009EAA", "0jE000000000002EAA"])
    assert found.record == "001000000000001AAA"
    assert found.other_runs == ("0jE000000000002EAA", "0jE000000000009EAA")


def test_a_run_that_has_not_failed_has_none() -> None:
    """Nothing would be resumed."""
    assert blast_radius(failed_run(of_run={"status": "Completed"}), ()) == NOBODY == BlastRadius()


def test_the_engine_does_what_was_foretold() -> None:
    """The steps that start again after a resume are those of the blast radius."""
    world = new_world()
    world.break_flow("Loan_Pull_Credit_Report", "broken")
    run = world.start("Loan_Origination", "a0L000000000001")
    world.advance(timedelta(minutes=10))
    foretold = blast_radius(story_of(world, run), ())
    before = world.store.now()
    world.advance(timedelta(minutes=1))
    world.resume(run)
    log = world.store.rows("FlowOrchestrationLog", OrchestrationInstanceId=run, Kind="StartStep")
    started = {entry["StepName"].replace("_", " ") for entry in log if entry["Timestamp"] > before}
    assert set(foretold.steps_again) == started
