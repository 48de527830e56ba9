"""What the monitor must be told. Frozen values; nothing here reads a file or the environment (tui/settings.py does)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from connector.settings import LOOPBACK, Frozen, Length, Wait


class MonitorSettings(Frozen):
    """How runs are judged and shown."""

    mask: bool = Field(default=True, description="Hide e-mail addresses and record ids in error texts.")
    data_max_age: Length = Field(
        default=timedelta(minutes=30), description="Older data no longer says whether a run can be resumed now."
    )
    safety_margin: Length = Field(
        default=timedelta(days=1),
        description="This close to the deadline a verdict is inferred, not proven: Salesforce says '14 days' and not "
        "whether they count by the hour or by the day.",
    )
    suspended_after: Length = Field(
        default=timedelta(days=14), description="A run suspended for longer than this counts as forgotten."
    )
    stuck_factor: float = Field(
        default=2.0, ge=1, description="A step is stuck after this many times the 95th percentile of its own history."
    )
    stuck_floor: Length = Field(default=timedelta(hours=1), description="No step counts as stuck before this.")
    stuck_default: Length = Field(
        default=timedelta(days=30),
        description="When a step counts as stuck while there is too little history to know better.",
    )
    failures_in_a_row: int = Field(
        default=3, ge=2, description="A run that failed this often counts as failing again and again."
    )


class ResumeSettings(Frozen):
    """Whether Reprise may write to the org, what it writes, and how long it looks for proof."""

    allow_writes: bool = Field(
        default=False, description="Reading is the default: without this no resume is ever sent."
    )
    target_status: str = Field(
        default="InProgress",
        description="The value written to Status to resume a run. Salesforce documents the resume only in its own "
        "screens, so the value is a setting and each org has to prove it.",
    )
    chunk: int = Field(default=200, ge=1, le=200, description="Runs per call; sObject Collections take at most 200.")
    plan_lifetime: Wait = Field(default=timedelta(minutes=15), description="An older plan is refused: runs move on.")
    first_look_after: Wait = Field(
        default=timedelta(seconds=2),
        description="Wait before the first look for proof; each further wait is twice as long.",
    )
    longest_wait: Wait = Field(default=timedelta(minutes=1), description="Longest wait between two looks for proof.")
    patience: Length = Field(
        default=timedelta(minutes=2),
        description="How long a resume command looks for proof before it leaves that to `watch`.",
    )
    proof_within: Wait = Field(
        default=timedelta(minutes=15),
        description="An attempt without proof for this long is given up, and the run can be resumed by others again.",
    )


class AlertSettings(Frozen):
    """Who is told of deadlines, and how stubbornly."""

    console: bool = Field(default=True, description="Print messages where `reprise watch` runs.")
    webhook_url: SecretStr | None = Field(
        default=None,
        description="Gets every message as a JSON POST; http only for loopback addresses. Often a credential itself, so "
        "it is never shown.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signs each POST with HMAC-SHA256, as in the Standard Webhooks specification."
    )
    webhook_timeout: Wait = Field(default=timedelta(seconds=15), description="Longest silence of the receiver.")
    first_retry_after: Wait = Field(
        default=timedelta(seconds=30),
        description="Wait after the first failed delivery; doubled after each further one.",
    )
    longest_retry_after: Wait = Field(default=timedelta(minutes=15), description="Longest wait between two deliveries.")

    @field_validator("webhook_url")
    @classmethod
    def _can_be_sent_to(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse an address that no message could be sent to, without showing it."""
        if url is None:
            return None
        try:
            parts = urlsplit(url.get_secret_value())
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port or an IPv6 address that is none
            usable = False
        if not usable:
            raise ValueError("this is not a URL such as https://hooks.example.com/reprise")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("plain http is accepted for this machine's own addresses only; write https")
        return url
