"""Every fault ends in right data or in a clear failure, within a bounded number of requests; fallbacks say that they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
import responses
import stamina
from pydantic import SecretStr

from connector.errors import OrgUnreachable, PermissionDenied, SignInFailed
from connector.mirror.state import load_org
from connector.mirror.tables import MIRRORED, LogEntry, Run, StatusChange
from connector.org.client import OrgClient
from connector.org.session import ATTEMPTS
from connector.report import SyncOutcome
from connector.settings import AccessTokenLogin, OrgSettings
from fixtures.org import access
from fixtures.org.faults import Fault, Kind
from tests.chaos.faults import try_fault
from tests.connector.peers import differences, in_mirror, log_entries, peers, runs_to_judge, token_client
from tests.mirrors import empty_mirror

# What a pass makes of each fault: once, and for ever.
EXPECTED = {
    Kind.EXPIRED_SESSION: ("COMPLETE", "SignInFailed"),
    Kind.UNAVAILABLE: ("COMPLETE", "OrgUnreachable"),
    Kind.TOO_MANY: ("COMPLETE", "OrgUnreachable"),
    Kind.SERVER_ERROR: ("COMPLETE", "OrgUnreachable"),
    Kind.HTML_ERROR: ("COMPLETE", "OrgUnreachable"),
    Kind.LIMIT_EXCEEDED: ("ApiLimitReached", "ApiLimitReached"),
    Kind.LOCK_ROW: ("COMPLETE", "OrgUnreachable"),
    Kind.QUERY_TIMEOUT: ("COMPLETE", "OrgUnreachable"),
    Kind.NOT_SUPPORTED: ("COMPLETE", "OrgRefused"),
    Kind.RESET: ("COMPLETE", "OrgUnreachable"),
    Kind.CUT_BODY: ("COMPLETE", "OrgUnreachable"),
    Kind.STALL: ("COMPLETE", "OrgUnreachable"),
    Kind.REPLY_LOST: ("COMPLETE", "OrgUnreachable"),
    Kind.WRONG_TYPE: ("COMPLETE", "COMPLETE"),
    Kind.LOGIN_PAGE: ("COMPLETE", "OrgUnreachable"),
    Kind.CLOCK_SKEW: ("COMPLETE", "COMPLETE"),
    Kind.SHORT_PAGE: ("COMPLETE", "COMPLETE"),
    Kind.HIDE_FIELD: ("COMPLETE", "COMPLETE"),
    Kind.REVOKE_PERMISSION: ("PARTIAL", "PARTIAL"),
    Kind.EXPIRE_LOCATORS: ("COMPLETE", "COMPLETE"),
}


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for_ever"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_fault_has_its_outcome(kind: Kind, for_ever: bool, tmp_path: Path) -> None:
    """The outcome is the expected one, at most four requests were spent, and afterwards the mirror equals the org."""
    case = try_fault(kind, for_ever=for_ever, folder=tmp_path)
    assert (case.outcome, case.equal_after) == (EXPECTED[kind][for_ever], True)
    assert case.requests <= ATTEMPTS


def test_a_query_that_fails_inside_the_composite_makes_the_pass_partial(tmp_path: Path) -> None:
    """One object that cannot be read leaves the others read, is named, and its watermark stays where it was."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        before = {each.object: each.watermark for each in both.sync().objects}
        both.advance(minutes=10)
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match=r"queryAll\?q=.* FROM FlowOrchestrationLog", times=None))
        report = both.sync()
        after = {each.object: each.watermark for each in report.objects}
        assert report.outcome is SyncOutcome.PARTIAL
        assert LogEntry.salesforce_object in report.warnings[0]
        unmoved = [name for name, watermark in after.items() if watermark == before[name]]
        assert unmoved == [LogEntry.salesforce_object]
        assert report.api_calls == 3


