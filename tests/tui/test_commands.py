"""The commands against a simulated org over HTTP, typed as a person or a script types them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import stamina
from sqlalchemy import create_engine, text

from fixtures.org import access, serve
from tests.schemas import fits
from tests.tui.failing import HOSTILE, FailingOrg, failing_org
from tests.tui.typed import Type, reprise
from tui.cli import main
from tui.output import SCHEMA_VERSION

__all__ = ["reprise"]


def use(served: FailingOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands speak to this org."""
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingOrg]:
    """An org with failed runs, of which the mirror knows nothing yet."""
    with failing_org(tmp_path) as served:
        use(served, monkeypatch)
        yield served


@pytest.fixture
def writing(failing: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch) -> FailingOrg:
    """The same, synced, with writes allowed."""
    assert reprise("sync").code == 0
    monkeypatch.setenv("REPRISE_ALLOW_WRITES", "1")
    return failing


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingOrg]:
    """One such org for all tests that change nothing, synced once."""
    with failing_org(tmp_path_factory.mktemp("shared")) as served, pytest.MonkeyPatch.context() as monkeypatch:
        use(served, monkeypatch)
        assert main(["sync"]) == 0
        yield served


@pytest.fixture
def synced(shared: FailingOrg, monkeypatch: pytest.MonkeyPatch) -> FailingOrg:
    """That org; the test only reads."""
    use(shared, monkeypatch)
    return shared


# Syncing


def test_sync_says_what_it_did(failing: FailingOrg, reprise: Type) -> None:
    """Per object, in total, and what it cost."""
    ended = reprise("sync")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == [
        "OBJECT", "Instance", "StageInstance", "StepInstance", "WorkItem", "Log", "complete:", "Reprise",
    ]  # fmt: skip
    assert "polling every 1m takes 1,440 a day" in ended.out
    assert ended.err == ""
    calls = failing.org.api_calls()
    document = reprise("sync --json").document
    assert document["outcome"] == "COMPLETE"
    assert document["api_calls"] == failing.org.api_calls() - calls == 1
    assert document["objects"][0].keys() >= {
        "object", "read", "upserted", "unchanged", "deleted", "quarantined", "watermark", "lag_seconds",
    }  # fmt: skip


def test_a_full_sync_reads_everything_again(writing: FailingOrg, reprise: Type) -> None:
    """Whoever doubts the mirror fetches it anew."""
    read = [
        sum(each["read"] for each in reprise(line).document["objects"])
        for line in ("sync --json", "sync --full --json")
    ]
    assert read[0] < read[1]
    assert read[1] >= writing.failed


def test_a_first_load_can_be_bounded(failing: FailingOrg, reprise: Type) -> None:
    """By a length of time or a date; what is older stays out of the mirror."""
    reprise("sync --since 15d")
    ids = {run["id"] for run in reprise("runs --json").document["runs"]}
    assert ids == {*failing.loans, failing.screening, failing.running}
    assert reprise("sync --since yesterday").code == 2


def test_the_audit_finds_what_polling_cannot_see(writing: FailingOrg, reprise: Type) -> None:
    """A purged run leaves no trace for a poll; the audit marks it, and lists and verdicts follow."""
    quiet = reprise("reconcile")
    assert quiet.code == 0
    assert "0 runs concerned, 1 API call" in quiet.out
    whole = reprise("reconcile --thorough")
    assert whole.code == 0
    assert "0 runs concerned, 6 API calls" in whole.out
    writing.org.world.store.purge("FlowOrchestrationInstance", writing.loans[2])
    document = reprise("reconcile --json").document
    assert document["outcome"] == "COMPLETE"
    assert {each["object"]: each["vanished"] for each in document["objects"]}["FlowOrchestrationInstance"] == 1
    at_risk = {run["id"]: run["reason_code"] for run in reprise("runs --at-risk --json").document["runs"]}
    assert (len(at_risk), at_risk[writing.loans[2]]) == (4, "RUN_NOT_VISIBLE")


# Bad input


