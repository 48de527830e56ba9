"""Should a run that can be resumed be resumed yet? Looks for something that changed since it failed. Pure.

It warns and never forbids: a fix can be data, a permission or Apex code that leaves no trace in what we read.
"""

from __future__ import annotations

from datetime import datetime

from monitor.deadline import deadline
from monitor.story import INTERACTIVE, FlowVersionFacts, PersonFacts, Sibling, Story
from monitor.verdict import RESUME_WINDOW, Readiness, ReasonCode

RECOVERABLE = frozenset({ReasonCode.STEP_FLOW_ERROR, ReasonCode.SCREEN_FLOW_ERROR, ReasonCode.ASSIGNEE_INACTIVE})

_TRANSIENT = (
    "unable_to_lock_row",
    "unable to obtain exclusive access",
    "request_limit_exceeded",
    "query_timeout",
    "server_unavailable",
    "cpu time limit",
    "timed out",
    "try again later",
)
"""Parts of error texts, in lower case, of errors that pass by themselves."""
_HALF_DONE = ("duplicate_value", "duplicates_detected", "duplicate value found")
"""Of errors that show work done before: what should be made exists already."""


def assess(story: Story, reason: ReasonCode, failed_at: datetime | None) -> tuple[Readiness, str]:
    """The readiness of a run and the sentence that explains it; UNASSESSED for what cannot be resumed anyway."""
    if reason not in RECOVERABLE or failed_at is None:
        return Readiness.UNASSESSED, ""
    if (absent := _absent_assignee(story)) is not None:
        return Readiness.LIKELY_TO_FAIL_AGAIN, absent
    if reason is ReasonCode.ASSIGNEE_INACTIVE:
        return _of_assignee(story)
    change, what = _change(story, failed_at)
    followed = _siblings(story, change or failed_at)
    if followed is not None:
        return followed
    if change is not None:
        return Readiness.READY, what
    return _unchanged(story, what)


def came_back(story: Story, person: PersonFacts) -> bool:
    """Whether an assignee who is active now became so after the run's present failure."""
    until = deadline(story)
    failed_at = until.earliest - RESUME_WINDOW if until else None
    changed = person.changed_at
    return person.state == "active" and changed is not None and failed_at is not None and changed > failed_at


def _absent_assignee(story: Story) -> str | None:
    """Who would get a work item and cannot: a resume assigns those of the discontinued steps beside the failed one anew."""
    for step in story.restarted_steps:
        if step.step_type != INTERACTIVE:
            continue
        for person in story.assignees(step, story.resumed_at):
            if person.state in {"inactive", "frozen"}:
                where = "" if step in story.errored_steps else f", and a resume gives them step {step.name} again"
                return f"{person.name or person.id} is still {person.state}{where}."
    return None


def _of_assignee(story: Story) -> tuple[Readiness, str]:
    """Here the whole cause can be seen: somebody who was not available is again."""
    people = [person for step in story.errored_steps for person in story.assignees(step, story.resumed_at)]
    return Readiness.READY, f"{people[0].name or people[0].id} is active again."


def _unchanged(story: Story, what: str) -> tuple[Readiness, str]:
    """Nothing was seen to change: the error itself may still tell something."""
    error = ((story.interview.error if story.interview else None) or "").lower()
    if story.episode > 1 and any(sign in error for sign in _HALF_DONE):
        return Readiness.NEEDS_HUMAN, "The step has run before and part of its work exists already: look at the record."
    if any(sign in error for sign in _TRANSIENT):
        return Readiness.READY, "The error is of a passing kind."
    if story.episode > 1:
        return Readiness.LIKELY_TO_FAIL_AGAIN, "It was resumed and failed again, and nothing has changed since."
    return (Readiness.FIX_UNSEEN, what) if what else (Readiness.UNASSESSED, "Which flow the step calls is not known.")


def _change(story: Story, failed_at: datetime) -> tuple[datetime | None, str]:
    """When the cause changed after the failure, and a sentence; (None, what has not changed) otherwise."""
    for step in story.errored_steps or story.current_steps:
        name = story.flow_name(step)
        if name is None:
            continue
        versions = [version for version in story.flow_versions if version.api_name == name]
        changed = _activated_after(failed_at, versions)
        if changed is not None:
            return changed, f"Flow {name} has a new active version since the failure."
        if versions:
            return None, f"Flow {name} has not changed since the failure."
    return None, ""


def _activated_after(failed_at: datetime, versions: list[FlowVersionFacts]) -> datetime | None:
    """When the version that is active now replaced another, if that was after the failure.

    Salesforce keeps no activation time of ordinary flows: the first poll that saw the version stands for it. A version
    that was active when we first looked is new only if the flow was modified after the failure.
    """
    current = max((each for each in versions if each.is_current), key=lambda each: each.first_seen_at, default=None)
    if current is None:
        return None
    modified = current.last_modified_at
    if len(versions) > 1 and current.first_seen_at > failed_at:
        return min(current.first_seen_at, modified) if modified and modified > failed_at else current.first_seen_at
    return modified if modified is not None and modified > failed_at else None


def _siblings(story: Story, since: datetime) -> tuple[Readiness, str] | None:
    """What became of the newest run of the same cause that was resumed after `since`."""
    told = [sibling for sibling in story.siblings if sibling.resumed_at >= since and sibling.lived is not None]
    newest: Sibling | None = max(told, key=lambda sibling: (sibling.resumed_at, sibling.run_id), default=None)
    if newest is None:
        return None
    if newest.lived:
        return Readiness.READY, f"Run {newest.run_id}, which had failed the same way, was resumed and went on."
    return Readiness.LIKELY_TO_FAIL_AGAIN, f"Run {newest.run_id} was resumed since and failed the same way again."
