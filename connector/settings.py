"""What the connector must be told. Frozen values; nothing here reads a file or the environment (tui/settings.py does)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Frozen(BaseModel):
    """A settings value: immutable, and a misspelt key is an error rather than a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The hosts to which plain http is accepted: elsewhere it would carry credentials readable over a network."""

Wait = Annotated[timedelta, Field(gt=timedelta())]
"""A length of time that a loop waits for, or a limit: none at all would mean without rest, or never."""
Length = Annotated[timedelta, Field(ge=timedelta())]
"""A length of time that may be none."""


class AccessTokenLogin(Frozen):
    """A token somebody pasted (for example from `sf org auth show-access-token`). It cannot be renewed."""

    kind: Literal["access_token"] = "access_token"
    access_token: SecretStr


class ClientCredentialsLogin(Frozen):
    """OAuth client credentials of an External Client App, sent to the org's My Domain.

    login.salesforce.com refuses them (Help: OAuth 2.0 Client Credentials Flow).
    """

    kind: Literal["client_credentials"] = "client_credentials"
    client_id: str
    client_secret: SecretStr


class JwtLogin(Frozen):
    """OAuth JWT bearer: a private key instead of a secret (Help: OAuth 2.0 JWT Bearer Flow)."""

    kind: Literal["jwt"] = "jwt"
    client_id: str
    username: str
    key_file: Path
    audience: str = Field(
        default="https://login.salesforce.com", description="https://test.salesforce.com for a sandbox."
    )


Login = Annotated[AccessTokenLogin | ClientCredentialsLogin | JwtLogin, Field(discriminator="kind")]


class OrgSettings(Frozen):
    """One Salesforce org and how to reach it."""

    name: str = Field(default="default", description="The name used with --org and shown on every screen.")
    instance_url: str = Field(description="https://<MyDomain>.my.salesforce.com; http only for loopback addresses.")
    login: Login
    ca_file: Path | None = Field(default=None, description="PEM file of a private certificate authority.")
    api_version: str | None = Field(default=None, description="Pin such as '67.0'; default: the newest the org offers.")
    timeout: Wait = Field(
        default=timedelta(seconds=30), description="Longest silence of the org that one request bears."
    )


class SyncSettings(Frozen):
    """How often to poll and how much of the org's API allowance a day's polling may use."""

    poll_floor: Wait = Field(default=timedelta(seconds=60), description="Never poll more often than this.")
    poll_ceiling: Wait = Field(default=timedelta(minutes=15), description="Never poll less often than this.")
    api_share: float = Field(
        default=0.2, gt=0, le=1, description="Share of the org's daily API calls that polling may use."
    )
    lookback: Length = Field(
        default=timedelta(minutes=25),
        description="Re-read margin for objects whose latestDateCovered the org does not tell.",
    )
    describe_every: Length = Field(
        default=timedelta(days=1),
        description="How often to ask which objects and fields can be seen; it costs no extra call.",
    )
    evidence_every: Length = Field(
        default=timedelta(minutes=5),
        description="How often to look again at what failed runs depend on: flows, people, interviews.",
    )
    reconcile_every: Wait = Field(
        default=timedelta(days=1),
        le=timedelta(days=15),
        description="How often `watch` audits all Ids for what polling cannot see: records purged or no longer shared.",
    )
    reconcile_calls: int = Field(default=200, gt=0, description="API calls that one audit of Ids may use.")
    vanished_share: float = Field(
        default=0.2, gt=0, le=1, description="More of an object's rows gone at once is lost access, not deletion."
    )
    vanished_at_least: int = Field(
        default=20, ge=0, description="Fewer rows than this are never taken for lost access."
    )

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Self:
        if self.poll_floor > self.poll_ceiling:
            raise ValueError(f"poll_floor ({self.poll_floor}) is longer than poll_ceiling ({self.poll_ceiling})")
        return self