def test_an_unreachable_org(failing: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 after a bounded number of tries; what is mirrored stays, and can still be read."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        monkeypatch.setenv("REPRISE_INSTANCE_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
    with stamina.set_testing(True, attempts=2):
        ended = reprise("sync --json")
    assert ended.code == 1
    assert ended.document["error"]["kind"] == "OrgUnreachable"
    assert "then try again" in ended.err
    assert "Traceback" not in ended.err
    assert failing.org.api_calls() == 0


@pytest.mark.usefixtures("failing")
def test_wrong_credentials(reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 6 and a way on; the secret is not repeated."""
    monkeypatch.setenv("REPRISE_ACCESS_TOKEN", "00D000000000001!forged")
    ended = reprise("sync")
    assert ended.code == 6
    assert "forged" not in ended.err
    assert len(ended.err.splitlines()) >= 2
    assert "Traceback" not in ended.err


def test_wrong_client_secret(failing: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way to sign in, the same exit code."""
    monkeypatch.delenv("REPRISE_ACCESS_TOKEN")
    monkeypatch.setenv("REPRISE_CLIENT_ID", failing.org.client_id)
    monkeypatch.setenv("REPRISE_CLIENT_SECRET", "wrong-secret")
    ended = reprise("sync")
    assert ended.code == 6
    assert "wrong-secret" not in ended.err


def test_a_mirror_from_a_newer_version(writing: FailingOrg, reprise: Type) -> None:
    """Refused by every command, with the version it needs, and left as it is."""
    engine = create_engine(writing.environment["REPRISE_DATABASE"])
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for line in ("runs", "sync", "resume --at-risk", "db upgrade"):
        ended = reprise(line)
        assert ended.code == 1
        assert "newer Reprise (schema 9999" in ended.err
        assert "pip install" in ended.err


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("line", ["runs", "groups", "show 0jE000000000001", "resume --at-risk"])
def test_without_a_sync_nothing_can_be_told(reprise: Type, line: str) -> None:
    """Exit code 7, not 4: "nothing matched" would read as "nothing is at risk"."""
    ended = reprise(line)
    assert ended.code == 7
    assert "reprise sync" in ended.err


def test_old_data_is_shown_and_not_trusted(synced: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines go on burning, so the answer is given; the exit code says that it is old."""
    monkeypatch.setenv("REPRISE_MONITOR_DATA_MAX_AGE", "0s")
    ended = reprise("runs --at-risk")
    assert ended.code == 7
    assert synced.loans[0] in ended.out
    assert "This is the state of" in ended.err
    resume = reprise("resume --at-risk --execute --reason now")
    assert resume.code == 7
    assert "STALE_DATA" in resume.out
    assert "reprise sync" in resume.err


def test_an_unknown_run(synced: FailingOrg, reprise: Type) -> None:
    """Exit code 4, and the ids that look alike."""
    ended = reprise(f"show {synced.lost[:14]}")
    assert ended.code == 4
    assert synced.lost in ended.err
    assert ended.out == ""


@pytest.mark.usefixtures("synced")
def test_a_filter_that_matches_nothing(reprise: Type) -> None:
    """Exit code 4; a program gets its document all the same."""
    ended = reprise("runs --orchestration Nothing_Like_It")
    assert (ended.code, ended.out) == (4, "")
    assert "No run matches." in ended.err
    document = reprise("runs --orchestration Nothing_Like_It --json")
    assert document.code == 4
    assert (document.document["total"], document.document["runs"]) == (0, [])


@pytest.mark.usefixtures("synced")
def test_a_misspelt_status_is_warned_of(reprise: Type) -> None:
    """Not refused, since Salesforce may add one; but "no run matches" alone would hide the slip."""
    ended = reprise("runs --status eror")
    assert ended.code == 4
    assert "'eror' is not a known status; did you mean 'Error'?" in ended.err
    assert reprise("runs --status error").err == ""


@pytest.mark.usefixtures("synced")
def test_an_org_that_was_never_synced(reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is configured, so what is missing is a sync."""
    monkeypatch.setenv("REPRISE_ORG", "uat")
    reading = reprise("runs")
    assert reading.code == 7
    assert "mirrored: default" in reading.err
    assert "reprise sync" in reading.err


@pytest.mark.usefixtures("synced")
def test_an_unknown_org(reprise: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a mirror or without, a sync could not help; reading names the mirrored orgs too."""
    for command in ("runs", "groups", "show 0jE000000000001", "resume --at-risk"):
        reading = reprise(f"{command} --org defualt")
        assert reading.code == 2
        assert "No org is called 'defualt'; did you mean 'default'?" in reading.err
        assert "Configured or mirrored: default." in reading.err
    monkeypatch.setenv("REPRISE_DATABASE", f"sqlite:///{tmp_path}/none.sqlite3")
    for command in ("runs", "groups", "show 0jE000000000001", "resume --at-risk"):
        assert reprise(f"{command} --org defualt").code == 2
        assert reprise(f"{command} --org default").code == 7
    connecting = reprise("sync --org defualt")
    assert connecting.code == 2
    assert "did you mean 'default'?" in connecting.err


# Reading


def test_runs_come_soonest_deadline_first_and_whole(synced: FailingOrg, reprise: Type) -> None:
    """Those that can be saved, the others that failed, then the rest; every id whole at 80 columns."""
    out = reprise("runs").out
    heading, *lines = out.splitlines()
    assert heading.split() == ["LEFT", "OK?", "ORCHESTRATION", "STAGE", "›", "STEP", "ID"]
    ids = [line.split()[-1] for line in lines if line.split()[-1].startswith("0jE")]
    assert set(ids[:4]) == {*synced.loans, synced.screening}
    assert ids[4:] == [synced.lost, synced.running]
    assert lines[-1] == "6 runs."
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.usefixtures("synced")
def test_what_was_left_out_is_said(reprise: Type) -> None:
    """A cut list never looks like a whole one."""
    assert reprise("runs --limit 2").out.splitlines()[-1] == "2 of 6 runs, --limit 0 for all."
    assert reprise("runs --limit 0").out.splitlines()[-1] == "6 runs."


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    ("limit", "bound"),
    [("99999999999999999999999", "less than or equal to 2147483647"), ("-1", "greater than or equal to 0")],
)
def test_a_limit_that_no_database_takes(reprise: Type, limit: str, bound: str) -> None:
    """Exit code 2 and the numbers that are possible."""
    ended = reprise(f"runs --limit {limit}")
    assert (ended.code, ended.out) == (2, "")
    assert "'--limit'" in ended.err
    assert bound in ended.err


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    ("filters", "matching"),
    [("--at-risk", 4), ("--status Error", 5), ("--status Error --status InProgress", 6), ("--orchestration loan_*", 4),
     ("--within 2w", 4), ("--within 1h", 0)],
)  # fmt: skip
def test_filters(reprise: Type, filters: str, matching: int) -> None:
    """Each flag selects what it says, alone and together."""
    document = reprise(f"runs --json {filters}").document
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["total"] == len(document["runs"]) == matching


@pytest.mark.parametrize("schema", ["runs", "show", "groups", "explain", "resume", "error"])
def test_documents_keep_their_published_shape(synced: FailingOrg, reprise: Type, schema: str) -> None:
    """What a script was written against last year still fits docs/schemas."""
    lines = {"show": f"show {synced.screening}", "resume": "resume --at-risk", "error": "show nobody"}
    fits(schema, reprise(f"{lines.get(schema, schema)} --json").document)


def test_documents_of_what_acts_keep_their_published_shape(writing: FailingOrg, reprise: Type) -> None:
    """The same for passes, audits, resumes and the rounds of the service, whether the org answers or not."""
    fits("sync", reprise("sync --full --json").document)
    fits("reconcile", reprise("reconcile --json").document)
    resumed = reprise("resume", *writing.loans, "--execute", "--reason", "flow fixed", "--json").document
    fits("resume", resumed)
    first = reprise("watch --once --json").document
    writing.org.world.advance(timedelta(days=8))
    second = reprise("watch --once --json").document
    requests.post(f"{writing.org.control_url}/expire/sessions", timeout=10)
    third = reprise("watch --once --json").document
    assert (len(first["alerts"]), len(second["alerts"]), bool(third["problems"])) == (1, 1, True)
    for round_ in (first, second, third):
        fits("watch", round_)


def test_a_wide_terminal_has_the_reason_beside_the_run(
    synced: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line a run where there is room."""
    monkeypatch.setenv("COLUMNS", "150")
    out = reprise("runs --at-risk").out
    line = next(line for line in out.splitlines() if synced.loans[0] in line)
    assert "The bureau answered 503" in line


def test_show_tells_the_whole_story(synced: FailingOrg, reprise: Type) -> None:
    """Verdict, tree, timeline with now and the deadline, evidence, consequences, next command."""
    ended = reprise(f"show {synced.loans[0]}")
    assert ended.code == 0
    said = ended.out
    assert "resumable  yes (STEP_FLOW_ERROR, proven)" in said
    assert "readiness  ready" in said
    assert "✗ Pull Credit Report  failed · " in said
    assert " · asynchronous · flow Loan_Pull_" in said
    assert said.index("run failed") < said.index("» now") < said.index("! last moment to resume")
    assert "(FlowOrchestrationLog" in said
    assert "run again: " in said
    assert f"reprise resume {synced.loans[0]}" in said
    assert all(len(line) <= 80 for line in said.splitlines() if "://" not in line)
    document = reprise(f"show {synced.loans[0]} --json").document
    assert document["run"]["id"] == synced.loans[0]


def test_show_of_a_lost_run_says_so_and_offers_no_resume(synced: FailingOrg, reprise: Type) -> None:
    """The 14 days are over: the page says when, why, and what is left to do."""
    said = reprise(f"show {synced.lost}").out
    assert "deadline   expired" in said
    assert "resumable  no (WINDOW_EXPIRED" in said
    assert said.index("! last moment to resume") < said.index("» now")
    assert "reprise resume" not in said
    assert "reprise explain WINDOW_EXPIRED" in said


def test_hostile_names_stay_names(synced: FailingOrg, reprise: Type) -> None:
    """No escape code, no forged line, no markup; in JSON the name comes back unharmed."""
    ended = reprise(f"show {synced.screening}")
    assert not set(ended.out) & set("\x1b\x07\r\u202e")
    assert "�[2J�]0;owned�[bold]Quote[/bold]" in ended.out
    assert sum(line.startswith("✗ failed") for line in ended.out.splitlines()) == 1
    document = reprise(f"show {synced.screening} --json")
    assert not set(document.out) & set("\x1b\x07\r\u202e")
    steps = [step for stage in document.document["run"]["stages"] for step in stage["steps"]]
    assert {step["label"] for step in steps} == {HOSTILE}


@pytest.mark.usefixtures("synced")
def test_groups_have_one_decision_each(reprise: Type) -> None:
    """Where it broke, why, how many can be saved, what changed since, and the command that acts on it."""
    said = reprise("groups").out
    document = reprise("groups --json").document
    loans = next(group for group in document["groups"] if group["orchestration"] == "Loan_Origination")
    assert (loans["count"], loans["resumable"]) == (4, 3)
    assert f"reprise resume --group {loans['id']}" in said
    assert "3 of 4" in said
    assert "jo.doe@example.com" not in said
    assert reprise(f"runs --json --group {loans['id']}").document["total"] == 4


def test_two_orgs_in_one_mirror(
    synced: FailingOrg, reprise: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file names both, --org picks one, and a list of both says whose each run is."""
    with serve("empty", seed=2) as other:
        other.world.start("Claims_Handling")
        (tmp_path / "reprise.toml").write_text(
            f"""
            org = "default"
            [orgs.default]
            instance_url = "{synced.org.url}"
            client_id = "{synced.org.client_id}"
            [orgs.uat]
            instance_url = "{other.url}"
            client_id = "{other.client_id}"
            """,
            "utf-8",
        )
        monkeypatch.setenv("REPRISE_DATABASE", f"sqlite:///{tmp_path / 'both.sqlite3'}")
        monkeypatch.setenv("REPRISE_ORGS_UAT_CLIENT_SECRET", other.client_secret)
        assert reprise("sync").code == reprise("sync --org uat").code == 0
    assert reprise("runs --json").document["total"] == 6
    assert reprise("runs --json --org uat").document["total"] == 1
    (tmp_path / "reprise.toml").unlink()
    heading, *lines = reprise("runs --limit 0").out.splitlines()
    assert "ORG" in heading
    assert sum(" uat " in line for line in lines) == 1
    assert "ORG" in reprise("runs --limit 1").out
    assert "ORG" not in reprise("runs --org uat").out.split()


# Acting


def test_a_dry_run_writes_nothing(writing: FailingOrg, reprise: Type) -> None:
    """Even with writes allowed: the plan is shown, the org hears nothing, the ledger stays empty."""
    before = writing.org.api_calls()
    ended = reprise("resume --at-risk --orchestration Loan_Origination")
    assert ended.code == 0
    assert "3 runs of org default would be resumed, 0 left out." in ended.out
    assert "Nothing was sent." in ended.err
    assert writing.org.api_calls() == before
    assert all(run["attempts"] == 0 for run in reprise("runs --json").document["runs"])
    assert reprise("resume --at-risk --json").document["reason_code"] is None


def test_a_preview_says_first_what_an_execution_lacks(synced: FailingOrg, reprise: Type) -> None:
    """Whoever may not write reads it under the plan, not after a second command was typed."""
    assert "set REPRISE_ALLOW_WRITES=1, then add --execute" in reprise("resume", synced.loans[0]).err
    assert reprise("resume", synced.loans[0], "--json").document["reason_code"] == "READ_ONLY"


def test_writes_are_refused_until_allowed(synced: FailingOrg, reprise: Type) -> None:
    """Exit code 5, and the setting that would allow them."""
    before = synced.org.api_calls()
    ended = reprise("resume", synced.loans[0], "--execute", "--reason", "flow fixed")
    assert ended.code == 5
    assert "REPRISE_ALLOW_WRITES" in ended.err
    assert synced.org.api_calls() == before


def test_runs_of_an_org_without_a_sign_in_name_it(writing: FailingOrg, reprise: Type, tmp_path: Path) -> None:
    """A mirror may know orgs that the settings do not: the refusal names the org, its address, and what to set."""
    (tmp_path / "reprise.toml").write_text("[orgs.uat]", "utf-8")
    ended = reprise("resume", writing.loans[0], "--execute", "--reason", "flow fixed")
    assert ended.code == 2
    assert f"belong to the org default ({writing.org.url})" in ended.err
    assert f"REPRISE_INSTANCE_URL={writing.org.url}" in ended.err


def test_a_resume_is_proven(writing: FailingOrg, reprise: Type) -> None:
    """Sent in one call, verified by reading, and told run by run."""
    ended = reprise("resume", *writing.loans, "--execute", "--reason", "flow fixed", "--json")
    assert ended.code == 0
    document = ended.document
    assert document["outcome"] == "ALL_VERIFIED"
    assert {each["run"]: each["outcome"] for each in document["attempts"]} == dict.fromkeys(writing.loans, "VERIFIED")
    statuses = {row["Id"]: row["Status"] for row in writing.org.world.store.rows("FlowOrchestrationInstance")}
    assert {statuses[run] for run in writing.loans} == {"InProgress"}
    assert document["batch"] is not None


def test_what_changed_since_the_plan_is_left_alone_and_told(writing: FailingOrg, reprise: Type, tmp_path: Path) -> None:
    """A run that somebody else resumed meanwhile is not written to; the exit code says that a part was done."""
    plan = tmp_path / "plan.json"
    plan.write_text(reprise("resume", *writing.loans, "--json").out, "utf-8")
    writing.org.world.resume(writing.loans[1])
    ended = reprise("resume", "--plan", str(plan), "--execute", "--reason", "flow fixed")
    assert ended.code == 3
    assert f"{writing.loans[0]} verified" in ended.out
    assert f"{writing.loans[1]} skipped" in ended.out
    assert "not in Error any more" in " ".join(ended.out.split())


def test_what_is_not_proven_in_time_is_not_called_resumed(
    writing: FailingOrg, reprise: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 9; the run is leased until a later look settles it, and that look needs no second write."""
    monkeypatch.setenv("REPRISE_RESUME_PATIENCE", "0s")
    ended = reprise("resume", writing.loans[0], "--execute", "--reason", "flow fixed")
    assert ended.code == 9
    assert f"{writing.loans[0]} unverified" in ended.out
    again = reprise(f"resume {writing.loans[0]}")
    assert "ATTEMPT_OPEN" in again.out
    assert "resumes: 1 verified, 0 waiting for proof" in reprise("watch --once").err


def test_a_plan_is_a_file_that_can_be_acted_on_once(writing: FailingOrg, reprise: Type, tmp_path: Path) -> None:
    """What was previewed is what runs; changed by hand, it is refused."""
    plan = tmp_path / "plan.json"
    plan.write_text(reprise("resume --at-risk --orchestration Loan_Origination --json").out, "utf-8")
    shown = reprise(f"resume --plan {plan}")
    assert shown.code == 0
    assert "3 runs of org default would be resumed" in shown.out
    changed = json.loads(plan.read_text("utf-8"))
    changed["plan"]["included"][0]["run"] = writing.screening
    (tmp_path / "changed.json").write_text(json.dumps(changed), "utf-8")
    refused = reprise("resume", "--plan", str(tmp_path / "changed.json"), "--execute", "--reason", "x")
    assert refused.code == 5
    assert "changed after it was made" in refused.err
    ended = reprise("resume", "--plan", str(plan), "--execute", "--reason", "flow fixed")
    assert all(run in ended.out for run in writing.loans)


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[]", "is not a plan"), ("{}", "not a plan")],
)
def test_what_is_no_plan_is_a_usage_error(reprise: Type, tmp_path: Path, content: str | None, said: str) -> None:
    """Exit code 2 with the file's problem."""
    if content is not None:
        (tmp_path / "plan.json").write_text(content, "utf-8")
    ended = reprise("resume --plan plan.json")
    assert ended.code == 2
    assert said in ended.err


def test_what_cannot_be_resumed_is_left_out_with_the_reason(synced: FailingOrg, reprise: Type) -> None:
    """Nothing is dropped silently, and a plan without runs is no success."""
    ended = reprise("resume", synced.loans[0], synced.lost)
    assert ended.code == 0
    assert "1 × WINDOW_EXPIRED" in ended.out
    nothing = reprise(f"resume {synced.lost}")
    assert nothing.code == 4
    assert "None of them can be resumed now." in nothing.err


def test_what_is_left_out_is_told_when_acting_too(writing: FailingOrg, reprise: Type) -> None:
    """The run that is lost is named, before the one that is resumed."""
    ended = reprise("resume", writing.loans[0], writing.lost, "--execute", "--reason", "flow fixed")
    assert ended.code == 0
    assert ended.out.index(f"    {writing.lost}") < ended.out.index(f"{writing.loans[0]} verified")
    alone = reprise("resume", writing.lost, "--execute", "--reason", "flow fixed")
    assert alone.code == 4
    assert "WINDOW_EXPIRED" in alone.out


# Watching


def test_one_round_of_watching(failing: FailingOrg, reprise: Type) -> None:
    """Sync, verdicts, alerts on stdout, what was done on stderr; the second round has nothing new to say."""
    failing.org.world.advance(timedelta(days=13))
    first, second = reprise("watch --once"), reprise("watch --once")
    assert first.code == second.code == 0
    assert failing.loans[0] in first.out
    assert "1 new alert" in first.err
    assert second.out == ""
    assert "sync complete" in second.err


def test_a_round_as_a_document(failing: FailingOrg, reprise: Type) -> None:
    """One document on one line; the alerts are in it and nowhere else on stdout."""
    ended = reprise("watch --once --json")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 1
    assert ended.document["sync"]["outcome"] == "COMPLETE"
    assert ended.document["failed_runs"] == failing.failed
    assert ended.document["alerts"]


def test_an_audit_that_sees_too_little_ends_a_round_as_partial(failing: FailingOrg, reprise: Type) -> None:
    """Exit code 3 on the day's audit, whose report is in the document; the warning stands in the rounds between."""
    first = reprise("watch --once --json")
    assert (first.code, first.document["audit"]) == (0, None)
    store = failing.org.world.store
    access.unshare(store, failing.org.user_id, [row["Id"] for row in store.rows("FlowOrchestrationLog")])
    failing.org.world.advance(timedelta(days=1))
    second, third = reprise("watch --once --json"), reprise("watch --once")
    assert (second.code, second.document["audit"]["outcome"]) == (3, "PARTIAL")
    fits("watch", second.document)
    assert "Partial visibility" in third.err
    assert third.code == 3


@pytest.mark.usefixtures("failing")
def test_an_alert_that_does_not_get_through_ends_a_round_as_partial(
    reprise: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and the reason, in later rounds too until it has arrived, or somebody takes the channel away and was told."""
    with socket.socket() as nobody:  # bound and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("REPRISE_ALERTS_WEBHOOK_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}/hook")
        first, second = reprise("watch --once"), reprise("watch --once --json")
    assert (first.code, second.code) == (3, 3)
    assert "The webhook gave no answer" in first.err
    assert "1 alert not delivered yet" in first.err
    fits("watch", second.document)
    assert second.document["delivery"]["waiting"] == 1
    monkeypatch.delenv("REPRISE_ALERTS_WEBHOOK_URL")
    third, fourth = reprise("watch --once"), reprise("watch --once --json")
    assert (third.code, fourth.code) == (3, 0)
    assert "1 message waits for the channel 'webhook', which the settings do not name any more" in third.err
    assert fourth.document["delivery"]["stranded"] == 1


@pytest.mark.usefixtures("writing")
def test_a_round_without_the_org_still_warns(reprise: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing in fails, deadlines do not wait: alerts go out, and the exit code tells of the sign-in."""
    monkeypatch.setenv("REPRISE_ACCESS_TOKEN", "00D000000000001!forged")
    ended = reprise("watch --once")
    assert ended.code == 6
    assert "sync:" in ended.err
    assert "Reprise now watches" in ended.out
