"""Messages as a signed JSON POST, with the headers of the Standard Webhooks specification (standardwebhooks.com, 1.0)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import orjson
import requests
from pydantic import SecretStr

from monitor.channels import Message, Rejected, TryAgain

NAME = "webhook"

_TRANSIENT = frozenset({408, 425, 429})
_SECRET_PREFIX = "whsec_"


class WebhookChannel:
    """POSTs each message to one address. The address and the secret never appear in an error: both may be credentials."""

    name = NAME

    def __init__(self, url: SecretStr, secret: SecretStr | None, timeout: timedelta) -> None:
        self._url = url
        self._secret = secret
        self._timeout = timeout

    def send(self, message: Message, now: datetime) -> None:
        """POST once. 2xx is taken; 408, 425, 429, 5xx and no answer raise TryAgain; anything else raises Rejected."""
        content = orjson.dumps(message.body)
        try:
            reply = requests.post(
                self._url.get_secret_value(),
                data=content,
                headers=self._headers(message.id, content, now),
                timeout=self._timeout.total_seconds(),
                allow_redirects=False,  # a redirect could carry the message to somebody else
            )
        except requests.RequestException as problem:
            # Not the exception's own text: requests puts the whole address into it.
            raise TryAgain(f"The webhook gave no answer ({type(problem).__name__}).") from None
        if reply.ok and not reply.is_redirect:
            return
        if reply.status_code in _TRANSIENT or reply.status_code >= 500:
            raise TryAgain(
                f"The webhook answered HTTP {reply.status_code}.",
                after=retry_after(reply.headers.get("Retry-After"), now),
            )
        raise Rejected(
            f"The webhook refused the message with HTTP {reply.status_code}.",
            next_step="Put the webhook's address or secret right; `reprise config show` shows where they are set.",
        )

    def _headers(self, message_id: str, content: bytes, now: datetime) -> dict[str, str]:
        sent_at = str(int(now.timestamp()))
        headers = {"Content-Type": "application/json", "webhook-id": message_id, "webhook-timestamp": sent_at}
        if self._secret is not None:
            signed = b".".join((message_id.encode(), sent_at.encode(), content))
            digest = hmac.new(_key(self._secret.get_secret_value()), signed, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
        return headers


def _key(secret: str) -> bytes:
    """The specification writes keys as `whsec_` and base64; any other secret is used as it is."""
    if secret.startswith(_SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    return secret.encode()


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for, in either form of RFC 9110 section 10.2.3; None if it asks for none."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return timedelta(seconds=int(header))
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - now, timedelta())
