"""Signing in by each kind of login, and what is said when it does not work."""

from __future__ import annotations

from pathlib import Path

import pytest
import responses
import stamina
from pydantic import SecretStr

from connector.errors import ApiLimitReached, ConfigError, OrgUnreachable, RepriseError, SignInFailed
from connector.org.client import OrgClient, long_id
from connector.org.session import ATTEMPTS
from connector.settings import AccessTokenLogin, ClientCredentialsLogin, JwtLogin, Login, OrgSettings
from fixtures.org import serve
from fixtures.org.faults import Fault, Kind
from fixtures.org.running import RunningOrg
from tests.connector.peers import client_for, token_client

TOKEN = AccessTokenLogin(access_token=SecretStr("00DRM000003ZjUF!abc"))


def logins(org: RunningOrg) -> list[Login]:
    """Each kind of login that this org accepts."""
    return [
        AccessTokenLogin(access_token=SecretStr(org.access_token)),
        ClientCredentialsLogin(client_id=org.client_id, client_secret=SecretStr(org.client_secret)),
        JwtLogin(client_id=org.client_id, username=org.username, key_file=org.jwt_key_file),
    ]


def test_each_login_knows_who_and_where_it_is() -> None:
    """Token, client credentials and JWT end in the same identity, without spending an API call."""
    with serve("empty") as org:
        for login in logins(org):
            who = OrgClient(OrgSettings(instance_url=org.url, login=login)).sign_in()
            assert (who.org_id, who.username, who.api_version) == (org.org_id, org.username, "67.0")
        assert org.api_calls() == 0


def test_a_private_certificate_authority_is_trusted_by_its_file() -> None:
    """Over https the authority's file makes the org trusted; without it the sentence names the setting."""
    with serve("empty", tls=True) as org:
        assert org.tls_url is not None
        assert client_for(org, instance_url=org.tls_url, ca_file=org.ca_file).sign_in().org_id == org.org_id
        with pytest.raises(OrgUnreachable) as refused:
            client_for(org, instance_url=org.tls_url).sign_in()
        assert "REPRISE_CA_FILE" in refused.value.next_step


def test_a_pinned_version_is_spoken() -> None:
    """A pin from the settings is used instead of the newest version."""
    with serve("empty") as org:
        assert client_for(org, api_version="61.0").sign_in().api_version == "61.0"


def test_wrong_credentials_are_said_in_the_orgs_words() -> None:
    """A wrong secret and a wrong key are refused with the org's reason and what to check."""
    with serve("empty") as org:
        wrong = ClientCredentialsLogin(client_id=org.client_id, client_secret=SecretStr("wrong"))
        with pytest.raises(SignInFailed) as refused:
            OrgClient(OrgSettings(instance_url=org.url, login=wrong)).sign_in()
        assert "secret" in refused.value.next_step


def test_a_wrong_token_is_said() -> None:
    """A pasted token that the org does not know is refused when it is first used."""
    with serve("empty") as org, pytest.raises(SignInFailed):
        OrgClient(OrgSettings(instance_url=org.url, login=TOKEN)).get("limits")


def test_a_key_that_is_no_key(tmp_path: Path) -> None:
    """A file that holds no private key is a mistake in the settings."""
    (tmp_path / "key.pem").write_text("not a key")
    login = JwtLogin(client_id="x", username="y", key_file=tmp_path / "key.pem")
    with serve("empty") as org, pytest.raises(ConfigError) as refused:
        OrgClient(OrgSettings(instance_url=org.url, login=login)).sign_in()
    assert "REPRISE_JWT_KEY_FILE" in refused.value.next_step


@pytest.mark.parametrize("url", ["http://acme.my.salesforce.com", "ftp://127.0.0.1", "acme", ""])
def test_an_address_that_would_leak_the_token_is_refused(url: str) -> None:
    """Plain http is for this machine only, and an address needs a scheme."""
    with pytest.raises(ConfigError):
        OrgClient(OrgSettings(instance_url=url, login=TOKEN))


def test_nobody_listens() -> None:
    """An address where nothing answers is unreachable, after the bounded number of tries."""
    with serve("empty") as org:
        gone = org.url
    with stamina.set_testing(True, attempts=ATTEMPTS), pytest.raises(OrgUnreachable) as refused:
        OrgClient(OrgSettings(instance_url=gone, login=TOKEN)).sign_in()
    assert gone in refused.value.what


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (302, "", {"Location": "https://login.example/"}, "redirect"),
        (200, "<html>Welcome</html>", {"Content-Type": "text/html"}, "text/html instead of JSON"),
        (200, "", {"Content-Type": "application/json"}, "nothing instead of JSON"),
        (404, "<html>Not found</html>", {"Content-Type": "text/html"}, "may not be a Salesforce org"),
        (200, "[]", {"Content-Type": "application/json"}, "offers no API version"),
    ],
)
def test_an_address_that_is_no_org(status: int, body: str, headers: dict[str, str], words: str) -> None:
    """Redirects, portals and other web servers are told from an org."""
    responses.get("https://acme.my.salesforce.com/services/data", status=status, body=body, headers=headers)
    with stamina.set_testing(True, attempts=1), pytest.raises(OrgUnreachable) as refused:
        OrgClient(OrgSettings(instance_url="https://acme.my.salesforce.com", login=TOKEN)).sign_in()
    assert words in refused.value.what


def test_an_expired_session_is_renewed_once() -> None:
    """After an expiry the client signs in again by itself and the read goes on."""
    with serve("empty") as org:
        client = client_for(org)
        client.sign_in()
        org.faults.arm(Fault(Kind.EXPIRED_SESSION))
        assert client.get("limits")["DailyApiRequests"]["Max"] == 100_000


def test_every_reply_tells_the_allowance() -> None:
    """Sforce-Limit-Info is read from each reply."""
    with serve("empty", daily_api_calls=5000) as org:
        client = token_client(org)
        client.get("limits")
        assert (client.api_used, client.api_max, client.api_calls) == (1, 5000, 1)


def test_short_ids_become_long() -> None:
    """The three letters at the end say which of the fifteen are capitals (the Id of Salesforce's own example)."""
    assert long_id("00530000003xqAb") == "00530000003xqAbAAI"
    assert long_id("00530000003xqAbAAI") == "00530000003xqAbAAI"


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (200, "<html>Log in</html>", OrgUnreachable, "with a page for people"),
        (503, "<html>Maintenance</html>", OrgUnreachable, "HTTP 503"),
        (
            403,
            '[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]',
            ApiLimitReached,
            "used up",
        ),
        (
            400,
            '{"error": "invalid_client", "error_description": "invalid client credentials."}',
            SignInFailed,
            "credentials.",
        ),
    ],
)
def test_what_a_token_endpoint_says_instead_of_a_token(
    status: int, body: str, error: type[RepriseError], words: str
) -> None:
    """A page, an outage, a used-up allowance and a refusal are told apart, each with what to do next."""
    responses.post("https://acme.my.salesforce.com/services/oauth2/token", status=status, body=body)
    login = ClientCredentialsLogin(client_id="id", client_secret=SecretStr("secret"))
    with stamina.set_testing(True, attempts=1), pytest.raises(error) as refused:
        OrgClient(OrgSettings(instance_url="https://acme.my.salesforce.com", login=login)).sign_in()
    assert words in refused.value.what
    assert ".." not in refused.value.what
    assert refused.value.next_step
