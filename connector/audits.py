"""When the next Id audit is due, and what the newest one found that must stay in sight until another finds it mended."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine

from connector.mirror import state
from connector.settings import SyncSettings

WRONG = timedelta(hours=1)  # more than two readings of one clock ever differ


def is_due(engine: Engine, org_id: str, settings: SyncSettings, now: datetime) -> bool:
    """Whether an audit should run now (org time). A mirror is first audited when its history is as old as the interval."""
    newest = state.newest_audit(engine, org_id)
    since = newest.started_at if newest else state.first_pass_at(engine, org_id)
    return since is not None and is_past(since, settings.reconcile_every, now)


def is_past(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether something last done then is due again. Done in the future, by a clock that was wrong, counts as not done."""
    return last is None or last > now + WRONG or now - last >= every


def standing_alarms(engine: Engine, org_id: str) -> list[str]:
    """One sentence for each object of which the newest audit could see too little."""
    newest = state.newest_audit(engine, org_id)
    if newest is None:
        return []
    objects = [each for each in newest.report["objects"] if each["alarm"]]
    return [partial_visibility(each["object"], each["mirrored"], each["visible"]) for each in objects]


def vanished(object_name: str, count: int) -> str:
    """The warning about rows that were marked: nobody told that they were deleted."""
    return (
        f"{count} {object_name} row{'s' if count > 1 else ''} cannot be found any more, not even by Id: purged, or no longer"
        " shared with the integration user. What was known is kept, with the date."
    )


def partial_visibility(object_name: str, mirrored: int, visible: int) -> str:
    """The alarm: so many rows at once were not deleted; the user has lost sight of them."""
    return (
        f"Partial visibility: of {mirrored} live {object_name} rows only {visible} can be seen. Probably the integration"
        " user's access was reduced, so nothing was marked as vanished and these rows are no longer kept up to date."
        " Check its permissions and the object's sharing rules, then run `reprise reconcile`. If the records are really"
        " gone, raise sync.vanished_share for that one audit."
    )
