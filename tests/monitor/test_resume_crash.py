"""A resume that is killed at the worst moments is settled by reading, without a second call."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.ledger import ResumeAttempt, ResumeBatch
from tests.connector.peers import stale_verdicts
from tests.mirrors import empty_mirror
from tests.monitor.workshop import ALLOWED, Workshop, workshop

ROOT = Path(__file__).parent.parent.parent


def die(shop: Workshop, database: str, moment: int) -> None:
    """Let another process resume the runs at risk, and die at that moment."""
    words = [shop.org.url, shop.org.access_token, database, shop.now().isoformat(), str(moment)]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.monitor.dying_resume", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize(
    ("moment", "writes", "outcome"),
    [(1, 0, "NOT_APPLIED"), (2, 1, "VERIFIED")],
    ids=["between intent and call", "between reply and commit"],
)
def test_a_killed_resume_is_settled_without_a_second_call(
    tmp_path: Path, moment: int, writes: int, outcome: str
) -> None:
    """kill -9 before the call or after its reply: the lease outlives the process, and one look tells what became of it."""
    database = empty_mirror(tmp_path)
    with workshop(database) as shop:
        (run,) = shop.fail_runs(1)
        shop.sync()
        die(shop, database, moment)
        assert shop.writes() == writes
        (left,) = shop.rows(ResumeAttempt)
        assert (left.settled_at, left.answered_at) == (None, None)
        assert shop.plan([run]).included == ()
        assert stale_verdicts(shop.engine, shop.now()) == set()
        shop.advance(seconds=ALLOWED.proof_within.total_seconds())
        report = shop.verify_open()
        assert [str(one.outcome) for one in report.settled] == [outcome]
        assert (report.still_open, shop.writes(), shop.resumes_in_org(run)) == (0, writes, writes)
        assert stale_verdicts(shop.engine, shop.now()) == set()
        (batch,) = shop.rows(ResumeBatch)
        assert batch.outcome == ("ALL_VERIFIED" if outcome == "VERIFIED" else "NONE")
