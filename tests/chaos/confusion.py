"""Does RESUMABLE mean that a resume would be accepted now? Verdicts against the engine's own answer, over random histories.

    python -m tests.chaos.confusion --histories 2000 [--seed 0] [--switches default|random] [--sight full|random]

Each history drives an org at random: runs start and advance, flows, actions, stages and people break and are repaired,
runs are resumed, suspended, canceled and deleted, and the clock runs past deadlines. At its end every run in Error gets a
verdict, and the engine is asked whether it would accept a resume. Prints the confusion table. Exit code 1 when a verdict
was wrong that called itself PROVEN, or any verdict under the default switches with everything in sight.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import timedelta
from random import Random

from fixtures.org.definitions import Kind
from fixtures.org.definitions.catalogue import ORCHESTRATIONS
from fixtures.org.definitions.people import PEOPLE
from fixtures.org.engine.world import World
from fixtures.org.errors import SalesforceError
from fixtures.org.switches import ResumeWrite, Switches, questions
from monitor.triage import triage
from monitor.verdict import Confidence, Eligibility, ReasonCode
from tests.monitor.org_stories import EVERYTHING, Sight, new_world, story_of

RUN, WORK_ITEM = "FlowOrchestrationInstance", "FlowOrchestrationWorkItem"
ERRORS = (
    "UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to record {record}. Error ID: {error_id}",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION: Income must be filled for {record}. Error ID: {error_id}",
    "DUPLICATE_VALUE: duplicate value found: Ext_Id__c on record with id: {record}",
)
FLOWS = sorted({step.calls for each in ORCHESTRATIONS for step in each.steps() if step.kind is not Kind.MULESOFT})
ACTIONS = sorted({step.calls for each in ORCHESTRATIONS for step in each.steps() if step.kind is Kind.MULESOFT})
STAGES = [(each.api_name, stage.name) for each in ORCHESTRATIONS for stage in each.stages]


@dataclass(frozen=True)
class Outcome:
    """One verdict and what the engine said. `refusal` None: a resume would be accepted."""

    history: int
    run: str
    eligibility: Eligibility
    reason: ReasonCode
    confidence: Confidence
    refusal: str | None

    @property
    def is_wrong(self) -> bool:
        """Whether the verdict was certain and the engine disagrees."""
        if self.eligibility is Eligibility.UNKNOWN:
            return False
        return (self.eligibility is Eligibility.RESUMABLE) != (self.refusal is None)


def history(seed: int, switches: Switches, sight: Sight) -> Iterator[Outcome]:
    """Play one random history; every failed run's verdict at its end."""
    random = Random(seed)
    world = new_world(switches, seed)
    for _ in range(random.randrange(8, 30)):
        with suppress(SalesforceError):  # a refused command leaves the org as it was
            random.choice(DEEDS)(world, random)
    for row in world.store.rows(RUN):
        if row["Status"] == "Error" or row["IsDeleted"]:
            verdict = triage(story_of(world, row["Id"], sight), world.store.now())
            yield Outcome(
                seed, row["Id"], verdict.eligibility, verdict.reason, verdict.confidence, _refusal(world, row["Id"])
            )


def _refusal(world: World, run_id: str) -> str | None:
    try:
        return world.resume_refusal(run_id)
    except SalesforceError as gone:
        return gone.message


def _start(world: World, random: Random) -> None:
    for _ in range(random.randrange(1, 4)):
        world.start(random.choice(ORCHESTRATIONS).api_name, f"a0L{random.randrange(10**12):012d}")


def _break_flow(world: World, random: Random) -> None:
    for api_name in random.sample(FLOWS, 4):
        world.break_flow(api_name, random.choice(ERRORS))


def _fix_flow(world: World, random: Random) -> None:
    world.fix_flow(random.choice(FLOWS))


def _break_action(world: World, random: Random) -> None:
    world.break_action(random.choice(ACTIONS), random.choice(ERRORS))


def _break_place(world: World, random: Random) -> None:
    orchestration, stage = random.choice(STAGES)
    if random.random() < 0.5:
        world.break_stage(orchestration, stage, random.choice(ERRORS))
    else:
        world.break_orchestration(orchestration, random.choice(ERRORS), before=random.choice([stage, None]))


def _people(world: World, random: Random) -> None:
    person = random.choice(PEOPLE).username
    deed = random.choice([world.deactivate_user, world.freeze_user, world.reactivate_user, world.unfreeze_user])
    deed(person)


