"""simple-salesforce, unmodified, against the simulated org: everything it can ask of the objects we care about.

The package writes https into every URL. So it reaches the org over TLS with the org's own authority, or over http through
an adapter on its session; both are its documented parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from fixtures.org import serve
from fixtures.org.faults import Fault, Kind
from fixtures.org.running import RunningOrg
from tests.contract.roads import session_to

RUN = "FlowOrchestrationInstance"


@pytest.fixture(scope="module")
def tls_org() -> Iterator[RunningOrg]:
    """An org with a TLS port."""
    with serve(tls=True) as org:
        yield org


@pytest.fixture
def org() -> Iterator[RunningOrg]:
    """An org with one run in progress."""
    with serve() as org:
        org.world.start("Loan_Origination", "a01RM00000000001AAA")
        yield org


@pytest.fixture
def session(org: RunningOrg) -> Iterator[requests.Session]:
    """A session whose https traffic goes to the org."""
    with session_to(org.url) as session:
        yield session


@pytest.fixture
def client(org: RunningOrg, session: requests.Session) -> Any:
    """A signed-in client; Any, because the attributes it makes up are typed as three things at once."""
    return Salesforce(session_id=org.access_token, instance_url=org.url, session=session, version="67.0")


# -- reaching it


def test_over_tls_with_the_authority_in_the_environment(tls_org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE is all it needs; host and port of instance_url are kept, its scheme is dropped."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls_org.ca_file))
    client = Salesforce(session_id=tls_org.access_token, instance_url=tls_org.tls_url)
    with client.session:
        assert client.query("SELECT Username FROM User")["totalSize"] > 0


def test_over_tls_with_the_authority_on_the_session(tls_org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    """session.verify is the other way; requests lets a bundle named in the environment win over it."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with requests.Session() as session:
        session.verify = str(tls_org.ca_file)
        client = Salesforce(session_id=tls_org.access_token, instance_url=tls_org.tls_url, session=session)
        assert client.is_sandbox() is False


def test_without_the_authority_it_refuses(tls_org: RunningOrg) -> None:
    """The authority is a throw-away one that nobody trusts by default."""
    client = Salesforce(session_id=tls_org.access_token, instance_url=tls_org.tls_url)
    with client.session, pytest.raises(requests.exceptions.SSLError):
        client.limits()


# -- signing in


def test_it_signs_in_by_client_credentials_jwt_password_and_soap(org: RunningOrg, session: requests.Session) -> None:
    """Its four logins; each ends with a session that the org knows."""
    app: dict[str, Any] = {"consumer_key": org.client_id, "consumer_secret": org.client_secret, "domain": "acme.my"}
    user: dict[str, Any] = {"username": org.username, "password": org.password}
    logins: list[Any] = [
        Salesforce(session=session, **app),
        Salesforce(session=session, **app, **user),
        Salesforce(
            session=session, username=org.username, consumer_key=org.client_id, privatekey_file=str(org.jwt_key_file)
        ),
    ]
    for client in logins:
        assert client.oauth2("userinfo")["preferred_username"] == org.username
        assert client.sf_instance == org.url.removeprefix("http://")


def test_a_refused_sign_in_carries_the_orgs_words(org: RunningOrg, session: requests.Session) -> None:
    """It reads error and error_description of the token endpoint."""
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        Salesforce(session=session, consumer_key=org.client_id, consumer_secret="wrong", domain="acme.my")


# -- reading


def test_it_pages_through_a_query(org: RunningOrg, client: Any) -> None:
    """query_all follows nextRecordsUrl, which is a path without an origin."""
    for _ in range(250):
        org.world.start("Contract_Renewal")
    client.headers["Sforce-Query-Options"] = "batchSize=200"
    reply = client.query_all(f"SELECT Id, Status FROM {RUN} ORDER BY Id")
    assert reply["totalSize"] == len(reply["records"]) == 251
    assert reply["done"]


def test_it_finds_deleted_rows(org: RunningOrg, client: Any) -> None:
    """include_deleted asks queryAll."""
    (run,) = client.query(f"SELECT Id FROM {RUN}")["records"]
    org.world.delete_run(run["Id"])
    assert client.query(f"SELECT Id FROM {RUN}")["totalSize"] == 0
    assert client.query(f"SELECT Id FROM {RUN}", include_deleted=True)["totalSize"] == 1


