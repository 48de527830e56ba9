"""What resuming a run would do: steps that run again, people who get mail, other runs on the same record. Pure.

Source: Help, "Orchestration Run" (what a resume does to each step) and "Orchestration Work Items" (assignees get e-mail).
"""

from __future__ import annotations

from collections.abc import Iterable

from monitor.rows import BlastRadius
from monitor.story import ERROR, INTERACTIVE, StepFacts, Story

NOBODY = BlastRadius()


def blast_radius(story: Story, other_runs: Iterable[str]) -> BlastRadius:
    """The blast radius of a run in Error; `other_runs` are open or failed runs on its record. Empty for other runs."""
    if story.run.status != ERROR:
        return NOBODY
    processed = [step for step in story.current_steps if step.status == "Discontinued" and step.pending_outputs]
    again = story.restarted_steps
    return BlastRadius(
        steps_again=tuple(_name(step) for step in again),
        outputs_processed=tuple(_name(step) for step in processed),
        people=tuple(sorted({name for step in again for name in _people(story, step)})),
        record=story.run.triggering_record,
        other_runs=tuple(sorted(other_runs)),
    )


def _name(step: StepFacts) -> str:
    return step.label or step.name or step.id


def _people(story: Story, step: StepFacts) -> list[str]:
    if step.step_type != INTERACTIVE:
        return []
    return [person.name or person.username or person.id for person in story.assignees(step)]