def _unresolved(world: World, random: Random) -> None:
    run_id = world.start("Loan_Origination", "a0L000000000001")
    world.choose_assignee(run_id, "Underwriter_Review", random.choice(["nobody@nowhere.example", "Loan_Intake"]))


def _complete(world: World, random: Random) -> None:
    items = [item["Id"] for item in world.store.rows(WORK_ITEM, Status="Assigned")]
    for item in random.sample(items, min(3, len(items))):
        world.complete_work_item(item)


def _command(world: World, random: Random) -> None:
    runs = [row["Id"] for row in world.store.rows(RUN) if not row["IsDeleted"]]
    if runs:
        random.choice([world.resume, world.resume, world.suspend, world.cancel])(random.choice(runs))


def _remove(world: World, random: Random) -> None:
    failed = [row["Id"] for row in world.store.rows(RUN, Status="Error")]
    if failed:
        random.choice([world.delete_run, world.delete_interview])(random.choice(failed))


def _wait(world: World, random: Random) -> None:
    longest = random.choice([timedelta(minutes=5), timedelta(hours=8), timedelta(days=6), timedelta(days=15)])
    world.advance(timedelta(seconds=int(longest.total_seconds() * random.random())))


DEEDS: tuple[Callable[[World, Random], None], ...] = (
    *[_start] * 4,
    *[_break_flow] * 3,
    *[_wait] * 6,
    *[_complete] * 4,
    *[_command] * 2,
    _fix_flow,
    _break_action,
    _break_place,
    _people,
    _people,
    _unresolved,
    _remove,
)


def random_switches(random: Random) -> Switches:
    """Any truth that may hold, but that a resume is refused whatever the run."""
    chosen = {question.name: random.choice(question.values) for question in questions()}
    chosen["resume_write"] = ResumeWrite.EFFECTIVE
    return Switches().with_settings(f"{name}={value}" for name, value in chosen.items())


def random_sight(random: Random) -> Sight:
    """Any mixture of what may be seen."""
    return Sight(**{each.name: random.random() < 0.7 for each in fields(Sight)})


def play(histories: int, seed: int, *, any_truth: bool, any_sight: bool) -> list[Outcome]:
    """The outcomes of many histories."""
    found: list[Outcome] = []
    for number in range(seed, seed + histories):
        random = Random(-number - 1)
        switches = random_switches(random) if any_truth else Switches()
        found += history(number, switches, random_sight(random) if any_sight else EVERYTHING)
    return found


def table(outcomes: list[Outcome]) -> str:
    """The confusion table, by eligibility and by reason."""
    counts = Counter((outcome.eligibility, outcome.reason, outcome.refusal is None) for outcome in outcomes)
    lines = [f"{'verdict':<15} {'reason':<20} {'accepted':>9} {'refused':>9}"]
    for eligibility in Eligibility:
        reasons = sorted({reason for verdict, reason, _ in counts if verdict is eligibility})
        rows = [("all", reasons), *((reason, [reason]) for reason in reasons)]
        for name, members in rows:
            accepted, refused = (sum(counts[eligibility, each, yes] for each in members) for yes in (True, False))
            lines.append(f"{eligibility:<15} {name:<20} {accepted:>9} {refused:>9}")
    return "\n".join(lines)


def main() -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--switches", choices=["default", "random"], default="default")
    parser.add_argument("--sight", choices=["full", "random"], default="full")
    asked = parser.parse_args()
    outcomes = play(
        asked.histories, asked.seed, any_truth=asked.switches == "random", any_sight=asked.sight == "random"
    )
    wrong = [outcome for outcome in outcomes if outcome.is_wrong]
    out = sys.stdout.write
    proven = sum(outcome.confidence is Confidence.PROVEN for outcome in wrong)
    out(
        f"{asked.histories} histories, {len(outcomes)} verdicts, {len(wrong)} certain and wrong, {proven} of them PROVEN\n"
    )
    out(f"{table(outcomes)}\n")
    for each in wrong[:20]:
        verdict = f"{each.reason} {each.confidence}"
        out(f"history {each.history}, {each.run}: {verdict}, engine: {each.refusal or 'accepts'}\n")
    plain = asked.switches == "default" and asked.sight == "full"
    return int(any(plain or outcome.confidence is Confidence.PROVEN for outcome in wrong))


if __name__ == "__main__":
    sys.exit(main())
