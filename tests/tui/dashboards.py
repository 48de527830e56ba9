"""A dashboard over runs that live in memory, the plain-text picture of its screen, and the goldens it is compared with."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from connector.errors import NotFound, RepriseError
from monitor.ledger import AttemptOutcome
from monitor.plans import Excluded, Plan, PlannedRun
from monitor.resume import Attempt, Batch, BatchOutcome, Progress, Step
from monitor.rows import (
    BlastRadius,
    Milestone,
    Overview,
    RunDetail,
    RunFilter,
    RunLine,
    StageLine,
    StepLine,
    WorkItemLine,
)
from monitor.verdict import Confidence, Eligibility, Evidence, Readiness, ReasonCode
from tui.app import Dashboard
from tui.screens.desk import Desk

NOW = datetime(2026, 3, 16, 6, 42, tzinfo=UTC)
GOLDENS = Path(__file__).parent / "goldens"
SIZES = ((120, 35), (80, 24))


HOSTILE = (
    "bad [/b] tail",
    "[@click=app.quit]press me[/]",
    "[bold red]Amount__c[/]",
    "line\nbreak\ttab\rreturn",
    "\x1b[2J\x1b]52;c;aGk=\x07",
    "\u202edeliab\u2066 \u200b\u00ad",
    "長い名前" * 20,
    "e\u0301" * 60,
    "👩‍👩‍👧" * 9,
    "",
)
"""Names that break screens which read them as markup, as escape codes, or as one cell a character."""


def failed(number: int, left: timedelta, **changes: Any) -> RunLine:
    """A failed run with so much time left, else like every other."""
    line = RunLine(
        org="acme",
        id=f"0jE000000000{number:03}AAA",
        name=f"Loan {number}",
        orchestration="Loan_Approval",
        version=12,
        status="Error",
        stage="Credit check",
        step="Call bureau",
        error="Required field missing: Income__c",
        failed_at=NOW + left - timedelta(days=14),
        deadline_earliest=NOW + left,
        deadline_latest=NOW + left,
        seconds_left=int(left.total_seconds()),
        eligibility=Eligibility.RESUMABLE,
        reason_code=ReasonCode.STEP_FLOW_ERROR,
        readiness=Readiness.READY,
        confidence=Confidence.PROVEN,
        group="income",
        attempts=0,
        record=f"a01000000000{number:03}AAA",
        attention=None,
    )
    return replace(line, **changes)


def not_failed(number: int, status: str, **changes: Any) -> RunLine:
    """A run that did not fail."""
    return failed(
        number,
        timedelta(),
        status=status,
        error=None,
        failed_at=None,
        deadline_earliest=None,
        deadline_latest=None,
        seconds_left=None,
        eligibility=Eligibility.NOT_RESUMABLE,
        reason_code=ReasonCode.NOT_IN_ERROR,
        readiness=Readiness.UNASSESSED,
        group=None,
        **changes,
    )


def monday() -> list[RunLine]:
    """A small morning: every state and every kind of time left."""
    return [
        failed(1, timedelta(minutes=48, seconds=10)),
        failed(2, timedelta(hours=3, minutes=11, seconds=52)),
        failed(3, timedelta(hours=9), orchestration="Claim_Renewal", version=7, step="Send e-mail", group="mail",
               error="Assignee is inactive: j•••@acme.example", reason_code=ReasonCode.ASSIGNEE_INACTIVE),
        failed(4, timedelta(days=2, hours=11), orchestration="注文処理_Onboarding", version=2, group="duplicate",
               stage="Provision", step="Create account", error="DUPLICATE_VALUE: External_Id__c",
               eligibility=Eligibility.UNKNOWN, reason_code=ReasonCode.STALE_DATA, confidence=Confidence.ASSUMED),
        failed(5, timedelta(days=9), orchestration="Vendor_Review", version=3, stage="Intake", step=None, group="outside",
               eligibility=Eligibility.NOT_RESUMABLE, reason_code=ReasonCode.OUTSIDE_STEP,
               deadline_earliest=None, deadline_latest=None, error=None),
        failed(6, timedelta(hours=-2), eligibility=Eligibility.NOT_RESUMABLE, reason_code=ReasonCode.WINDOW_EXPIRED),
        not_failed(7, "InProgress", attention="waiting on Queue: Ops EMEA for 19 days"),
        not_failed(8, "Suspended"),
        not_failed(9, "Completed"),
        not_failed(10, "SomethingNew"),
    ]  # fmt: skip


@dataclass
class MemorySource:
    """Runs in memory behind the dashboard's `Source`: row numbers are places in `runs`, shown in `order`; None is gone."""

    runs: list[RunLine | None]
    on_sync: Callable[[], None] = lambda: None
    refuse: RepriseError | None = None
    is_sandbox: bool | None = False
    asked_rows: list[int] = field(default_factory=list)
    executed: list[tuple[Plan, str]] = field(default_factory=list)
    becomes: Callable[[PlannedRun], Attempt] = lambda run: Attempt(run.run, AttemptOutcome.VERIFIED, "left Error")

    def __post_init__(self) -> None:
        self.order = list(range(len(self.runs)))

    def overview(self, now: datetime) -> Overview:
        there = [run for run in self.runs if run]
        soon = [run for run in there if run.deadline_earliest and now < run.deadline_earliest < now + timedelta(days=1)]
        return Overview(
            org="acme", org_label="Acme", is_sandbox=self.is_sandbox, time_zone="UTC", last_problem=None,
            as_of=now - timedelta(seconds=12), api_used=39_000, api_max=100_000, total=len(there), within_24h=len(soon),
        )  # fmt: skip

    def vector(self, now: datetime, chosen: RunFilter) -> array[int]:  # noqa: ARG002
        return array("q", [row for row in self.order if (run := self.runs[row]) and _chosen(run, chosen)])

    def lines(self, now: datetime, rows: Sequence[int]) -> dict[int, RunLine]:  # noqa: ARG002
        self.asked_rows.extend(rows)
        return {row: run for row in rows if (run := self.runs[row]) is not None}

    def detail(self, now: datetime, run_id: str) -> RunDetail:  # noqa: ARG002
        line = next((run for run in self.runs if run and run.id == run_id), None)
        if line is None:
            raise NotFound(f"There is no run {run_id}.")
        return _detail(line)

    def plan(self, now: datetime, run_ids: Sequence[str]) -> Plan:
        asked = [run for run in self.runs if run and run.id in run_ids]
        may = [run for run in asked if run.eligibility is Eligibility.RESUMABLE]
        return Plan(
            id="f00d" * 8, org="acme", org_id="00D000000000001AAA", created_at=now, expires_at=now + timedelta(minutes=15),
            target_status="InProgress", proven_here=False, included=tuple(_planned(run) for run in may),
            excluded=tuple(Excluded(run.id, run.reason_code, "It cannot be resumed.") for run in asked if run not in may),
        )  # fmt: skip

    def execute(self, plan: Plan, reason: str, progress: Progress) -> Batch:
        self.executed.append((plan, reason))
        progress(Step("sending", 1, len(plan.included)))
        attempts = tuple(self.becomes(run) for run in plan.included)
        return Batch(BatchOutcome.PARTIAL, "beef" * 8, plan, attempts, 7)

    def sync(self) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.on_sync()


