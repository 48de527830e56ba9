"""An org whose quotes can be broken, its mirror, and hands to resume with: everything on the org's own clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlmodel import Session, SQLModel

from connector.mirror.engine import open_mirror
from connector.org.client import OrgClient
from connector.reconcile import reconcile
from connector.settings import AccessTokenLogin, OrgSettings, SyncSettings
from connector.sync import sync
from fixtures.org import access, serve
from fixtures.org.running import RunningOrg
from fixtures.org.switches import Switches
from monitor import resume
from monitor.assess import assess
from monitor.plans import Plan
from monitor.proof import VerifyReport
from monitor.resume import Batch
from monitor.rows import RunFilter
from monitor.settings import MonitorSettings, ResumeSettings

ORCHESTRATION = "Contract_Renewal"  # its first step is a background step that calls the flow below
FLOW = "Renewal_Build_Quote"
ALLOWED = ResumeSettings(allow_writes=True, patience=timedelta(seconds=6))  # two looks


@dataclass
class Workshop:
    """`sleep` moves the org's clock, which is also ours; `slept` are the seconds of each sleep."""

    org: RunningOrg
    engine: Engine
    client: OrgClient
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The one clock."""
        return self.org.world.store.clock.now()

    def sleep(self, seconds: float) -> None:
        """Let the org live on for so long."""
        self.slept.append(seconds)
        self.org.world.advance(timedelta(seconds=seconds))

    def advance(self, **by: float) -> None:
        """Let the org's time pass."""
        self.org.world.advance(timedelta(**by))

    def fail_runs(self, count: int, *, fix: bool = True) -> list[str]:
        """Start runs that fail at once; with `fix` the flow that they call works again afterwards."""
        world = self.org.world
        world.break_flow(FLOW, "The quote service does not answer {record}; ask jo@example.com")
        runs = [world.start(ORCHESTRATION, f"800{number:012d}AAA") for number in range(count)]
        self.advance(minutes=1)
        if fix:
            world.fix_flow(FLOW)
        return runs

    def sync(self) -> None:
        """Mirror the org and judge its runs."""
        sync(self.client, self.engine, SyncSettings())
        assess(self.engine, self.now())

    def unshare(self, runs: Sequence[str]) -> None:
        """Stop sharing runs with the user that reads them, and let the Id audit notice it."""
        access.unshare(self.org.world.store, self.org.user_id, runs)
        reconcile(self.client, self.engine, SyncSettings())
        assess(self.engine, self.now())

    def plan(self, runs: Sequence[str] = (), settings: ResumeSettings = ALLOWED) -> Plan:
        """A plan for these runs, or for all that are at risk."""
        chosen = RunFilter(ids=tuple(runs)) if runs else RunFilter(at_risk=True)
        return resume.plan(self.engine, self.now(), chosen, settings, MonitorSettings())

    def execute(self, plan: Plan, settings: ResumeSettings = ALLOWED, **changes: Any) -> Batch:
        """Execute a plan as Ada does."""
        options: dict[str, Any] = {
            "client": self.client,
            "engine": self.engine,
            "settings": settings,
            "reason": "the quote service is back",
            "actor": "ada",
            "clock": self.now,
            "sleep": self.sleep,
        }
        return resume.execute(plan, **options | changes)

    def verify_open(self, settings: ResumeSettings = ALLOWED) -> VerifyReport:
        """Settle what is open, as `reprise watch` does."""
        return resume.verify_open(self.engine, self.client, settings=settings, clock=self.now)

    def status(self, run: str) -> str:
        """A run's status in the org."""
        (row,) = self.org.world.store.rows("FlowOrchestrationInstance", Id=run)
        return str(row["Status"])

    def resumes_in_org(self, run: str) -> int:
        """How often the org itself resumed a run."""
        logged = self.org.world.store.rows("FlowOrchestrationLog", OrchestrationInstanceId=run)
        return sum(entry["Kind"] == "ResumeInstance" for entry in logged)

    def writes(self) -> int:
        """How many write requests the org has seen."""
        entries = requests.get(f"{self.org.control_url}/log", timeout=10).json()["entries"]
        return sum(entry["method"] == "PATCH" for entry in entries)

    def rows(self, table: type[SQLModel]) -> list[Any]:
        """All rows of one of our tables."""
        with Session(self.engine) as session:
            return list(session.scalars(select(table)))


@contextmanager
def workshop(
    url: str, *, switches: Switches | None = None, user: str = "run.manager", scenario: str = "empty"
) -> Iterator[Workshop]:
    """An org, its client as `user`, and the mirror at `url`."""
    with serve(scenario, switches=switches) as org:
        engine = open_mirror(url)
        login = AccessTokenLogin(access_token=SecretStr(org.open_session(user)))
        client = OrgClient(OrgSettings(instance_url=org.url, login=login), clock=org.world.store.clock.now)
        try:
            yield Workshop(org, engine, client)
        finally:
            client.close()
            engine.dispose()
