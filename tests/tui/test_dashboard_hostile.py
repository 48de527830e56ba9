"""Text from the org is text: on no screen does it break the layout, press a key, or reach the terminal as a command."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.errors import OrgUnreachable
from monitor.ledger import AttemptOutcome
from monitor.resume import Attempt
from tests.tui.dashboards import HOSTILE, Driven, MemorySource, drive, failed

ZERO_WIDTH_JOINER = "\u200d"

SCREENS: dict[str, tuple[str, ...]] = {
    "runs": (),
    "run": ("enter",),
    "facts": ("enter", "tab", "tab"),
    "resume": ("R",),
    "result": ("R", "o", "k", "enter", "y"),
    "filter": ("slash", *"[/b] [@click=app.quit]x[/]", "enter"),
}


def hostile_org() -> MemorySource:
    """Runs, errors, records, people and answers that are called like attacks."""
    runs = [
        failed(
            number,
            timedelta(days=number),
            name=name,
            orchestration=name,
            stage=name,
            step=name,
            error=name,
            record=name,
        )
        for number, name in enumerate(HOSTILE, start=1)
    ]
    source = MemorySource(list(runs), is_sandbox=True)
    source.becomes = lambda run: Attempt(run.run, AttemptOutcome.REFUSED, run.name or "")
    return source


@pytest.mark.parametrize("keys", SCREENS.values(), ids=SCREENS)
def test_hostile_names_are_shown_and_do_nothing(keys: tuple[str, ...]) -> None:
    """Each line keeps the width of the screen, holds no control character, and can be clicked without effect."""

    async def story(driven: Driven) -> None:
        await driven.press("down", *keys)
        width, height = driven.app.size
        for strip in driven.app.screen._compositor.render_strips():
            assert strip.cell_length == width
            assert "".join(segment.text for segment in strip).replace(ZERO_WIDTH_JOINER, "").isprintable()
        before = driven.app.screen
        for y in range(0, height - 1, 2):  # the last line is ours: its words are buttons
            await driven.pilot.click(offset=(width // 2, y))
        assert driven.app.is_running
        assert driven.app.screen is before

    drive(hostile_org(), story, size=(80, 24))


def test_hostile_errors_are_shown_as_they_are() -> None:
    """What the org answers when it refuses goes through the status line, and is only text there."""
    source = hostile_org()

    async def story(driven: Driven) -> None:
        for name in HOSTILE[:6]:
            source.refuse = OrgUnreachable(name)
            await driven.sync()
            assert "OFFLINE" in driven.text()
            assert driven.text().replace("\n", "").replace(ZERO_WIDTH_JOINER, "").isprintable()

    drive(source, story)
