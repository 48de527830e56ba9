"""A handful of the random histories of `python -m tests.chaos.confusion`, which plays thousands."""

from __future__ import annotations

from monitor.verdict import Eligibility
from tests.chaos.confusion import play, table


def test_a_certain_verdict_is_the_engine_s_answer() -> None:
    """With everything in sight and the documents' likeliest truth: no wrong verdict, and none unknown."""
    outcomes = play(60, 1000, any_truth=False, any_sight=False)
    assert [outcome for outcome in outcomes if outcome.is_wrong] == []
    assert {outcome.eligibility for outcome in outcomes} == {Eligibility.RESUMABLE, Eligibility.NOT_RESUMABLE}


def test_the_table_counts_every_outcome_once() -> None:
    """The lines of each eligibility add up to its total, and the totals to all outcomes."""
    outcomes = play(20, 0, any_truth=True, any_sight=True)
    rows = [line.split() for line in table(outcomes).splitlines()[1:]]
    totals = {row[0]: int(row[-2]) + int(row[-1]) for row in rows if row[1] == "all"}
    assert sum(totals.values()) == len(outcomes)
    for eligibility, total in totals.items():
        assert total == sum(int(row[-2]) + int(row[-1]) for row in rows if row[0] == eligibility and row[1] != "all")
