"""The two sides of a sync, side by side: a simulated org, a client and a mirror, and whether they hold the same rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlmodel import col

from connector.mapping import fields_of
from connector.mirror import changes
from connector.mirror.engine import open_mirror, writing
from connector.mirror.tables import MIRRORED, LogEntry, Mirrored, Org, Run
from connector.mirror.upsert import sql_table
from connector.org.client import OrgClient
from connector.report import SyncReport
from connector.settings import AccessTokenLogin, ClientCredentialsLogin, OrgSettings, SyncSettings
from connector.sync import sync
from fixtures.org import ids, serve
from fixtures.org.running import RunningOrg
from monitor.assess import assess
from monitor.assessment import Assessment


def client_for(org: RunningOrg, **changes: Any) -> OrgClient:
    """A client that signs in by client credentials; `changes` to its settings."""
    login = ClientCredentialsLogin(client_id=org.client_id, client_secret=SecretStr(org.client_secret))
    return OrgClient(OrgSettings(instance_url=org.url, login=login).model_copy(update=changes))


def token_client(org: RunningOrg, user: str = "run.manager") -> OrgClient:
    """A client with the pasted token of run.manager, viewer or no.logs."""
    return OrgClient(
        OrgSettings(instance_url=org.url, login=AccessTokenLogin(access_token=SecretStr(org.open_session(user))))
    )


@dataclass
class Peers:
    """An org, a client of it, and its mirror."""

    org: RunningOrg
    client: OrgClient
    engine: Engine
    settings: SyncSettings

    def sync(self, **options: Any) -> SyncReport:
        """One pass."""
        return sync(self.client, self.engine, self.settings, **options)

    def advance(self, **by: float) -> None:
        """Let the org's time pass, and the client notice: in life it passes no faster than ours."""
        self.org.world.advance(timedelta(**by))
        self.client.sign_in()


@contextmanager
def peers(url: str, scenario: str = "empty", **options: Any) -> Iterator[Peers]:
    """An org served over HTTP and an empty mirror at `url`."""
    with serve(scenario, **options) as org:
        engine = open_mirror(url)
        client = client_for(org)
        try:
            yield Peers(org, client, engine, SyncSettings())
        finally:
            client.close()
            engine.dispose()


def sqlite_url(folder: Path) -> str:
    """The URL of a mirror in this folder."""
    return f"sqlite:///{folder / 'mirror.sqlite3'}"


def in_org(org: RunningOrg, table: type[Mirrored]) -> dict[str, dict[str, Any]]:
    """The org's own rows of one object as the mirror would name them, read past HTTP and past our mapping."""
    wanted = fields_of(table)
    rows = org.world.store.rows(table.salesforce_object)
    return {row["Id"]: {column: row[name] for name, column in wanted.items()} for row in rows}


def in_mirror(engine: Engine, table: type[Mirrored]) -> dict[str, Mapping[str, Any]]:
    """The mirror's rows of one object, with `vanished_at`."""
    columns = [sql_table(table).c[name] for name in (*fields_of(table).values(), "vanished_at")]
    with engine.connect() as connection:
        return {row["id"]: dict(row) for row in connection.execute(select(*columns)).mappings()}


def differences(org: RunningOrg, engine: Engine, ignoring: Collection[str] = ()) -> list[str]:
    """Every row that is not the same on both sides. A row that was purged must be marked as deleted or vanished."""
    return [
        f"{table.__name__} {key}: {difference}"
        for table in MIRRORED
        for key, difference in _compare(in_mirror(engine, table), in_org(org, table))
        if key not in ignoring
    ]


def _compare(
    here: Mapping[str, Mapping[str, Any]], there: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    for key in there.keys() - here.keys():
        yield key, "only in the org"
    for key in here.keys() - there.keys():
        if not here[key]["is_deleted"] and not here[key]["vanished_at"]:
            yield key, "only in the mirror"
    for key in there.keys() & here.keys():
        if here[key]["vanished_at"]:
            yield key, "marked as vanished"
        for name, value in there[key].items():
            if here[key][name] != value:
                yield key, f"{name} is {here[key][name]!r}, in the org {value!r}"


def stale_verdicts(engine: Engine, now: datetime) -> set[Any]:
    """Verdicts, brought up to date run by run, that are not those that judging every run gives."""
    kept = []
    for everything in (False, True):
        assess(engine, now, everything=everything)
        with engine.connect() as connection:
            kept.append(set(connection.execute(select(Assessment)).all()))
    return kept[0] ^ kept[1]


def runs_to_judge(engine: Engine) -> set[str]:
    """The runs that changed since this was last asked."""
    with writing(engine) as connection:
        (org,) = connection.scalars(select(col(Org.org_id)))
        return changes.take(connection, org)


def log_entries(org: RunningOrg, count: int) -> list[str]:
    """That many log entries of one new run, all with the same stamp; their Ids."""
    store = org.world.store
    with store.transaction() as tx:
        run = ids.compact(tx.create(Run.salesforce_object, Status="InProgress", OrchestrationDeveloperName="Bulk"))
    now, serials = store.epoch(), store.reserve(LogEntry.salesforce_object, count)
    stamps = ("CreatedDate", "LastModifiedDate", "SystemModstamp")
    columns = ("Id", "OrchestrationInstanceId", "Kind", *stamps, "IsDeleted")
    rows = ((serial, run, "StartStep", now, now, now, 0) for serial in serials)
    store.load(LogEntry.salesforce_object, columns, rows)
    return [ids.expand(serial) for serial in serials]
