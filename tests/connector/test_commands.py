"""The one write: what was accepted, refused, or lost on the way is told apart, and nothing is sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.mirror.tables import Run
from connector.org.commands import CommandResult, set_status
from fixtures.org.faults import Fault, Kind
from tests.connector.peers import Peers, peers, token_client
from tests.mirrors import empty_mirror

RUN = Run.salesforce_object


def failed_runs(both: Peers, count: int) -> list[str]:
    """Runs whose first step failed and whose flow is fixed now."""
    both.org.world.break_flow("Order_Collect_State", "Broken")
    runs = [both.org.world.start("Order_Fallout") for _ in range(count)]
    both.advance(hours=1)
    both.org.world.fix_flow("Order_Collect_State")
    return runs


def test_two_hundred_runs_take_one_call(tmp_path: Path) -> None:
    """A batch is one API call; each run has its own answer, in the order given."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = failed_runs(both, 3)
        before = both.org.api_calls()
        results = set_status(both.client, [runs[2], "0jERM0000000000AAA", runs[0]], "InProgress")
        assert both.org.api_calls() - before == 1
        assert [(result.run, result.accepted) for result in results] == [
            (runs[2], True), ("0jERM0000000000AAA", False), (runs[0], True),
        ]  # fmt: skip
        assert results[1].code


def test_what_the_org_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    """A user without the permission is refused, run by run or as a whole, with Salesforce's code."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = failed_runs(both, 1)
        (result,) = set_status(token_client(both.org, "viewer"), runs, "InProgress")
        assert result.accepted is False
        assert "INSUFFICIENT_ACCESS" in result.code


@pytest.mark.parametrize("kind", [Kind.REPLY_LOST, Kind.CUT_BODY, Kind.LOGIN_PAGE, Kind.UNAVAILABLE])
def test_a_lost_answer_is_unknown_and_not_sent_again(kind: Kind, tmp_path: Path) -> None:
    """When the answer does not arrive nobody knows, and the request is on the wire once."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = failed_runs(both, 1)
        both.client.sign_in()
        both.org.faults.arm(Fault(kind, match="PATCH", times=None))
        before = both.client.api_calls
        assert [result.accepted for result in set_status(both.client, runs, "InProgress")] == [None]
        assert both.client.api_calls - before == 1


def test_an_expired_session_refuses_the_write(tmp_path: Path) -> None:
    """A write does not sign in again: it was certainly not done, and says so."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = failed_runs(both, 1)
        both.client.sign_in()
        both.org.faults.arm(Fault(Kind.EXPIRED_SESSION, match="PATCH"))
        (result,) = set_status(both.client, runs, "InProgress")
        assert (result.accepted, result.code) == (False, "INVALID_SESSION_ID")


def test_the_days_calls_are_used_up(tmp_path: Path) -> None:
    """A limit is a definite no."""
    with peers(empty_mirror(tmp_path)) as both:
        runs = failed_runs(both, 1)
        both.org.faults.arm(Fault(Kind.LIMIT_EXCEEDED, match="PATCH"))
        (result,) = set_status(both.client, runs, "InProgress")
        assert (result.accepted, result.code) == (False, "REQUEST_LIMIT_EXCEEDED")


def test_more_than_a_call_takes_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """201 runs are refused before anything is sent; no runs are no call."""
    with peers(empty_mirror(tmp_path)) as both, pytest.raises(ValueError, match="200"):
        set_status(both.client, ["0jE"] * 201, "InProgress")


def test_a_result_compares_by_value() -> None:
    """Results are plain values."""
    assert CommandResult("0jE", True) == CommandResult("0jE", True, "", "")
