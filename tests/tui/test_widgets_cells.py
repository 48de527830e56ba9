"""The cells of the run list: widths that add up, foreign text made harmless, time left in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.cells import cell_len

from monitor.verdict import ReasonCode
from tests.tui.dashboards import HOSTILE, NOW, failed, not_failed
from tui.widgets.cells import GUTTER, columns, left

ZERO_WIDTH_JOINER = "\u200d"


def test_every_width_is_filled_and_never_overrun() -> None:
    """At each terminal width the columns fit exactly, and LEFT and OK? are among them."""
    for width in range(40, 241):
        chosen = columns(width)
        assert [column.title for column in chosen[:2]] == ["  LEFT ▴", "OK?"]
        assert all(column.width > 0 for column in chosen)
        assert GUTTER + sum(column.width + 1 for column in chosen) == width


@pytest.mark.parametrize(("width", "titles"), [
    (40, ["ORCHESTRATION"]),
    (50, ["ORCHESTRATION", "STEP"]),
    (79, ["ORCHESTRATION", "STEP", "WHY"]),
    (105, ["ORCHESTRATION", "STAGE › STEP", "WHY", "AGE"]),
    (119, ["ORCHESTRATION", "STAGE › STEP", "WHY", "AGE", "ID"]),
])  # fmt: skip
def test_columns_drop_one_by_one(width: int, titles: list[str]) -> None:
    """A narrow terminal shows fewer columns; it is never refused."""
    assert [column.title for column in columns(width)[2:]] == titles


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_inside_its_cell(name: str) -> None:
    """Whatever a name holds, its cell has the width of its column and no character that could steer a terminal."""
    line = failed(1, timedelta(hours=1), orchestration=name, stage=name, step=name, error=name, version=None)
    for column in columns(120):
        text = column.text(line, NOW).text
        assert cell_len(text) == column.width
        assert text.replace(ZERO_WIDTH_JOINER, "").isprintable()


@pytest.mark.parametrize(("ahead", "text"), [
    (timedelta(minutes=48, seconds=10), "!!00:48:10"),
    (timedelta(hours=9, minutes=40), " !09:40:00"),
    (timedelta(days=2, hours=11), "  2d 11h"),
    (timedelta(seconds=-1), "  expired"),
])  # fmt: skip
def test_time_left_says_how_urgent_without_colour(ahead: timedelta, text: str) -> None:
    """Two exclamation marks below four hours, one below a day, none above, and a word when it is over."""
    assert left(failed(1, ahead), NOW).text == text


def test_a_deadline_that_may_have_passed_is_not_called_expired() -> None:
    """Between the earliest and the latest moment a refusal can come at any time, and the run is not given up."""
    line = failed(1, timedelta(hours=-1), deadline_latest=NOW + timedelta(hours=1))
    assert left(line, NOW).text == "!!any time"


def test_a_run_that_did_not_fail_has_no_time_left() -> None:
    """Only a failed run has a deadline, and keeps it under another label that nothing proves."""
    assert left(not_failed(1, "InProgress"), NOW).text == "  —"
    labelled = failed(1, timedelta(hours=9), status="InProgress", reason_code=ReasonCode.NOT_IN_ERROR)
    assert left(labelled, NOW).text == " !09:00:00"