def test_it_describes_and_reads_a_record(client: Any) -> None:
    """describe of the org and of an object; a record by Id."""
    assert RUN in {each["name"] for each in client.describe()["sobjects"]}
    handle = client.FlowOrchestrationInstance
    assert "Status" in {field["name"] for field in handle.describe()["fields"]}
    (run,) = client.query(f"SELECT Id FROM {RUN}")["records"]
    assert handle.get(run["Id"])["Status"] == "InProgress"
    with pytest.raises(SalesforceResourceNotFound):
        handle.get("0jERM0000000000AAA")


def test_it_reads_what_was_updated_and_deleted(org: RunningOrg, client: Any) -> None:
    """updated and deleted with datetimes of ours, sent with a + that it escapes."""
    now = org.world.store.now()
    start, end = now - timedelta(hours=1), now + timedelta(minutes=1)
    (run,) = client.query(f"SELECT Id FROM {RUN}")["records"]
    assert client.FlowOrchestrationInstance.updated(start, end)["ids"] == [run["Id"]]
    org.world.delete_run(run["Id"])
    assert [row["id"] for row in client.FlowOrchestrationInstance.deleted(start, end)["deletedRecords"]] == [run["Id"]]


def test_it_knows_the_api_usage(client: Any) -> None:
    """api_usage is parsed from Sforce-Limit-Info; limits is a dictionary of Max and Remaining."""
    assert client.limits()["DailyApiRequests"]["Remaining"] == 99_999
    assert client.api_usage["api-usage"] == (1, 100_000)


def test_it_runs_a_bulk_query(client: Any, tmp_path: Path) -> None:
    """bulk2.query needs the header Sforce-NumberOfRecords and stops at the locator null."""
    handler = client.bulk2.FlowOrchestrationStepInstance
    query = "SELECT Id, OrchestrationInstance.Status FROM FlowOrchestrationStepInstance"
    parts = list(handler.query(query, max_records=2, wait=0))
    rows = [line for part in parts for line in part.splitlines()[1:]]
    assert len(rows) == client.query(query)["totalSize"]
    assert parts[0].splitlines()[0] == '"Id","OrchestrationInstance.Status"'
    (downloaded,) = handler.download(query, path=str(tmp_path), wait=0)
    assert downloaded["number_of_records"] == len(rows)


def test_it_reads_the_tooling_api(client: Any) -> None:
    """toolingexecute reaches the flow version behind an orchestration, with its stages and steps."""
    query = "SELECT Id FROM Flow WHERE Definition.DeveloperName = 'Loan_Origination' AND VersionNumber = 1"
    (version,) = client.toolingexecute("query", params={"q": query})["records"]
    metadata = client.toolingexecute(f"sobjects/Flow/{version['Id']}")["Metadata"]
    assert metadata["orchestratedStages"][0]["stageSteps"][0]["actionName"]


# -- writing


def test_it_updates_a_record_and_a_collection(client: Any) -> None:
    """update returns the status code 204; restful carries a collection of our own making."""
    (run,) = client.query(f"SELECT Id FROM {RUN}")["records"]
    assert client.FlowOrchestrationInstance.update(run["Id"], {"Status": "Suspended"}) == 204
    record = {"attributes": {"type": RUN}, "id": run["Id"], "Status": "InProgress"}
    (result,) = client.restful("composite/sobjects", method="PATCH", json={"allOrNone": False, "records": [record]})
    assert result == {"id": run["Id"], "success": True, "errors": []}


def test_it_sends_a_composite(org: RunningOrg, client: Any) -> None:
    """restful posts a composite of five queries as one API call."""
    parts = [
        {"method": "GET", "url": f"/services/data/v67.0/queryAll?q=SELECT+Id+FROM+{RUN}", "referenceId": f"q{number}"}
        for number in range(5)
    ]
    reply = client.restful("composite", method="POST", json={"compositeRequest": parts})
    assert [part["body"]["totalSize"] for part in reply["compositeResponse"]] == [1] * 5
    assert org.api_calls() == 1


# -- being refused


def test_it_raises_with_the_orgs_error(client: Any) -> None:
    """It keeps the error array as content."""
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.query("SELECT Nope FROM User")
    content: Any = refused.value.content
    assert content[0]["errorCode"] == "INVALID_FIELD"


def test_it_tells_an_expired_session_apart(org: RunningOrg, client: Any) -> None:
    """A 401 with INVALID_SESSION_ID is SalesforceExpiredSession."""
    org.faults.arm(Fault(Kind.EXPIRED_SESSION))
    with pytest.raises(SalesforceExpiredSession):
        client.limits()
