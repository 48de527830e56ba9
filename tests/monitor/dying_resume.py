"""A process that resumes every run at risk and is killed (SIGKILL) at a chosen moment; run by the crash tests.

    python -m tests.monitor.dying_resume ORG_URL ACCESS_TOKEN DATABASE_URL ORG_TIME MOMENT

ORG_TIME is the org's frozen clock. MOMENT counts how often the clock is read while an attempt is open: 1 is after the
intent was committed and before the call, 2 after the reply and before it is recorded.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import Engine, func, select
from sqlmodel import col

from connector.mirror.engine import open_mirror
from connector.org.client import OrgClient
from connector.settings import AccessTokenLogin, OrgSettings
from monitor import resume
from monitor.ledger import ResumeAttempt
from monitor.rows import RunFilter
from monitor.settings import ResumeSettings


class DeadlyClock:
    """A clock that stands still, and kills its process when it is read at the chosen moment."""

    def __init__(self, engine: Engine, now: datetime, moment: int) -> None:
        self.engine, self.now, self.moment = engine, now, moment
        self.reads = 0

    def __call__(self) -> datetime:
        """The time, or the end."""
        with self.engine.connect() as connection:
            is_open = select(func.count()).where(col(ResumeAttempt.settled_at).is_(None))
            self.reads += connection.scalars(is_open).one() > 0
        if self.reads == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.now


def main(url: str, token: str, database: str, org_time: str, moment: str) -> None:
    """Plan and execute until the clock kills."""
    now = datetime.fromisoformat(org_time)
    engine = open_mirror(database)
    login = AccessTokenLogin(access_token=SecretStr(token))
    client = OrgClient(OrgSettings(instance_url=url, login=login), clock=lambda: now)
    settings = ResumeSettings(allow_writes=True)
    resume.execute(
        resume.plan(engine, now, RunFilter(at_risk=True), settings),
        client=client,
        engine=engine,
        settings=settings,
        reason="to die of it",
        actor="nobody",
        clock=DeadlyClock(engine, now, int(moment)),
        sleep=lambda _seconds: None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