@pytest.mark.parametrize("minutes_ago", [0, 5], ids=["newer than covered", "older"])
@pytest.mark.parametrize("rows", [200, 201, 450])
def test_a_query_that_takes_too_long_is_asked_for_fewer_rows(rows: int, minutes_ago: int, tmp_path: Path) -> None:
    """Where the org manages no more than 200 rows at a time, everything is read in such portions, also in one second."""
    with peers(empty_mirror(tmp_path)) as both:
        both.sync()
        both.advance(minutes=10)
        log_entries(both.org, rows)
        both.advance(minutes=minutes_ago)
        slow = r"FROM FlowOrchestrationLog ((?!LIMIT 200\b).)*$"
        both.org.faults.arm(Fault(Kind.QUERY_TIMEOUT, match=slow, times=None))
        report = both.sync()
        assert (report.outcome, report.warnings) == (SyncOutcome.COMPLETE, ())
        assert 3 <= report.api_calls <= 3 + rows // 200
        both.advance(minutes=5)
        assert both.sync().outcome is SyncOutcome.COMPLETE
        assert differences(both.org, both.engine) == []


@pytest.mark.parametrize("resource", ["updated", "deleted", "composite$"])
def test_an_org_that_refuses_the_replication_resources(resource: str, tmp_path: Path) -> None:
    """Without /updated or /deleted the last minutes are read again: nothing is lost, it is said, and costs at most 3 calls."""
    with peers(empty_mirror(tmp_path)) as both:
        times = 1 if resource == "composite$" else None
        both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match=resource, times=times))
        store = both.org.world.store
        for minutes in (1, 4, 14, 20):
            held = store.begin()
            held.create(Run.salesforce_object, Status="Error", OrchestrationDeveloperName="Late")
            both.advance(minutes=minutes)
            log_entries(both.org, 1)
            report = both.sync()
            assert report.api_calls <= 3
            held.commit()
        assert both.sync().api_calls <= 3
        assert differences(both.org, both.engine) == []
        assert report.outcome is SyncOutcome.COMPLETE


def test_the_fallback_is_said_once_a_day_and_spends_one_call(tmp_path: Path) -> None:
    """The first poll that meets the refusal says so; the next ones do not ask again."""
    with peers(empty_mirror(tmp_path)) as both:
        both.org.faults.arm(Fault(Kind.NOT_SUPPORTED, match="/updated", times=None))
        first, second = both.sync(), both.sync()
        assert len([warning for warning in first.warnings if "/updated" in warning]) == len(MIRRORED)
        assert (second.api_calls, second.warnings) == (1, ())


def test_a_read_is_tried_four_times_and_a_write_once(tmp_path: Path) -> None:
    """The bounded number of tries is the same for a poll in life and in tests; a write that fails is not repeated."""
    with peers(empty_mirror(tmp_path)) as both, stamina.set_testing(True, attempts=ATTEMPTS):
        both.sync()
        both.org.faults.arm(Fault(Kind.UNAVAILABLE, times=None))
        before = both.client.api_calls
        with pytest.raises(OrgUnreachable):
            both.sync()
        assert both.client.api_calls - before == ATTEMPTS
        with pytest.raises(OrgUnreachable):
            both.client.update([{"attributes": {"type": Run.salesforce_object}, "id": "0jE", "Status": "InProgress"}])
        assert both.client.api_calls - before == ATTEMPTS + 1


def test_a_pasted_token_that_expires_is_said_at_once(tmp_path: Path) -> None:
    """A token that cannot be renewed is not tried again, and the sentence says how to get another."""
    with peers(empty_mirror(tmp_path)) as both:
        both.client = token_client(both.org)
        both.sync()
        both.org.faults.arm(Fault(Kind.EXPIRED_SESSION))
        with pytest.raises(SignInFailed) as refused:
            both.sync()
        assert "sf org auth show-access-token" in refused.value.next_step


