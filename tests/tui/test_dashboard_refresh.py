"""A list that is refreshed under somebody's hands: nothing moves, nothing is lost, nothing is acted on by mistake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.errors import MirrorUnusable, OrgUnreachable
from tests.tui.dashboards import Driven, MemorySource, drive, failed, monday
from tui.screens.resume import ResumeScreen
from tui.widgets.run_list import RunList


def cursor(driven: Driven) -> str:
    """The id of the run under the cursor."""
    line = driven.app.query_one(RunList).cursor_line
    assert line is not None
    return line.id


def status(driven: Driven) -> str:
    """The status line."""
    return next(line for line in driven.text().splitlines() if "by time left" in line)


class Reordered(MemorySource):
    """An org whose runs come in another order, or not at all, when the test says so."""

    def insert_first(self) -> None:
        """A new run, more urgent than all others."""
        self.order.insert(0, len(self.runs))
        self.runs.append(failed(99, timedelta(minutes=5)))

    def remove(self, row: int) -> None:
        """A run is gone from the mirror."""
        self.order.remove(row)
        self.runs[row] = None


def org() -> Reordered:
    """The runs of `monday`, in that order."""
    return Reordered(list(monday()))


def test_the_cursor_stays_on_its_run_when_the_list_changes() -> None:
    """A more urgent run waits until r is pressed; then it stands above, and the cursor is where it was."""
    source = org()

    async def story(driven: Driven) -> None:
        await driven.press("down", "down")
        before = cursor(driven)
        source.insert_first()
        await driven.sync()
        assert "!!00:05:00" not in driven.text()
        assert status(driven).endswith("1 new waiting: r")
        await driven.press("r")
        assert "!!00:05:00" in driven.text()
        assert cursor(driven) == before
        assert status(driven).strip() == "4/11 runs · by time left"

    drive(source, story)


def test_values_change_in_place_at_once() -> None:
    """What a run has to say is renewed by every sync; only its place waits."""
    source = org()

    async def story(driven: Driven) -> None:
        line = source.runs[1]
        assert line is not None
        source.runs[1] = replace(line, error="Something else broke")
        await driven.sync()
        assert "Something else broke" in driven.text()

    drive(source, story)


def test_a_run_deleted_under_the_cursor_stays_until_the_cursor_leaves() -> None:
    """Its line goes grey where it was, and goes away when the cursor does."""
    source = org()

    async def story(driven: Driven) -> None:
        await driven.press("down")
        source.remove(1)
        await driven.press("r")
        assert "!!03:11:52" in driven.text()
        assert driven.app.query_one(RunList).position == 1
        await driven.press("down")
        assert "!!03:11:52" not in driven.text()
        assert cursor(driven).endswith("003AAA")
        assert status(driven).strip().startswith("2/9 ")

    drive(source, story)


def test_changes_show_by_themselves_when_nobody_is_there() -> None:
    """After ten seconds without a key, with the cursor at the top, the list follows the org."""
    source = org()

    async def story(driven: Driven) -> None:
        await driven.press("down", "up")
        source.insert_first()
        await driven.sync()
        await driven.pass_time(timedelta(seconds=9))
        assert "1 new waiting" in status(driven)
        await driven.pass_time(timedelta(seconds=1))
        assert "waiting" not in status(driven)
        assert cursor(driven).endswith("001AAA")

    drive(source, story)


def test_nothing_moves_while_the_cursor_is_inside_the_list() -> None:
    """However long nobody presses a key: somebody may be reading that line."""
    source = org()

    async def story(driven: Driven) -> None:
        await driven.press("down")
        source.insert_first()
        await driven.sync()
        await driven.pass_time(timedelta(hours=1))
        assert "1 new waiting" in status(driven)

    drive(source, story)


def test_marks_name_runs_and_not_lines() -> None:
    """A mark stays with its run through a new order and through a filter that hides it."""
    source = org()

    async def story(driven: Driven) -> None:
        await driven.press("down", "space")
        source.insert_first()
        await driven.press("r")
        assert next(line for line in driven.text().splitlines() if "●" in line).endswith("0002")
        await driven.press("slash", *"claim", "enter")
        assert "1 marked (1 not in this view)" in status(driven)
        await driven.press("escape", "u")
        assert "●" not in driven.text()

    drive(source, story)


def test_marking_all_takes_what_the_filter_shows_and_twice_takes_none() -> None:
    """`*` marks every run of the view, on screen or not; again, it unmarks them."""

    async def story(driven: Driven) -> None:
        await driven.press("exclamation_mark", "asterisk")
        assert set(driven.app.query_one(RunList).marks.values()) == {run.id for run in monday()[:4]}
        await driven.press("asterisk")
        assert not driven.app.query_one(RunList).marks

    drive(org(), story, size=(80, 24))


def test_a_refresh_does_not_change_what_was_previewed() -> None:
    """The plan on screen is the plan that is sent, whatever the list does meanwhile."""
    source = org()
    source.is_sandbox = True

    async def story(driven: Driven) -> None:
        await driven.press("R")
        source.insert_first()
        source.remove(1)
        await driven.sync()
        assert isinstance(driven.app.screen, ResumeScreen)
        await driven.press("o", "k", "enter", "y")
        assert [run.run for run in source.executed[0][0].included] == ["0jE000000000001AAA"]

    drive(source, story)


def test_the_clock_repaints_only_what_it_changes() -> None:
    """A second later the countdown of the urgent runs is a second less, and nothing was read for it."""
    source = org()

    async def story(driven: Driven) -> None:
        source.asked_rows.clear()
        await driven.pass_time(timedelta(seconds=1))
        assert "!!00:48:09" in driven.text()
        assert source.asked_rows == []

    drive(source, story)


def test_only_lines_on_screen_and_near_it_are_read() -> None:
    """A list of many thousands reads a few screens of them, at the start and after a jump to the end."""
    source = MemorySource([failed(row % 1000, timedelta(minutes=row)) for row in range(20_000)])

    async def story(driven: Driven) -> None:
        await driven.press("end")
        assert "20,000/20,000 runs" in status(driven)
        assert cursor(driven).endswith("999AAA")
        assert len(set(source.asked_rows)) < 300

    drive(source, story)


def test_an_error_stands_in_the_status_line_until_a_key() -> None:
    """It says what happened and what to do, and does not take the list away."""
    source = org()

    async def story(driven: Driven) -> None:
        source.refuse = OrgUnreachable("acme does not answer.", next_step="Check the network, then press r.")
        await driven.sync()
        assert "! acme does not answer. Check the network, then press r." in driven.text()
        assert "OFFLINE since 06:42 │ data as of 06:41:48" in driven.text()
        await driven.press("down")
        assert "acme does not answer" not in driven.text()
        assert "OFFLINE since 06:42" in driven.text()
        source.refuse = None
        await driven.sync()
        assert "OFFLINE" not in driven.text()

    drive(source, story)


def test_a_mirror_in_use_is_not_called_offline() -> None:
    """Another process that syncs says nothing about the org."""
    source = org()

    async def story(driven: Driven) -> None:
        source.refuse = MirrorUnusable("Another process is writing to this mirror.")
        await driven.sync()
        assert "Another process is writing" in driven.text()
        assert "OFFLINE" not in driven.text()

    drive(source, story)
