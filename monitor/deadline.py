"""When a run failed and until when it can be resumed, as an interval with its proof.

The proofs, best first (Object Reference v67, FlowOrchestrationLog; Help, "Orchestration Run"): the newest Fail Run
milestone after the newest resume; the newest Fail Step or Fail Stage; the creation of the failed run's stages and steps;
what our polls saw. Everything that an edit of a record can move (LastModifiedDate, SystemModstamp) is left out, so that
no edit ever moves a deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.story import ERROR, UNDATED, LogFacts, StatusFacts, Story
from monitor.verdict import RESUME_WINDOW, Deadline, DeadlineProof

LATE_COMMIT = timedelta(minutes=15)
"""A poll that still saw the run in progress may have missed a failure whose transaction was open for this long."""


def deadline(story: Story) -> Deadline | None:
    """Until when the run's present failure can be resumed; None for a run that is not in Error, or is by more than its label."""
    if story.run.status != ERROR and not story.unmoved_steps:
        return None
    since = story.resumed_at
    failed = _newest(story.milestones("FailInstance", since=since))
    not_before, seen = _poll_bracket(story)
    if failed is not None:
        last = max(failed, seen or failed) if is_older_than_polls(failed, story) else failed
        return _window(failed, last, DeadlineProof.FAIL_RUN_MILESTONE)
    hint = _newest(story.milestones("FailStep", "FailStage", since=since))
    if hint is not None:
        return _window(hint, max(hint, seen or hint), DeadlineProof.FAIL_STEP_MILESTONE)
    rows = max(_created(story), default=None)
    lower = max((at for at in (since, rows, not_before, story.run.created_at) if at), default=None)
    if lower is None or seen is None:
        return None
    polled = not_before is not None and lower == not_before
    proof = DeadlineProof.POLL_BRACKET if polled or rows is None else DeadlineProof.STEP_OR_STAGE_ROW
    return _window(min(lower, seen), seen, proof)


def is_older_than_polls(failed: datetime, story: Story) -> bool:
    """Whether a poll still saw the run in progress after the moment that its milestone names: the two disagree."""
    not_before, _ = _poll_bracket(story)
    return not_before is not None and failed < not_before


def _poll_bracket(story: Story) -> tuple[datetime | None, datetime | None]:
    """Between which moments our polls saw the run fall into Error; (None, None) when they cannot tell.

    A run that was in Error when first seen has only the second moment.
    """
    changes = story.status_changes
    if story.unmoved_steps:  # another label since then ended nothing
        changes = tuple(change for change in changes if change.new_status == ERROR)
    newest = max(changes, key=_when, default=None)
    if newest is None:
        return None, story.run.first_seen_at
    if newest.new_status != ERROR:
        return None, None
    since = story.resumed_at
    if since is not None and since > newest.seen_at:
        return None, None  # resumed and failed again between two polls
    return newest.after - LATE_COMMIT if newest.after else None, newest.seen_at


def _when(change: StatusFacts) -> tuple[datetime, bool, datetime]:
    """Sorts changes by the poll that saw them; of one poll the fall into Error comes last."""
    return change.seen_at, change.new_status == ERROR, change.after or UNDATED


def _created(story: Story) -> list[datetime]:
    created = [stage.created_at for stage in story.stages] + [step.created_at for step in story.steps]
    return [moment for moment in created if moment is not None]


def _newest(entries: Iterable[LogFacts]) -> datetime | None:
    return max((entry.at for entry in entries), default=None)


def _window(first: datetime, last: datetime, proof: DeadlineProof) -> Deadline:
    return Deadline(first + RESUME_WINDOW, last + RESUME_WINDOW, proof)
