"""An org with a few failed runs, for typing commands at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fixtures.org import serve
from fixtures.org.running import RunningOrg

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold]Quote[/bold]\r\n✗ failed [@click=app.quit]\u202eesrever"
"""A name that would clear the screen, rename the window, forge a line, press a button and turn the line around."""


@dataclass(frozen=True)
class FailingOrg:
    """The org, the ids of its runs, and the environment that makes commands speak to it."""

    org: RunningOrg
    environment: dict[str, str]
    lost: str  # failed 15 days ago
    loans: tuple[str, ...]  # three that failed; their flow was fixed since
    screening: str  # failed, its flow still broken, its steps with a hostile label
    running: str

    @property
    def failed(self) -> int:
        """How many runs are in Error."""
        return 2 + len(self.loans)


@contextmanager
def failing_org(folder: Path) -> Iterator[FailingOrg]:
    """Serve it; the mirror of its commands lies in `folder`, and does not exist yet."""
    with serve("empty") as org:
        world = org.world
        world.break_flow("Loan_Pull_Credit_Report", "The bureau answered 503 to jo.doe@example.com.")
        world.break_flow("KYC_Sanctions_Screening", "Sanctions list not found.")
        lost = world.start("Loan_Origination")
        world.advance(timedelta(days=15))
        loans = tuple(world.start("Loan_Origination") for _ in range(3))
        screening = world.start("KYC_Review")
        world.advance(timedelta(hours=1))
        world.fix_flow("Loan_Pull_Credit_Report")
        running = world.start("Claims_Handling")
        world.advance(timedelta(hours=1))
        _rename_steps(org, screening)
        environment = {
            "REPRISE_INSTANCE_URL": org.url,
            "REPRISE_ACCESS_TOKEN": org.access_token,
            "REPRISE_DATABASE": f"sqlite:///{folder / 'mirror.sqlite3'}",
            "REPRISE_RESUME_FIRST_LOOK_AFTER": "0.01s",
        }
        yield FailingOrg(org, environment, lost, loans, screening, running)


def _rename_steps(org: RunningOrg, run: str) -> None:
    with org.world.store.transaction() as transaction:
        for step in transaction.find("FlowOrchestrationStepInstance", OrchestrationInstanceId=run):
            transaction.update("FlowOrchestrationStepInstance", step["Id"], Label=HOSTILE)