def _chosen(run: RunLine, chosen: RunFilter) -> bool:
    said = " ".join(str(part) for part in (run.id, run.orchestration, run.error, run.step)).lower()
    return (
        (not chosen.at_risk or (run.deadline_earliest is not None and run.eligibility is not Eligibility.NOT_RESUMABLE))
        and (chosen.group is None or run.group == chosen.group)
        and (not chosen.statuses or run.status in chosen.statuses)
        and (chosen.text is None or chosen.text.lower() in said)
        and (not chosen.ids or run.id in chosen.ids)
    )


def _detail(line: RunLine) -> RunDetail:
    began = NOW - timedelta(days=14)
    item = WorkItemLine("0jW1", "Completed", "Ana Pérez", "active", began)
    done = StepLine("0jL1", "Check", "Check documents", "Completed", "InteractiveStep", None, began, began, (item,))
    broke = StepLine("0jL2", "Call", line.step, line.status, "BackgroundStep", "Credit_Bureau_Call", began, None)
    return RunDetail(
        line=line,
        readiness_note="The flow Credit_Bureau_Call was changed after the failure.",
        evidence=(Evidence("the step Call bureau is in Error", "FlowOrchestrationStepInstance"),
                  Evidence("an edit after the failure", "FlowOrchestrationInstance", contradicts=True)),
        stages=(StageLine("0jF1", "Intake", "Intake", "Completed", began, began + timedelta(minutes=2), (done,)),
                StageLine("0jF2", "Credit", line.stage, line.status, began, None, (broke,)),
                StageLine("0jF3", "Notify", "Notify", "NotStarted", None, None)),
        milestones=(Milestone(began, "StartInstance", "run started"),
                    Milestone(began + timedelta(minutes=2), "EndWorkItem", "work item completed", actor="Ana Pérez"),
                    Milestone(line.failed_at, "FailStep", "step Call bureau failed")),
        blast_radius=BlastRadius(steps_again=("Call bureau",), people=("Ana Pérez",), record=line.record),
        same_cause=2,
        time_zone="UTC",
        url="https://acme.example/lightning/r/0jE",
    )  # fmt: skip


