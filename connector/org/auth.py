"""Signing in: one small class per kind of login, each of which knows what to send to the token endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never

from connector.errors import ConfigError
from connector.settings import AccessTokenLogin, ClientCredentialsLogin, JwtLogin, Login

JWT_LIFE = timedelta(minutes=3)  # the longest that Salesforce accepts (Help: OAuth 2.0 JWT Bearer Flow)


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token that somebody pasted. It works until it expires and cannot be renewed."""

    token: str


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth client credentials: the app's own identity (Help: OAuth 2.0 Client Credentials Flow)."""

    client_id: str
    client_secret: str

    def token_form(self) -> Mapping[str, str]:
        """The request of RFC 6749, section 4.4.2, credentials in the body."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """OAuth JWT bearer: we prove to hold a private key (Help: OAuth 2.0 JWT Bearer Flow)."""

    client_id: str
    username: str
    key_file: Path
    audience: str

    def token_form(self) -> Mapping[str, str]:
        """A freshly signed assertion. Raises ConfigError where the key cannot be read."""
        import jwt  # with cryptography below it, 60 ms that only this login needs

        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            "exp": int((datetime.now(UTC) + JWT_LIFE).timestamp()),
        }
        try:
            assertion = jwt.encode(claims, self.key_file.read_bytes(), algorithm="RS256")
        except (OSError, ValueError, jwt.PyJWTError) as unusable:
            raise ConfigError(
                f"The private key {self.key_file} cannot be used: {unusable}.",
                next_step="Set REPRISE_JWT_KEY_FILE to an RSA private key in PEM form.",
            ) from unusable
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


def grant_for(login: Login) -> GivenToken | ClientCredentials | JwtBearer:
    """The grant that a login setting asks for."""
    match login:
        case AccessTokenLogin():
            return GivenToken(login.access_token.get_secret_value())
        case ClientCredentialsLogin():
            return ClientCredentials(login.client_id, login.client_secret.get_secret_value())
        case JwtLogin():
            return JwtBearer(login.client_id, login.username, login.key_file, login.audience)
    assert_never(login)
