"""aiosalesforce, unmodified, against the simulated org.

The package accepts only https://….my.salesforce.com as base_url and drops a port; an httpx transport, its documented way to
change how requests travel, takes it to loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import pytest
from aiosalesforce import Salesforce
from aiosalesforce.auth import Auth, ClientCredentialsFlow, JwtBearerFlow, SoapLogin
from aiosalesforce.exceptions import AuthenticationError, SalesforceError

from fixtures.org import serve
from fixtures.org.faults import Fault, Kind
from fixtures.org.running import RunningOrg
from tests.contract.roads import TransportToLoopback

RUN = "FlowOrchestrationInstance"
Answer = TypeVar("Answer")


@pytest.fixture
def org() -> Iterator[RunningOrg]:
    """An org with one run in progress."""
    with serve() as org:
        org.world.start("Loan_Origination", "a01RM00000000001AAA")
        yield org


def credentials(org: RunningOrg) -> Auth:
    """The login used where the login is not the point."""
    return ClientCredentialsFlow(client_id=org.client_id, client_secret=org.client_secret)


def ask(org: RunningOrg, work: Callable[[Salesforce], Awaitable[Answer]], auth: Auth | None = None) -> Answer:
    """What `work` returns, given a client of the org."""

    async def main() -> Answer:
        transport = TransportToLoopback(urlsplit(org.url).port or 0)
        async with httpx.AsyncClient(transport=transport) as http:
            client = Salesforce(
                httpx_client=http,
                base_url="https://acme.my.salesforce.com",
                auth=auth or credentials(org),
                version="67.0",
                retry_policy=None,
            )
            return await work(client)

    return asyncio.run(main())


@pytest.mark.parametrize("login", ["client credentials", "jwt", "soap"])
def test_it_signs_in(org: RunningOrg, login: str) -> None:
    """Its three logins: secret in the form, JWT with an int exp, SOAP without escaping."""
    auth = {
        "client credentials": credentials(org),
        "jwt": JwtBearerFlow(org.client_id, org.username, org.jwt_key_file),
        "soap": SoapLogin(org.username, org.password, ""),
    }[login]
    limits = ask(org, lambda client: client.get_limits(), auth)
    assert limits["DailyApiRequests"]["Max"] == 100_000


@pytest.mark.parametrize("login", ["client credentials", "soap"])
def test_a_refused_sign_in_carries_the_orgs_words(org: RunningOrg, login: str) -> None:
    """It reads error_description, or sf:exceptionCode of the SOAP fault."""
    auth = {
        "client credentials": ClientCredentialsFlow(client_id=org.client_id, client_secret="wrong"),
        "soap": SoapLogin(org.username, "wrong", ""),
    }[login]
    with pytest.raises(AuthenticationError, match=r"invalid_client|INVALID_LOGIN"):
        ask(org, lambda client: client.get_limits(), auth)


def test_it_pages_through_a_query(org: RunningOrg) -> None:
    """It follows nextRecordsUrl behind its own base URL, for query and queryAll."""
    with org.world.store.transaction() as now:
        for number in range(2_001):
            now.create("FlowOrchestrationLog", Kind="StartStep", StepName=f"Filler_{number}", Timestamp=now.started_at)

    async def count(client: Salesforce) -> int:
        query = "SELECT Id FROM FlowOrchestrationLog WHERE StepName LIKE 'Filler%'"
        return len({row["Id"] async for row in client.query(query, include_all_records=True)})

    assert ask(org, count) == 2_001


def test_it_reads_and_updates_a_record(org: RunningOrg) -> None:
    """sobject.get and sobject.update."""

    async def suspend(client: Salesforce) -> Any:
        rows = [row async for row in client.query(f"SELECT Id FROM {RUN}")]
        await client.sobject.update(RUN, rows[0]["Id"], {"Status": "Suspended"})
        return await client.sobject.get(RUN, rows[0]["Id"], fields=["Status"])

    assert ask(org, suspend)["Status"] == "Suspended"


def test_it_sends_a_batch(org: RunningOrg) -> None:
    """composite.batch leaves /services/data out of its URLs; each subrequest is charged."""

    async def send(client: Salesforce) -> list[int]:
        async with client.composite.batch() as batch:
            first = batch.query(f"SELECT Id FROM {RUN}")
            second = batch.query("SELECT Id FROM User WHERE IsActive = false")
        return [len(first.records), len(second.records)]

    assert ask(org, send) == [1, 0]
    assert org.api_calls() == 2


def test_it_sends_a_composite_with_references(org: RunningOrg) -> None:
    """composite writes + for spaces inside subrequest URLs and refers to earlier replies."""

    async def send(client: Salesforce) -> str:
        async with client.composite(all_or_none=True) as composite:
            found = composite.query(f"SELECT Id, Status FROM {RUN}")
            composite.sobject.update(RUN, found.reference.records[0].Id, {"Status": "Suspended"})
            after = composite.query(f"SELECT Status FROM {RUN}")
        return str(after.records[0]["Status"])

    assert ask(org, send) == "Suspended"


def test_it_signs_in_again_when_a_session_has_expired(org: RunningOrg) -> None:
    """Any 401 makes it fetch a new token, once."""
    org.faults.arm(Fault(Kind.EXPIRED_SESSION))
    assert ask(org, lambda client: client.get_limits())["DailyApiRequests"]["Remaining"] == 99_999


def test_it_raises_with_the_orgs_error(org: RunningOrg) -> None:
    """It reads errorCode of the first element of the error array."""

    async def wrong(client: Salesforce) -> None:
        async for _ in client.query("SELECT Nope FROM User"):
            pass

    with pytest.raises(SalesforceError) as refused:
        ask(org, wrong)
    assert refused.value.error_code == "INVALID_FIELD"
