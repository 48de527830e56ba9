"""What was spent is counted, whatever became of the passes that spent it."""

from __future__ import annotations

import pytest
from sqlmodel import Session, col, select

from connector.mirror.tables import SyncPass
from connector.report import Progress
from tests.connector.peers import log_entries, peers


class Died(BaseException):
    """What nobody catches."""


def die(progress: Progress) -> None:
    """In the middle of a pass, after the first of its calls was committed."""
    raise Died(progress)


def test_the_calls_of_a_pass_that_died_are_not_forgotten(database_url: str) -> None:
    """They are in the history as those of an unfinished pass; the next report counts all that the org has counted."""
    with peers(database_url) as both:
        log_entries(both.org, 15_000)
        with pytest.raises(Died):
            both.sync(progress=die)
        spent = both.sync().spend
        assert spent is not None
        assert spent.budget.ours == both.org.api_calls()
        with Session(both.engine) as session:
            history = session.exec(select(SyncPass.outcome, SyncPass.api_calls).order_by(col(SyncPass.id))).all()
    died, finished = history
    assert died == ("UNFINISHED", 1)
    assert finished == ("COMPLETE", spent.budget.ours - 1)
