"""One org as people configure it, and the three ways to sign in to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from connector.settings import (
    LOOPBACK,
    AccessTokenLogin,
    ClientCredentialsLogin,
    Frozen,
    JwtLogin,
    Login,
    OrgSettings,
    Wait,
)
from tui.format import plain

OLDEST_API_VERSION = 54
"""Orchestration Work Item and Orchestration Run Log exist from here on (Object Reference v67)."""


def _supported(version: str) -> str:
    written = re.fullmatch(r"([0-9]{2,3})\.0", version)
    if not written or int(written[1]) < OLDEST_API_VERSION:
        raise ValueError(f"write it as 67.0; the oldest that has all of orchestrations is {OLDEST_API_VERSION}.0")
    return version


class OrgKeys(Frozen):
    """One org as people configure it: flat, and one of the three ways to sign in."""

    instance_url: str = Field(description="https://<MyDomain>.my.salesforce.com; http only for loopback addresses.")
    access_token: SecretStr | None = Field(None, description="Sign in with a token; it cannot be renewed.")
    client_id: str | None = Field(None, description="Consumer key of an External Client App.")
    client_secret: SecretStr | None = Field(None, description="Its secret: sign in by client credentials.")
    username: str | None = Field(None, description="With client_id and jwt_key_file: sign in by JWT bearer.")
    jwt_key_file: Path | None = Field(None, description="PEM file of the private key that signs the JWT.")
    jwt_audience: str = Field(
        JwtLogin.model_fields["audience"].default, description="https://test.salesforce.com for a sandbox."
    )
    ca_file: Path | None = Field(None, description="PEM file of a private certificate authority.")
    api_version: Annotated[str, AfterValidator(_supported)] | None = Field(
        None, description="Such as 67.0; default: the newest that the org offers."
    )
    timeout: Wait = Field(
        OrgSettings.model_fields["timeout"].default, description="Longest silence of the org that one request bears."
    )


def org_settings(name: str, keys: OrgKeys) -> tuple[OrgSettings | None, list[str]]:
    """The org that `keys` describe, or None; and what is wrong with them, each with the key it starts with."""
    problems = []
    if problem := _url_problem(keys.instance_url):
        problems.append(f".instance_url: {problem}")
    login = _login(keys)
    if login is None:
        problems.append(
            ": no complete way to sign in; give access_token, or client_id and client_secret, "
            "or client_id, username and jwt_key_file"
        )
        return None, problems
    org = OrgSettings(
        name=name,
        instance_url=keys.instance_url.rstrip("/"),
        login=login,
        ca_file=keys.ca_file,
        api_version=keys.api_version,
        timeout=keys.timeout,
    )
    return org, problems


def _login(keys: OrgKeys) -> Login | None:
    """The login that the keys suffice for; a token given for the occasion goes before what is configured for good."""
    if keys.access_token:
        return AccessTokenLogin(access_token=keys.access_token)
    if keys.client_id and keys.client_secret:
        return ClientCredentialsLogin(client_id=keys.client_id, client_secret=keys.client_secret)
    if keys.client_id and keys.username and keys.jwt_key_file:
        return JwtLogin(
            client_id=keys.client_id, username=keys.username, key_file=keys.jwt_key_file, audience=keys.jwt_audience
        )
    return None


def _url_problem(url: str) -> str | None:
    """What is wrong with an instance URL: credentials would travel readable over plain http, except on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"{plain(url)!r} is not a URL such as https://example.my.salesforce.com"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return "plain http is accepted for this machine's own addresses only; write https"
    return None
