"""Stories of runs of the simulated org's engine, read straight from its records: what a complete sync would mirror."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.org.clock import Clock
from fixtures.org.definitions import Orchestration
from fixtures.org.definitions.catalogue import ORCHESTRATIONS
from fixtures.org.engine.world import World
from fixtures.org.store import Store
from fixtures.org.switches import Switches
from monitor.stories import VERDICT_KINDS
from monitor.story import (
    CalledFlowFacts,
    InterviewFacts,
    LogFacts,
    PersonFacts,
    RunFacts,
    StageFacts,
    StatusFacts,
    StepFacts,
    Story,
    WorkItemFacts,
)

MONDAY = datetime(2026, 11, 2, 9, 0, 0, tzinfo=UTC)
Row = dict[str, Any]


@dataclass(frozen=True)
class Sight:
    """What the one who reads may see."""

    log: bool = True
    interviews: bool = True
    steps: bool = True
    metadata: bool = True
    frozen: bool = True


EVERYTHING = Sight()


def new_world(switches: Switches | None = None, seed: int = 0, at: datetime = MONDAY) -> World:
    """An org with the catalogue's orchestrations, standing still."""
    world = World(Store(Clock(at), seed=seed), switches, seed=seed)
    world.install(ORCHESTRATIONS)
    return world


def story_of(world: World, run_id: str, sight: Sight = EVERYTHING) -> Story:
    """The run's story as it stands in the org now, first seen by a poll a minute from now."""
    store = world.store
    (row,) = store.rows("FlowOrchestrationInstance", Id=run_id)
    stages = store.rows("FlowOrchestrationStageInstance", OrchestrationInstanceId=run_id)
    steps = store.rows("FlowOrchestrationStepInstance", OrchestrationInstanceId=run_id) if sight.steps else []
    items = [item for step in steps for item in store.rows("FlowOrchestrationWorkItem", StepInstanceId=step["Id"])]
    log = store.rows("FlowOrchestrationLog", OrchestrationInstanceId=run_id) if sight.log else []
    submissions = store.rows("ApprovalSubmission", FlowOrchestrationInstanceId=run_id)
    seen_at = store.now() + timedelta(minutes=1)
    return Story(
        run=_run(store.org_id, row),
        stages=tuple(StageFacts(run_id, r["Id"], r["Status"], r["Name"], r["Label"], r["CreatedDate"]) for r in stages),
        steps=tuple(_step(r) for r in steps),
        work_items=tuple(_work_item(run_id, r) for r in items),
        log=tuple(_log(r) for r in log if r["Kind"] in VERDICT_KINDS),
        status_changes=(StatusFacts(run_id, None, row["Status"], None, seen_at),),
        interview=_interview(world, row["InterviewId"]) if sight.interviews else None,
        people=_people(world, sight.frozen),
        called_flows=_called_flows(world.orchestrations) if sight.metadata else (),
        approval_submission=submissions[0]["Id"] if submissions else None,
        as_of=store.now(),
    )


def _run(org_id: str, row: Row) -> RunFacts:
    return RunFacts(
        org_id,
        row["Id"],
        row["Status"],
        row["Name"],
        row["CurrentStage"],
        row["InterviewId"],
        row["OrchestrationDeveloperName"],
        row["OrchestrationLabel"],
        row["FlowType"],
        row["TriggeringRecord"],
        row["CreatedDate"],
        row["SystemModstamp"],
        row["CreatedDate"],
        row["IsDeleted"],
    )


def _step(row: Row) -> StepFacts:
    return StepFacts(
        row["OrchestrationInstanceId"],
        row["Id"],
        row["Status"],
        row["StageInstanceId"],
        row["OrchestrationStageName"],
        row["Name"],
        row["Label"],
        row["StepType"],
        row["CreatedDate"],
        pending_outputs=row["InProgressStepOutputs"] is not None,
    )


def _work_item(run_id: str, row: Row) -> WorkItemFacts:
    return WorkItemFacts(
        run_id,
        row["Id"],
        row["StepInstanceId"],
        row["Status"],
        row["AssigneeId"],
        row["ScreenFlow"],
        row["CreatedDate"],
    )


def _log(row: Row) -> LogFacts:
    return LogFacts(
        row["OrchestrationInstanceId"],
        row["Id"],
        row["Kind"],
        row["Timestamp"],
        row["OrchestrationVersion"],
        row["StageName"],
        row["StepName"],
        row["Assignee"],
        row["AssigneeType"],
    )


def _interview(world: World, interview_id: str | None) -> InterviewFacts | None:
    if interview_id is None:
        return None
    rows = [row for row in world.store.rows("FlowInterview", Id=interview_id) if not row["IsDeleted"]]
    return InterviewFacts(interview_id, bool(rows), rows[0]["Error"] if rows else None, world.store.now())


def _people(world: World, frozen: bool) -> tuple[PersonFacts, ...]:
    logins = {row["UserId"]: row["IsFrozen"] for row in world.store.rows("UserLogin")} if frozen else {}
    return tuple(
        PersonFacts(row["Id"], "User", row["Name"], row["Username"], row["IsActive"], logins.get(row["Id"]))
        for row in world.store.rows("User")
    )


def _called_flows(orchestrations: list[Orchestration]) -> tuple[CalledFlowFacts, ...]:
    return tuple(
        CalledFlowFacts(
            each.api_name, each.version, stage.name, step.name, step.calls, step.kind.value.partition("/")[0]
        )
        for each in orchestrations
        for stage in each.stages
        for step in stage.steps
    )