def test_a_hidden_field_becomes_null_and_comes_back(database_url: str) -> None:
    """A field that is taken away is null with a warning that names it; when it is visible again all of it is read again."""
    with peers(database_url) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(Run.salesforce_object, Status="InProgress", CurrentStage="Intake")
        both.sync()
        assert runs_to_judge(both.engine) == {run}
        access.hide_name(store, f"{Run.salesforce_object}.CurrentStage")
        both.advance(minutes=5)
        report = both.sync()
        assert in_mirror(both.engine, Run)[run]["current_stage"] is None
        assert runs_to_judge(both.engine) == {run}
        assert [warning for warning in report.warnings if "CurrentStage" in warning and "read access" in warning]
        access.show_name(store, f"{Run.salesforce_object}.CurrentStage")
        both.advance(days=1, minutes=5)
        both.sync()
        assert differences(both.org, both.engine) == []
        assert runs_to_judge(both.engine) == {run}


def test_a_user_without_log_access_mirrors_the_rest(tmp_path: Path) -> None:
    """An object that could never be read is a standing warning with its consequence, at no extra call; the pass is complete."""
    with peers(empty_mirror(tmp_path)) as both:
        both.client = token_client(both.org, "no.logs")
        both.org.world.start("Loan_Origination")
        first = both.sync()
        both.advance(minutes=5)
        second = both.sync()
        for report in (first, second):
            assert report.outcome is SyncOutcome.COMPLETE
            assert [
                warning for warning in report.warnings if "FlowOrchestrationLog" in warning and "deadline" in warning
            ]
        assert second.api_calls == 1
        assert in_mirror(both.engine, Run)


@pytest.mark.parametrize(("others", "outcome"), [(True, "PARTIAL"), (False, "FAILED")])
def test_without_runs_a_pass_is_refused_and_says_what_it_read(others: bool, outcome: str, tmp_path: Path) -> None:
    """Where runs cannot be read, the command fails; the history tells whether anything else was read before."""
    with peers(empty_mirror(tmp_path)) as both:
        if others:
            log_entries(both.org, 3)
        access.hide_name(both.org.world.store, Run.salesforce_object)
        with pytest.raises(PermissionDenied, match="FlowOrchestrationInstance"):
            both.sync()
        org = load_org(both.engine, both.client.identity.org_id)
        assert org is not None
        assert (org.last_outcome, len(in_mirror(both.engine, LogEntry))) == (outcome, 3 * others)


@responses.activate
def test_a_later_page_of_another_shape_is_no_traceback() -> None:
    """Whoever reads page by page learns that the answer cannot be read, and what to look at."""
    url = "https://acme.my.salesforce.com"
    login = AccessTokenLogin(access_token=SecretStr("00D000000000001!x"))
    client = OrgClient(OrgSettings(instance_url=url, login=login, api_version="67.0"))
    next_url = "/services/data/v67.0/query/0r8-2000"
    first = {"totalSize": 3, "done": False, "nextRecordsUrl": next_url, "records": [{"Id": "a"}]}
    responses.get(f"{url}/services/oauth2/userinfo", json={})
    responses.get(f"{url}/services/data/v67.0/query", json=first)
    responses.get(f"{url}{next_url}", json={"records": None})
    found = client.query("SELECT Id FROM X")
    assert next(found) == {"Id": "a"}
    with pytest.raises(OrgUnreachable, match="unknown shape") as odd:
        next(found)
    assert "instance URL" in odd.value.next_step


def test_status_changes_are_bracketed_by_polls(tmp_path: Path) -> None:
    """A status that changed between two polls is noted with the poll that last saw the old one."""
    with peers(empty_mirror(tmp_path)) as both:
        store = both.org.world.store
        with store.transaction() as tx:
            run = tx.create(Run.salesforce_object, Status="InProgress")
        both.sync()
        both.advance(minutes=10)
        both.sync()
        quiet_until = store.now()
        both.advance(minutes=10)
        with store.transaction() as tx:
            tx.update(Run.salesforce_object, run, Status="Error")
        both.advance(minutes=10)
        both.sync()
        with both.engine.connect() as connection:
            (change,) = connection.execute(StatusChange.__table__.select()).all()  # type: ignore[attr-defined]
        assert (change.old_status, change.new_status) == ("InProgress", "Error")
        assert change.after <= quiet_until
        assert change.seen_at >= store.now()