def _planned(line: RunLine) -> PlannedRun:
    shared = {name: getattr(line, name) for name in ("name", "orchestration", "stage", "step", "error", "group")}
    return PlannedRun(
        run=line.id, episode=1, eligibility=line.eligibility, reason_code=line.reason_code, confidence=line.confidence,
        readiness=line.readiness, readiness_note="", deadline_earliest=line.deadline_earliest,
        deadline_latest=line.deadline_latest, blast_radius=BlastRadius(steps_again=("Call bureau",)), **shared,
    )  # fmt: skip


class Clock:
    """The org's time, standing still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@dataclass
class Driven:
    """A running dashboard in a test's hands."""

    app: Dashboard
    pilot: Pilot[None]
    clock: Clock = field(default_factory=lambda: Clock())

    async def press(self, *keys: str) -> None:
        """Press keys and wait, after each but not inside a typed word, until all they asked for is answered and painted."""
        for key, following in zip(keys, (*keys[1:], ""), strict=False):
            await self.pilot.press(key)
            if not (_is_typed(key) and _is_typed(following)):
                await self.settle()

    async def settle(self) -> None:
        """Wait for every question to be answered and painted."""
        for _ in range(2):
            for worker in list(self.app.workers):
                with suppress(WorkerCancelled):  # a question that a newer one replaced
                    await worker.wait()
            await self.pilot.pause()

    async def pass_time(self, by: timedelta) -> None:
        """Move the clock and let the dashboard see it."""
        self.clock.now += by
        self.app.now = self.clock.now
        await self.settle()

    async def sync(self) -> None:
        """Let a sync run to its end."""
        self.app.action_sync()
        await self.settle()

    def text(self) -> str:
        """The screen as text, without trailing blanks."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


def _is_typed(key: str) -> bool:
    return len(key) == 1 and not key.isupper()


Story = Callable[[Driven], Awaitable[None]]


def drive(source: MemorySource, story: Story, *, size: tuple[int, int] = (120, 35), read_only: str = "") -> None:
    """Run a dashboard over `source` without a terminal, with `story` at the keys."""

    async def run() -> None:
        clock = Clock()
        app = Dashboard(Desk(source, "acme", clock, read_only), poll=timedelta(days=1))
        async with app.run_test(size=size) as pilot:
            driven = Driven(app, pilot, clock)
            await driven.settle()
            await story(driven)

    asyncio.run(run())


def same_as_golden(name: str, text: str) -> None:
    """Compare a screen with its golden file; REWRITE_GOLDENS=1 writes the file instead."""
    golden = GOLDENS / f"{name}.txt"
    if os.environ.get("REWRITE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
