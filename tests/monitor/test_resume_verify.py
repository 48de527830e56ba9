"""What counts as proof that a run moved: the pure comparison of a baseline with what is seen later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.ledger import AttemptOutcome
from monitor.verify import MilestoneSeen, Snapshot, StepSeen, judge

FAILED = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LATER = FAILED + timedelta(hours=1)
STEPS = {"0jL1": StepSeen("Build_Quote", "Error", FAILED), "0jL2": StepSeen("Owner_Call", "Discontinued", FAILED)}
LOG = {
    "log1": MilestoneSeen("StartInstance", FAILED - timedelta(days=1)),
    "log2": MilestoneSeen("FailInstance", FAILED),
}
BEFORE = Snapshot("Error", FAILED, steps=STEPS, milestones=LOG)


def milestones(**new: MilestoneSeen) -> dict[str, MilestoneSeen]:
    """The log with new entries."""
    return LOG | new


def steps(**changed: StepSeen) -> dict[str, StepSeen]:
    """The steps with changed or new rows, by name."""
    return STEPS | {{"build": "0jL1", "call": "0jL2"}.get(key, key): step for key, step in changed.items()}


RESUMED = MilestoneSeen("ResumeInstance", LATER)
FAILED_LATER = MilestoneSeen("FailInstance", LATER)
STARTED = StepSeen("Build_Quote", "InProgress", LATER)
TOUCHED = StepSeen("Build_Quote", "Error", LATER)


@pytest.mark.parametrize(
    ("after", "outcome"),
    [
        (Snapshot("InProgress", LATER, steps=STEPS, milestones=milestones(log3=RESUMED)), AttemptOutcome.VERIFIED),
        (Snapshot("InProgress", LATER, steps=steps(build=STARTED), milestones=LOG), AttemptOutcome.VERIFIED),
        (Snapshot("InProgress", LATER, steps=steps(new=STARTED)), AttemptOutcome.VERIFIED),
        (
            Snapshot("Completed", LATER, milestones=milestones(log3=MilestoneSeen("StartInstance", LATER))),
            AttemptOutcome.VERIFIED,
        ),
        (Snapshot("InProgress", LATER, steps=STEPS, milestones=LOG), None),
        (Snapshot("Canceled", LATER, steps=STEPS, milestones=LOG), None),
        (BEFORE, None),
        (replace(BEFORE, changed_at=LATER), None),
        (Snapshot("Error", LATER, steps=STEPS, milestones=milestones(log3=RESUMED)), None),
        (
            Snapshot("Error", LATER, steps=STEPS, milestones=milestones(log3=RESUMED, log4=FAILED_LATER)),
            AttemptOutcome.FAILED_AGAIN,
        ),
        (
            Snapshot("Error", LATER, steps=steps(build=TOUCHED), milestones=milestones(log4=FAILED_LATER)),
            AttemptOutcome.FAILED_AGAIN,
        ),
        (Snapshot("Error", LATER, steps=steps(build=TOUCHED)), AttemptOutcome.FAILED_AGAIN),
        (Snapshot("Error", LATER, steps=STEPS), None),
        (None, AttemptOutcome.VANISHED),
        (replace(BEFORE, gone=True), AttemptOutcome.VANISHED),
    ],
    ids=[
        "a resume milestone",
        "the failed step runs",
        "a new step row, no log to read",
        "completed, started anew",
        "only another label",
        "canceled by somebody",
        "the old error once more",
        "an edited record",
        "resumed, and not seen to leave Error",
        "resumed and failed",
        "failed anew, resume not logged",
        "failed anew, no log to read",
        "an edited record, no log to read",
        "not in the mirror",
        "deleted",
    ],
)
def test_only_what_is_newer_than_the_baseline_proves_anything(
    after: Snapshot | None, outcome: AttemptOutcome | None
) -> None:
    """VERIFIED needs the run out of Error and a new milestone or step state; the old Error proves nothing."""
    assert judge(BEFORE, after)[0] is outcome


def test_an_old_milestone_that_turns_up_late_proves_nothing() -> None:
    """Rows become visible after their time: an entry older than the newest of the baseline is no news."""
    old = MilestoneSeen("ResumeInstance", FAILED - timedelta(hours=2))
    after = Snapshot("InProgress", LATER, steps=STEPS, milestones=milestones(log0=old))
    assert judge(BEFORE, after)[0] is None


def test_a_late_failure_milestone_alone_is_not_a_second_failure() -> None:
    """The first failure's own entry may show up after the baseline, in the same second as its other entries."""
    after = replace(BEFORE, milestones=milestones(log3=MilestoneSeen("FailInstance", FAILED)))
    assert judge(BEFORE, after)[0] is None


def test_a_baseline_survives_the_ledger() -> None:
    """What is read back from JSON is what was saved."""
    assert Snapshot.from_json(BEFORE.to_json()) == BEFORE
