"""What this user can see of the org, asked for now and then within a pass, and what follows when it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from connector import drift
from connector.audits import is_past
from connector.mapping import fields_of
from connector.mirror import changes, upsert
from connector.mirror.tables import Org
from connector.org import composite
from connector.org.composite import Subreply, Subrequest
from connector.settings import SyncSettings
from connector.sweep import Sweep

ORGANIZATION_FIELDS = ("Name", "IsSandbox", "TimeZoneSidKey")


class Sight:
    """The org, its objects and their fields as far as this user may see them. `now` is the org's time."""

    def __init__(self, org: Org, sweeps: Sequence[Sweep], settings: SyncSettings, now: datetime) -> None:
        self.org, self.sweeps, self.settings, self.now = org, sweeps, settings, now
        self.is_known = False  # asked and answered in this pass

    def requests(self) -> list[Subrequest]:
        """They ride along once a day, when a query was refused for what it asks, and while an object cannot be read."""
        every = self.settings.describe_every
        stale = any(is_past(sweep.cursor.described_at, every, self.now) for sweep in self.sweeps)
        refused = any(sweep.schema_changed for sweep in self.sweeps)
        hidden = [sweep for sweep in self.sweeps if not sweep.cursor.readable]
        if self.is_known or not (stale or refused or hidden):
            return []
        asked = self.sweeps if stale or refused else hidden
        return [
            composite.record("Organization", "Organization", self.org.org_id, ORGANIZATION_FIELDS),
            *(composite.describe(f"describe{sweep.name}", sweep.name) for sweep in asked),
        ]

    def learn(self, connection: Connection, replies: Mapping[str, Subreply]) -> list[str]:
        """Take what the replies say of it, if they say anything; what people should know."""
        organization = replies.get("Organization")
        if organization is None:
            return []
        self.is_known = True
        if organization.ok:
            self.org.label = organization.body.get("Name")
            self.org.is_sandbox = organization.body.get("IsSandbox")
            self.org.time_zone = organization.body.get("TimeZoneSidKey")
        warnings: list[str] = []
        for sweep in self.sweeps:
            reply = replies.get(f"describe{sweep.name}")
            if reply is not None and not reply.is_transient:
                warnings += self._learn_shape(connection, sweep, drift.shape(sweep.table, reply))
        return warnings

    def _learn_shape(self, connection: Connection, sweep: Sweep, shape: drift.Shape) -> list[str]:
        cursor, known = sweep.cursor, set(sweep.cursor.missing_fields)
        cursor.described_at, cursor.readable = self.now, shape.readable
        if not shape.readable:
            return []
        lost, appeared = shape.missing - known, known - shape.missing
        if lost and cursor.loaded:
            columns = fields_of(sweep.table)
            upsert.blank_columns(connection, sweep.table, self.org.org_id, [columns[name] for name in lost])
            changes.note_all(connection, self.org.org_id)
        if appeared:
            sweep.restart(cursor.since)
        cursor.missing_fields = sorted(shape.missing)
        cursor.replicateable = shape.replicateable
        sweep.schema_changed = False
        sweep.fields = drift.select_list(sweep.table, shape.missing)
        return [f"{sweep.name}: {', '.join(sorted(appeared))} can be read now; all is read again."] if appeared else []
