"""When the next Id audit is due, and what the newest one found that must stay in sight until another finds it mended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from connector.mirror import state
from connector.settings import SyncSettings


def is_due(engine: Engine, org_id: str, settings: SyncSettings, now: datetime) -> bool:
    """Whether an audit should run now (org time). A mirror is first audited when its history is as old as the interval."""
    newest = state.newest_audit(engine, org_id)
    since = newest.started_at if newest else state.first_pass_at(engine, org_id)
    return since is not None and now - since >= settings.reconcile_every


def standing_alarms(engine: Engine, org_id: str) -> list[str]:
    """One sentence for each object of which the newest audit could see too little."""
    newest = state.newest_audit(engine, org_id)
    if newest is None:
        return []
    objects = [each for each in newest.report["objects"] if each["alarm"]]
    return [partial_visibility(each["object"], each["mirrored"], each["visible"]) for each in objects]


def partial_visibility(object_name: str, mirrored: int, visible: int) -> str:
    """The alarm: so many rows at once were not deleted; the user has lost sight of them."""
    return (
        f"Partial visibility: of {mirrored} live {object_name} rows only {visible} can be seen. Probably the integration"
        " user's access was reduced, so nothing was marked as vanished and these rows are no longer kept up to date."
        " Check its permissions and the object's sharing rules, then run `reprise reconcile`."
    )
