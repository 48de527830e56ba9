"""The keys: each does one thing, can be found in the help and the palette, and lower case only reads."""

from __future__ import annotations

import pytest
from textual.binding import Binding
from textual.command import CommandPalette
from textual.dom import DOMNode

from tests.tui.dashboards import Driven, MemorySource, drive, monday
from tui.app import Dashboard
from tui.screens.help import HelpScreen, commands
from tui.screens.resume import ResumeScreen
from tui.screens.run import Pane, RunScreen
from tui.screens.runs import RunsScreen
from tui.widgets.filter_line import FilterLine
from tui.widgets.run_list import RunList

# What shares the keyboard at one time, the focused widget first.
TOGETHER: list[tuple[type[DOMNode], ...]] = [
    (RunList, RunsScreen, Dashboard),
    (Pane, RunScreen, Dashboard),
    (FilterLine,),
    (ResumeScreen,),
    (HelpScreen,),
]


def keys_of(kind: type[DOMNode]) -> list[tuple[str, str]]:
    """The keys that a class declares, with their actions."""
    return [(each.key, each.action) for each in Binding.make_bindings(kind.__dict__.get("BINDINGS", ()))]


@pytest.mark.parametrize("kinds", TOGETHER, ids=lambda kinds: kinds[0].__name__)
def test_no_key_has_two_meanings_at_once(kinds: tuple[type[DOMNode], ...]) -> None:
    """Textual takes the first of two bindings silently; a run screen's q and r mean what they mean everywhere."""
    meanings: dict[str, set[str]] = {}
    for kind in kinds:
        for key, action in keys_of(kind):
            meanings.setdefault(key, set()).add(action)
    clashes = {key: actions for key, actions in meanings.items() if len(actions) > 1}
    assert clashes.keys() <= {"q"}  # leaves the run screen, and the dashboard from the list


@pytest.mark.parametrize("kinds", TOGETHER, ids=lambda kinds: kinds[0].__name__)
def test_keys_are_names_that_terminals_can_send(kinds: tuple[type[DOMNode], ...]) -> None:
    """No key that a terminal swallows or cannot tell from another; a misspelt name would never fire."""
    named = {
        *("up", "down", "pageup", "pagedown", "home", "end", "enter", "escape", "space", "tab", "shift+tab"),
        *("asterisk", "slash", "colon", "question_mark", "exclamation_mark", "equals_sign"),
        *("left_square_bracket", "right_square_bracket", "ctrl+a", "ctrl+p"),
    }
    for kind in kinds:
        for key, _ in keys_of(kind):
            assert key in named or (len(key) == 1 and key.isalpha()), key


def test_only_capital_r_leads_to_a_resume() -> None:
    """Lower case reads."""
    for kinds in TOGETHER:
        for kind in kinds:
            assert {key for key, action in keys_of(kind) if action == "resume"} <= {"R"}


def test_every_key_is_a_command_of_the_palette() -> None:
    """What a key does can be found by its name, and runs from there."""

    async def story(driven: Driven) -> None:
        screen = driven.app.screen
        offered = {command.title.lower(): command.callback for command in driven.app.get_system_commands(screen)}
        assert {each.said.lower() for each in commands(screen)} <= offered.keys() | {"commands"}
        driven.app.call_later(offered["at risk"])
        await driven.settle()
        assert "1/4 at risk" in driven.text()
        await driven.press("colon")
        assert isinstance(driven.app.screen, CommandPalette)

    drive(MemorySource(list(monday())), story)


def test_escape_never_quits() -> None:
    """Esc goes back one step at a time, and stops at the list."""

    async def story(driven: Driven) -> None:
        await driven.press("enter", "R", "escape", "escape", "escape", "escape", "question_mark", "escape", "escape")
        assert isinstance(driven.app.screen, RunsScreen)
        assert driven.app.is_running

    drive(MemorySource(list(monday())), story)


def test_brackets_go_through_the_list() -> None:
    """From a run to the next and back without returning to the list."""

    async def story(driven: Driven) -> None:
        await driven.press("enter", "right_square_bracket")
        assert "run 0jE000000000002AAA" in driven.text()
        await driven.press("left_square_bracket")
        assert "run 0jE000000000001AAA" in driven.text()

    drive(MemorySource(list(monday())), story, size=(80, 24))


def test_copying_an_id_says_what_was_done() -> None:
    """The id goes to the terminal; whether it arrived nobody can know, and nobody claims it."""

    async def story(driven: Driven) -> None:
        await driven.press("y")
        assert driven.app.clipboard == "0jE000000000001AAA"
        assert "handed to the terminal's clipboard" in driven.text()

    drive(MemorySource(list(monday())), story)
