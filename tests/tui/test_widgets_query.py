"""The filter that people type, and how a list changed between two looks."""

from __future__ import annotations

from array import array
from datetime import timedelta

import pytest

from monitor.rows import RunFilter
from monitor.verdict import Eligibility
from tui.screens.changes import compare
from tui.screens.query import View, parse_query
from tui.widgets.confirmation import needs_number


def test_words_and_keys_narrow_the_filter() -> None:
    """Words must be contained; keys name what they mean."""
    chosen = parse_query("status:failed|paused orch:Loan* left<1d12h group:ab12 missing field", RunFilter(org="acme"))
    assert chosen == RunFilter(
        org="acme",
        statuses=("Error", "Suspended"),
        orchestration="Loan*",
        within=timedelta(hours=36),
        group="ab12",
        text="missing field",
    )
    assert parse_query("ok:?", RunFilter()).eligibility is Eligibility.UNKNOWN


@pytest.mark.parametrize(("typed", "said"), [
    ("colour:red", "there is no key 'colour'"),
    ("status:", "status: needs a value behind it"),
    ("ok:maybe", "ok: is yes, no or unknown, not 'maybe'"),
    ("left<soon", "'soon' is not a length of time"),
    ('"open', "the quotation mark is not closed"),
])  # fmt: skip
def test_what_is_no_filter_is_said_in_a_sentence(typed: str, said: str) -> None:
    """A misspelt filter selects nothing silently: it is refused, and says why."""
    with pytest.raises(ValueError, match="^" + said.replace("(", r"\(")):
        parse_query(typed, RunFilter())


def test_esc_takes_one_restriction_at_a_time() -> None:
    """First the text, then the cause, then the at-risk switch."""
    view = View(text="loan", at_risk=True, cause="ab12")
    view = view.wider()
    assert view == View(at_risk=True, cause="ab12")
    assert view.wider() == View(at_risk=True)
    assert view.wider().wider() == View()


@pytest.mark.parametrize(("shown", "found", "sentence"), [
    ([1, 2, 3], [1, 2, 3], None),
    ([1, 2, 3], [3, 2, 1], "order changed: r"),
    ([1, 2], [1, 2, 3, 4], "2 new waiting: r"),
    ([1, 2, 3], [1, 4], "1 new, 2 runs left waiting: r"),
])  # fmt: skip
def test_what_waits_is_counted(shown: list[int], found: list[int], sentence: str | None) -> None:
    """A newer list says what it would add and take away."""
    waiting = compare(array("q", shown), array("q", found))
    assert (waiting.sentence() if waiting else None) == sentence


@pytest.mark.parametrize(("runs", "production", "typed"), [
    (1, True, False), (2, True, True), (10, False, False), (11, False, True),
])  # fmt: skip
def test_many_runs_or_production_ask_for_their_number(runs: int, production: bool, typed: bool) -> None:
    """`y` alone is enough for one run, and for up to ten in a sandbox."""
    assert needs_number(runs, production=production) is typed
