"""What the screens look like, as text, at both sizes that are promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.errors import OrgUnreachable
from tests.tui.dashboards import SIZES, Driven, MemorySource, drive, monday, same_as_golden

KEYS = {
    "runs": (),
    "runs_marked": ("space", "down", "space"),
    "runs_at_risk": ("exclamation_mark",),
    "runs_same_cause": ("equals_sign",),
    "runs_none_match": ("slash", "z", "z", "enter"),
    "run": ("enter",),
    "run_timeline": ("enter", "tab"),
    "run_facts": ("enter", "tab", "tab"),
    "run_not_failed": ("end", "up", "up", "up", "enter"),
    "help": ("question_mark",),
    "resume_one": ("R",),
    "resume_many": ("asterisk", "R", "o", "k"),
    "resume_none": ("end", "R"),
    "resume_done": ("R", "o", "k", "enter", "y"),
}


LARGE, SMALL = SIZES
LIKE_ANOTHER = {"runs_marked", "runs_at_risk", "runs_same_cause", "runs_none_match", "run_not_failed", "resume_none"}
"""Screens that differ from another only in what they hold: one size shows that."""
NARROW_ONLY = {"run_timeline"}
"""A large screen shows all panes at once."""
SCREENS = [
    *((name, LARGE) for name in KEYS if name not in NARROW_ONLY),
    *((name, SMALL) for name in KEYS if name not in LIKE_ANOTHER),
]


@pytest.mark.parametrize(
    ("name", "size"), SCREENS, ids=lambda each: each if isinstance(each, str) else f"{each[0]}x{each[1]}"
)
def test_screen(name: str, size: tuple[int, int]) -> None:
    """Each screen, reached by its keys, is the one that was reviewed."""

    async def story(driven: Driven) -> None:
        await driven.press(*KEYS[name])
        same_as_golden(f"{name}_{size[0]}x{size[1]}", driven.text())

    drive(MemorySource(list(monday())), story, size=size)


def offline(source: MemorySource) -> None:
    """An org that does not answer."""
    source.refuse = OrgUnreachable("acme does not answer.", next_step="Check the network, then press r.")


def sandbox(source: MemorySource) -> None:
    """A sandbox."""
    source.is_sandbox = True


def empty(source: MemorySource) -> None:
    """An org without runs that does not answer either."""
    offline(source)
    source.runs, source.order = [], []


@pytest.mark.parametrize(
    ("change", "size"),
    [(offline, SMALL), (offline, LARGE), (sandbox, LARGE), (empty, SMALL), (empty, LARGE)],
    ids=lambda each: each.__name__ if callable(each) else f"{each[0]}x{each[1]}",
)
def test_screen_in_another_situation(change: Callable[[MemorySource], None], size: tuple[int, int]) -> None:
    """The top line names the situation in words; the data stay."""

    async def story(driven: Driven) -> None:
        same_as_golden(f"runs_{change.__name__}_{size[0]}x{size[1]}", driven.text())

    source = MemorySource(list(monday()))
    change(source)
    drive(source, story, size=size)


@pytest.mark.parametrize("size", [(40, 10), (60, 15), (200, 60)], ids=str)
def test_no_size_is_refused(size: tuple[int, int]) -> None:
    """A tiny or a huge terminal shows the soonest run first, all the same."""

    async def story(driven: Driven) -> None:
        assert "!!00:48:10 yes" in driven.text()

    drive(MemorySource(list(monday())), story, size=size)
