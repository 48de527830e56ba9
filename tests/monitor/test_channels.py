"""Channels: what goes out, what is signed, and which failures are worth another try."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import requests
import responses
from pydantic import SecretStr

from monitor.channels import Message, Rejected, TryAgain
from monitor.channels.console import ConsoleChannel
from monitor.channels.webhook import WebhookChannel, retry_after

URL = "http://127.0.0.1:9/hooks/a-secret-path"
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MESSAGE = Message("6f1c", "24 h", "[24 h] a title", "the whole text", {"id": "6f1c", "text": "the whole text"})


def webhook(secret: str | None = None) -> WebhookChannel:
    """A webhook to nowhere."""
    return WebhookChannel(SecretStr(URL), SecretStr(secret) if secret else None, timedelta(seconds=1))


@responses.activate
def test_a_webhook_posts_the_document_with_a_stable_id() -> None:
    """The body is the message's JSON, and its id lets a receiver drop a repetition."""
    responses.post(URL, status=202)
    webhook().send(MESSAGE, NOW)
    request = responses.calls[0].request
    assert orjson.loads(request.body or b"") == MESSAGE.body
    assert request.headers["webhook-id"] == "6f1c"
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize(
    ("secret", "key"),
    [("plain words", b"plain words"), ("whsec_" + base64.b64encode(b"\x00\xff raw").decode(), b"\x00\xff raw")],
)
@responses.activate
def test_a_secret_signs_id_time_and_body(secret: str, key: bytes) -> None:
    """The signature is the one of Standard Webhooks 1.0, so that receivers can check it with any of its libraries."""
    responses.post(URL)
    webhook(secret).send(MESSAGE, NOW)
    request = responses.calls[0].request
    signed = f"6f1c.{int(NOW.timestamp())}.".encode() + orjson.dumps(MESSAGE.body)
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@responses.activate
def test_a_passing_trouble_is_worth_another_try(status: int) -> None:
    """Time-outs, rate limits and server errors may be gone next time."""
    responses.post(URL, status=status)
    with pytest.raises(TryAgain, match=str(status)):
        webhook().send(MESSAGE, NOW)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 410, 413])
@responses.activate
def test_a_lasting_trouble_is_not(status: int) -> None:
    """A wrong address, key or body stays wrong; a redirect is not followed."""
    responses.post(URL, status=status, headers={"Location": "http://127.0.0.1:9/elsewhere"})
    with pytest.raises(Rejected, match=str(status)):
        webhook().send(MESSAGE, NOW)
    assert len(responses.calls) == 1


@responses.activate
def test_an_address_never_shows_in_an_error() -> None:
    """The path of a webhook is often its password, and network errors print whole addresses."""
    responses.post(URL, body=requests.ConnectionError(f"cannot reach {URL}"))
    with pytest.raises(TryAgain) as caught:
        webhook().send(MESSAGE, NOW)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("120", timedelta(minutes=2)),
        ("Mon, 02 Nov 2026 09:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 02 Nov 2026 08:00:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
    ],
)
def test_both_forms_of_retry_after_are_understood(header: str | None, wait: timedelta | None) -> None:
    """Seconds or a date (RFC 9110, 10.2.3); nonsense asks for nothing."""
    assert retry_after(header, NOW) == wait


def test_the_console_writes_the_text_and_the_id() -> None:
    """A person sees the text; the id tells a repetition."""
    written: list[str] = []
    ConsoleChannel(written.append).send(MESSAGE, NOW)
    assert written == ["the whole text\n(message 6f1c)\n\n"]


def test_a_broken_console_is_worth_another_try() -> None:
    """A closed pipe loses nothing: the message stays in the outbox."""

    def broken(text: str) -> None:
        raise BrokenPipeError(text)

    with pytest.raises(TryAgain):
        ConsoleChannel(broken).send(MESSAGE, NOW)
