"""The first load against a bare loop of requests, json and sqlite3, both from the same simulated org in the same run.

    python -m tests.benchmarks.first_load --runs 8000        about 200,000 rows
    python -m tests.benchmarks.first_load --runs 40000       about 1,000,000 rows

Each side runs in an interpreter of its own; the org counts the API calls.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import requests
from pydantic import SecretStr

from connector.mapping import fields_of
from connector.mirror.engine import open_mirror
from connector.mirror.tables import MIRRORED
from connector.org.client import OrgClient
from connector.settings import AccessTokenLogin, OrgSettings, SyncSettings
from connector.sync import sync
from tests.benchmarks import simulated

THIS = "tests.benchmarks.first_load"


def bare(org: dict[str, Any], folder: Path) -> int:
    """What anybody would write in twenty-five lines: no validation, no deletes, no watermark, no second try."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {org['access_token']}"
    database = sqlite3.connect(folder / "bare.sqlite3")
    database.execute("PRAGMA journal_mode=WAL")
    rows = 0
    for table in MIRRORED:
        names = list(fields_of(table))
        columns, marks = ", ".join(names), ", ".join("?" * len(names))
        database.execute(f"CREATE TABLE {table.salesforce_object} ({columns}, PRIMARY KEY (Id))")
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        upsert = f"INSERT INTO {table.salesforce_object} VALUES ({marks}) ON CONFLICT (Id) DO UPDATE SET {changes}"
        url = f"{org['url']}/services/data/v{org['api_version']}/queryAll"
        soql = f"SELECT {columns} FROM {table.salesforce_object} ORDER BY SystemModstamp, Id"
        page = session.get(url, params={"q": soql}).json()
        while True:
            database.executemany(upsert, [[record[name] for name in names] for record in page["records"]])
            database.commit()
            rows += len(page["records"])
            if page["done"]:
                break
            page = session.get(org["url"] + page["nextRecordsUrl"]).json()
    return rows


def ours(org: dict[str, Any], folder: Path) -> int:
    """`reprise sync` into an empty mirror, with the evidence of failed runs, which the bare loop does not fetch."""
    login = AccessTokenLogin(access_token=SecretStr(org["access_token"]))
    client = OrgClient(OrgSettings(instance_url=org["url"], login=login))
    report = sync(client, open_mirror(f"sqlite:///{folder / 'mirror.sqlite3'}"), SyncSettings())
    return sum(each.read for each in report.objects)


SIDES: dict[str, Callable[[dict[str, Any], Path], int]] = {"bare": bare, "ours": ours}


def _calls(org: dict[str, Any]) -> int:
    return int(requests.get(f"{org['control_url']}/state", timeout=60).json()["api_calls"])


def _one(side: str, org: dict[str, Any]) -> dict[str, Any]:
    before = _calls(org)
    with tempfile.TemporaryDirectory() as folder:
        begun_with = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = perf_counter()
        rows = SIDES[side](org, Path(folder))
        seconds = perf_counter() - began
    return {
        "side": side,
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "api_calls": _calls(org) - before,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "megabytes_before": begun_with // 1024,
        "cpu_seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime, 2),
    }


def main() -> None:
    """Measure both sides and print the figures, one JSON document a line."""
    parser = argparse.ArgumentParser(prog=f"python -m {THIS}", description=__doc__)
    parser.add_argument("--runs", type=int, default=8000, help="runs in the simulated org, about 25 rows each")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_one(options.side, json.load(sys.stdin))))
        return
    with simulated.org(["--scenario", "empty", "--frozen", "--runs", str(options.runs)]) as org:
        figures = [simulated.measured(THIS, ["--side", side], org) for side in ("bare", "ours")]
    for figure in figures:
        print(json.dumps(figure))
    print(json.dumps({"ours_to_bare": round(figures[1]["rows_per_second"] / figures[0]["rows_per_second"], 2)}))


if __name__ == "__main__":
    main()
