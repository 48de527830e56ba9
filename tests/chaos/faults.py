"""Every fault of the simulated org, once and for ever: what a pass makes of it, in how many requests.

    python -m tests.chaos.faults        prints the table

Waiting between tries is switched off, so the figures are requests, not seconds: at most 4 tries within 90 seconds in life.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import stamina
from pydantic import SecretStr

from connector.errors import Failure
from connector.mirror.engine import open_mirror
from connector.mirror.tables import LogEntry, Run
from connector.org.client import OrgClient
from connector.org.session import ATTEMPTS
from connector.settings import ClientCredentialsLogin, OrgSettings, SyncSettings
from connector.sync import sync
from fixtures.org import access, serve
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import differences

HIDDEN, REVOKED = f"{Run.salesforce_object}.CurrentStage", "ManageInteraction"
WHAT = {Kind.HIDE_FIELD: HIDDEN, Kind.REVOKE_PERMISSION: REVOKED}
SILENCE = 0.6  # seconds that a stalled org stays silent, and twice what this client bears


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. `equal_after` is whether the mirror equals the org once the fault is over."""

    kind: Kind
    for_ever: bool
    outcome: str
    requests: int
    said: str
    equal_after: bool


def try_fault(kind: Kind, *, for_ever: bool, folder: Path) -> Case:
    """A pass that has something to read while this fault strikes, and another one after it."""
    with serve("empty") as org, stamina.set_testing(True, attempts=ATTEMPTS):
        login = ClientCredentialsLogin(client_id=org.client_id, client_secret=SecretStr(org.client_secret))
        client = OrgClient(OrgSettings(instance_url=org.url, login=login, timeout=timedelta(seconds=SILENCE / 2)))
        engine = open_mirror(f"sqlite:///{folder / f'{kind}-{for_ever}.sqlite3'}")
        sync(client, engine, SyncSettings())
        with org.world.store.transaction() as tx:
            run = tx.create(Run.salesforce_object, Status="Error", OrchestrationDeveloperName="Loan")
            tx.create(LogEntry.salesforce_object, OrchestrationInstanceId=run, Kind="FailInstance")
        seconds = SILENCE if kind is Kind.STALL else 3600.0
        times = None if for_ever else 1
        org.faults.arm(Fault(kind, match="/services/data/", times=times, seconds=seconds, what=WHAT.get(kind, "")))
        before = client.api_calls
        try:
            report = sync(client, engine, SyncSettings())
            outcome, said = str(report.outcome), report.warnings[0] if report.warnings else ""
        except Failure as failure:
            public = next(each for each in type(failure).__mro__ if each.__module__ == "connector.errors")
            outcome, said = public.__name__, failure.what
        requests = client.api_calls - before
        org.faults.clear()
        access.show_name(org.world.store, HIDDEN)
        access.set_permission(org.world.store, org.user_id, REVOKED, granted=True)
        org.world.advance(timedelta(days=1, minutes=3))
        sync(client, engine, SyncSettings())
        equal = differences(org, engine) == []
        client.close()
        engine.dispose()
    return Case(kind, for_ever, outcome, requests, said, equal)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'fault':<18} {'how often':<9} {'outcome':<17} requests  equal after  said")
        for kind in Kind:
            for for_ever in (False, True):
                case = try_fault(kind, for_ever=for_ever, folder=Path(folder))
                often = "for ever" if for_ever else "once"
                print(
                    f"{kind:<18} {often:<9} {case.outcome:<17} {case.requests:>8}  {case.equal_after!s:<11}  {case.said[:90]}"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
