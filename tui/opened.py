"""What a command works with: the settings, the mirror, the org's clock and a client, opened only when they are needed."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from tui import diagnostics
from tui.asked import Asked
from tui.diagnostics import ExitCode
from tui.format import in_words, nearest, plain

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connector.org.client import OrgClient
    from connector.report import ProgressCallback, SyncReport
    from monitor.plans import Plan
    from monitor.resume import Batch, Progress
    from tui.settings import Settings


def settings_of(context: typer.Context) -> Settings:
    """The settings of this invocation; what looks misspelt in the environment is said on stderr."""
    from tui.settings import load

    settings = load(Asked.of(context).config)
    for warning in settings.warnings:
        diagnostics.warn(warning)
    return settings


def org_read(context: typer.Context, settings: Settings) -> str | None:
    """The org whose runs are meant; None means every org of the mirror."""
    return Asked.of(context).org or settings.chosen_org


@contextmanager
def mirror(settings: Settings, org: str | None = None, *, create: bool = False) -> Iterator[Engine]:
    """The mirror. Raises DataTooOld if there is none yet: "nothing matched" would read as "nothing is at risk".

    But for an `org` that no settings know, ConfigError: no sync could help.
    """
    from connector.errors import DataTooOld, NotFound
    from connector.mirror.engine import open_mirror

    try:
        engine = open_mirror(settings.database, create=create)
    except NotFound as absent:
        if org:
            settings.org(org)
        raise DataTooOld(absent.what, meaning=absent.meaning, next_step=absent.next_step) from absent
    try:
        yield engine
    finally:
        engine.dispose()


def org_time(engine: Engine, name: str | None, settings: Settings) -> datetime:
    """The present time of the org called `name`, or of the first one mirrored; ours if there is none.

    Raises DataTooOld for an org that was never synced, as `mirror` does, and UsageError for one that nobody knows.
    """
    from connector.errors import DataTooOld, NotFound, UsageError
    from connector.mirror.engine import find_org, org_now, orgs

    now = datetime.now(UTC)
    if not name:
        return next((org_now(org, now) for org in orgs(engine)), now)
    try:
        return org_now(find_org(engine, name), now)
    except NotFound as absent:
        known = sorted({*settings.orgs, *(org.name for org in orgs(engine))})
        if not known:
            settings.org(name)
        if name not in settings.orgs:
            raise UsageError(
                f"No org is called {plain(name)!r}{nearest(name, known) or '.'}",
                next_step=f"Configured or mirrored: {plain(', '.join(known))}. Pick one with --org.",
            ) from absent
        raise DataTooOld(absent.what, meaning=absent.meaning, next_step=absent.next_step) from absent


@contextmanager
def org_client(settings: Settings, name: str | None) -> Iterator[OrgClient]:
    """A client of the org called `name`, or of the default one."""
    from connector.org.client import OrgClient

    client = OrgClient(settings.org(name))
    try:
        yield client
    finally:
        client.close()


def answered(as_of: datetime | None, now: datetime, settings: Settings, *, matched: int, wanted: str) -> ExitCode:
    """How a question that the mirror answered ended: too old to trust, nothing matched, or well.

    `as_of` is the org time of the newest complete sync, `matched` how many of `wanted` the answer holds.
    """
    from connector.errors import DataTooOld, NothingMatched

    if as_of is None:
        return diagnostics.fail(
            DataTooOld("No sync has completed yet, so runs may be missing.", next_step="Run `reprise sync`.")
        )
    if now - as_of > settings.monitor.data_max_age:
        return diagnostics.fail(
            DataTooOld(
                f"This is the state of {in_words(now - as_of)} ago.",
                meaning="Deadlines go on burning; what failed or was resumed since is missing here.",
                next_step="Run `reprise sync`.",
            )
        )
    if not matched:
        return diagnostics.fail(
            NothingMatched(
                f"No {wanted} matches.", next_step="`reprise groups` lists causes, `reprise runs --limit 0` every run."
            )
        )
    return ExitCode.OK


def sync_and_judge(
    client: OrgClient,
    engine: Engine,
    settings: Settings,
    *,
    full: bool = False,
    since: datetime | None = None,
    progress: ProgressCallback | None = None,
) -> SyncReport:
    """One pass from the org into the mirror, and new verdicts for what it changed. Raises what `connector.sync` raises."""
    from connector.sync import sync
    from monitor.assess import assess

    report = sync(client, engine, settings.sync, full=full, since=since, progress=progress)
    assess(engine, client.now(), everything=False, org_id=client.identity.org_id)
    return report


def execute_plan(
    plan: Plan, client: OrgClient, engine: Engine, settings: Settings, reason: str, progress: Progress | None = None
) -> Batch:
    """Send a plan and wait for proof. Raises what `monitor.resume.execute` raises."""
    from monitor import resume

    return resume.execute(
        plan,
        client=client,
        engine=engine,
        settings=settings.resume,
        reason=reason,
        actor=actor(),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        progress=progress,
        monitor=settings.monitor,
        sync_settings=settings.sync,
    )


def actor() -> str:
    """Who is at the keyboard, for the ledger. A container's user may have a number and no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
