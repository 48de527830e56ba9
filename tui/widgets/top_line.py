"""The line on top of every screen: which org, may we write, how old is what you see, what is about to expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from monitor.rows import Overview
from tui.format import in_words, plain, zone

NARROW = 100


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds for all screens. `passes` counts the finished syncs, so that a screen sees that there is something new.

    `problem` says why the newest sync failed and `offline_since` since when syncs fail; both None while all is well.
    """

    org: str
    read_only: bool
    overview: Overview | None = None
    passes: int = 0
    syncing: bool = False
    offline_since: datetime | None = None
    problem: str | None = None

    @property
    def is_production(self) -> bool:
        """An org is production until it has told us otherwise."""
        return self.overview is None or self.overview.is_sandbox is not True


class Informed(Protocol):
    """What widgets know of the app that they are in."""

    situation: Situation
    now: datetime


def informed(app: object) -> Informed:
    """The app, as what it tells its widgets."""
    return cast(Informed, app)


def kind_word(situation: Situation) -> str:
    """PRODUCTION or sandbox, in a word; a question mark while the org has not told."""
    if situation.overview is None or situation.overview.is_sandbox is None:
        return "PRODUCTION?"
    return "sandbox" if situation.overview.is_sandbox else "PRODUCTION"


def top_line(situation: Situation, now: datetime, width: int) -> str:
    """The text of the top line, exactly `width` cells. As it narrows words get shorter, then API and clock go."""
    narrow = width < NARROW
    name = plain(situation.org)
    mode = "ro" if situation.read_only else "rw"
    parts = [f" {kind_word(situation)} {name}  {mode}", *_freshness(situation, now, narrow)]
    api = _api_left(situation, narrow)
    clock = now.astimezone(zone(situation.overview.time_zone if situation.overview else None))
    time = clock.strftime("%H:%M" if narrow else "%a %H:%M")
    for dropped in range(3):
        left = " │ ".join([*parts, *([api] if api and dropped < 1 else [])])
        right = " │ ".join([*_alarm(situation, narrow), *([time] if dropped < 2 else [])]) + " "
        if cell_len(left) + cell_len(right) < width:
            break
    return left + " " * max(width - cell_len(left) - cell_len(right), 1) + right


def _freshness(situation: Situation, now: datetime, narrow: bool) -> list[str]:
    as_of = situation.overview.as_of if situation.overview else None
    where = zone(situation.overview.time_zone if situation.overview else None)
    if situation.offline_since is not None:
        since = f"OFFLINE since {situation.offline_since.astimezone(where):%H:%M}"
        return [since, f"data as of {as_of.astimezone(where):%H:%M:%S}" if as_of else "nothing mirrored yet"]
    if as_of is None:
        return ["first sync running" if situation.syncing else "never synced"]
    old = in_words(now - as_of)
    return [f"sync {old}" if narrow else f"synced {old} ago"]


def _api_left(situation: Situation, narrow: bool) -> str:
    seen = situation.overview
    if seen is None or seen.api_used is None or not seen.api_max:
        return ""
    share = f"{100 - 100 * seen.api_used // seen.api_max} %"
    return f"API {share}" if narrow else f"API {share} left"


def _alarm(situation: Situation, narrow: bool) -> list[str]:
    soon = situation.overview.within_24h if situation.overview else 0
    if not soon:
        return []
    return [f"! {soon} <24h" if narrow else f"! {soon} expire < 24 h"]


class TopLine(Widget):
    """Shows the app's `situation` at the app's `now`. The colour says what the word says."""

    DEFAULT_CSS = """
    TopLine {
        height: 1;
        color: #FFFFFF;
        text-style: bold;
        &.-production { background: #A34700; }
        &.-sandbox { background: #005B8F; }
        &.-offline { text-style: bold reverse; }
        &:ansi { color: ansi_default; background: ansi_default; text-style: bold reverse; }
    }
    """

    def on_mount(self) -> None:
        """Follow what the app knows."""
        self.watch(self.app, "situation", self._show)
        self.watch(self.app, "now", self._tick)

    def _show(self, situation: Situation) -> None:
        self.set_class(situation.is_production, "-production")
        self.set_class(not situation.is_production, "-sandbox")
        self.set_class(situation.offline_since is not None, "-offline")
        self.refresh()

    def _tick(self, before: datetime, now: datetime) -> None:
        if self._text(before) != self._text(now):
            self.refresh()

    def _text(self, now: datetime) -> str:
        return top_line(informed(self.app).situation, now, self.size.width)

    def render(self) -> Content:
        """The line as literal text."""
        return Content(self._text(informed(self.app).now))
