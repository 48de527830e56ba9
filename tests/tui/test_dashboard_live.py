"""The dashboard over a real mirror of the simulated org: sync, list, run, and a resume with its proof."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from connector.mirror.engine import open_mirror
from fixtures.org import serve
from tests.tui.dashboards import Driven
from tui.app import Dashboard
from tui.screens.desk import Desk
from tui.screens.mirror_source import MirrorSource
from tui.settings import Settings, load
from tui.widgets.run_list import RunList


def settings_for(url: str, client_id: str, client_secret: str, folder: Path) -> Settings:
    """Settings as from the environment, with writes allowed."""
    return load(
        environment={
            "REPRISE_INSTANCE_URL": url,
            "REPRISE_CLIENT_ID": client_id,
            "REPRISE_CLIENT_SECRET": client_secret,
            "REPRISE_DATABASE": f"sqlite:///{folder / 'mirror.sqlite3'}",
            "REPRISE_ALLOW_WRITES": "1",
            "REPRISE_RESUME_FIRST_LOOK_AFTER": "0.01s",
        },
        folder=folder,
    )


async def story(driven: Driven) -> None:
    """From an empty mirror to a verified resume."""
    runs = driven.app.query_one(RunList)
    await driven.sync()
    await driven.press("r")
    first = runs.cursor_line
    assert first is not None
    assert (first.status, first.eligibility) == ("Error", "RESUMABLE")
    assert f"1/{len(runs.rows)} runs" in driven.text()
    await driven.press("enter")
    assert "last moment to resume" in driven.text()
    await driven.press("R", *"fixed", "enter", "y")
    assert f"{first.id} verified" in driven.text()
    assert "1 of 1 run verified" in driven.text()
    await driven.press("escape", "escape")
    moved = runs.cursor_line
    assert moved is not None
    assert (moved.id, moved.status) == (first.id, "InProgress")


def test_a_failed_run_is_found_and_comes_back_to_life(tmp_path: Path) -> None:
    """The most urgent run of the morning is on top; resumed from its own screen, it is proven to run again."""
    with serve("monday", seed=1) as org:
        settings = settings_for(org.url, org.client_id, org.client_secret, tmp_path)
        engine = open_mirror(settings.database, create=True)
        source = MirrorSource(engine, settings, settings.org())

        async def run() -> None:
            app = Dashboard(Desk(source, settings.org().name, source.clock), poll=timedelta(days=1))
            async with app.run_test(size=(120, 35)) as pilot:
                await story(Driven(app, pilot))

        asyncio.run(run())
        source.close()
        engine.dispose()
