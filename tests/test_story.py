"""The whole way, as a person goes it: the installed command against the simulated org as a process, over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

BIN = Path(sys.executable).parent


@dataclass
class Desk:
    """One person's working place: the org's address in the environment, a folder for the mirror, the command at hand."""

    folder: Path
    org: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, code: int = 0, settings: dict[str, str] | None = None) -> str:
        """What `reprise WORDS` prints to stdout; the exit code must be `code`, and no stack trace may show."""
        done = subprocess.run(
            [BIN / "reprise", *words],
            cwd=self.folder,
            env=self.environment | (settings or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def ask(self, *words: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON document that `reprise WORDS --json` prints."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json", settings=settings))
        assert document["schema_version"] == 1
        return document

    def control(self, path: str, **payload: Any) -> dict[str, Any]:
        """Do something to the org behind everybody's back."""
        reply = requests.post(f"{self.org['control_url']}{path}", json=payload, timeout=30)
        reply.raise_for_status()
        answer: dict[str, Any] = reply.json()
        return answer

    def writes_seen(self) -> list[dict[str, Any]]:
        """The PATCH calls that reached the org."""
        log = requests.get(f"{self.org['control_url']}/log", timeout=30).json()
        return [call for call in log["entries"] if call["method"] == "PATCH"]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A still Monday morning: `python -m fixtures.org --scenario monday --frozen` and an empty folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fixtures.org", "--port", "0", "--scenario", "monday", "--frozen"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        org = json.loads(process.stdout.readline())
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "REPRISE_INSTANCE_URL": org["url"],
            "REPRISE_CLIENT_ID": org["client_id"],
            "REPRISE_CLIENT_SECRET": org["client_secret"],
            "REPRISE_DATABASE": f"sqlite:///{tmp_path / 'mirror.sqlite3'}",
        }
        yield Desk(tmp_path, org, environment)
    finally:
        process.terminate()
        process.communicate()


def failed_flow(shown: dict[str, Any]) -> str:
    """The API name of the flow that the failed step of `reprise show --json` called."""
    steps = [step for stage in shown["run"]["stages"] for step in stage["steps"]]
    return str(next(step["called_flow"] for step in steps if step["status"] == "Error"))


def test_a_failed_run_comes_back_to_life(desk: Desk) -> None:
    """From an empty folder to proof: sync, see what will be lost and why, fix, plan, resume, verified, and nothing sent twice."""
    first = desk.ask("sync")
    assert first["outcome"] == "COMPLETE"
    assert {entry["object"] for entry in first["objects"]} >= {"FlowOrchestrationInstance", "FlowOrchestrationLog"}
    assert desk.ask("sync")["api_calls"] == 1  # an idle poll

    failed = desk.ask("runs", "--status", "Error", "--limit", "0")
    assert failed["total"] == len(failed["runs"]) == 40
    verdicts = Counter(run["eligibility"] for run in failed["runs"])
    assert verdicts["RESUMABLE"] > 20
    assert verdicts["NOT_RESUMABLE"] > 10
    assert all(run["reason_code"] for run in failed["runs"])

    at_risk = desk.ask("runs", "--at-risk", "--limit", "0")["runs"]
    left = [run["seconds_left"] for run in at_risk]
    assert left == sorted(left)
    assert 0 < left[0] < 3600  # the first is lost within the hour

    broken = next(group for group in desk.ask("groups")["groups"] if group["step"] == "Collect_Ownership")
    assert broken["readiness"] == "FIX_UNSEEN"
    shown = desk.ask("show", broken["sample_run"])
    assert shown["run"]["id"] == broken["sample_run"]
    desk.control(f"/flows/{failed_flow(shown)}/fix")
    desk.control("/clock", advance_seconds=600)
    desk.ask("sync")
    groups = desk.ask("groups")["groups"]
    assert next(group["readiness"] for group in groups if group["id"] == broken["id"]) == "READY"

    plan = desk.folder / "plan.json"
    group = next(group for group in groups if group["step"] == "Score_Application")
    plan.write_text(desk.run("resume", "--group", group["id"], "--json"))
    assert json.loads(plan.read_text())["outcome"] == "DRY_RUN"
    act = ("resume", "--plan", str(plan), "--execute", "--reason", "CHG-4711: flows fixed")
    desk.run(*act, code=5)  # reading is the default
    assert desk.writes_seen() == []

    batch = desk.ask(*act, settings={"REPRISE_ALLOW_WRITES": "1"})
    sent = {attempt["run"]: attempt["outcome"] for attempt in batch["attempts"]}
    assert batch["outcome"] == "ALL_VERIFIED"
    assert set(sent.values()) == {"VERIFIED"}
    assert len(sent) == group["resumable"] == 8
    assert len(desk.writes_seen()) == 1

    after = [run for run in desk.ask("runs", "--limit", "0")["runs"] if run["id"] in sent]
    assert {(run["status"], run["attempts"]) for run in after} == {("InProgress", 1)}
    assert desk.ask("runs", "--status", "Error")["total"] == 40 - len(sent)
