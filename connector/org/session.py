"""HTTP to one org: a timeout on every request, bounded retries for reads, one re-login per expiry, nothing of it for writes.

Counts the API calls and reads from every reply how much of the allowance is used and what time the org thinks it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import stamina
from requests.adapters import HTTPAdapter

from connector.errors import ApiLimitReached, ConfigError, Failure, OrgUnreachable, SignInFailed
from connector.org.auth import GivenToken, grant_for
from connector.org.replies import (
    SessionExpired,
    Transient,
    code_and_message,
    header_moment,
    limit_usage,
    parsed,
    refusal,
)
from connector.settings import LOOPBACK, OrgSettings

T = TypeVar("T")

ATTEMPTS = 4
RETRY_FOR = timedelta(seconds=90)  # no new attempt starts after this
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=0.5), timedelta(seconds=15)
CONNECT_TIMEOUT = 10.0  # seconds
CLOCK_TOLERANCE = 2.0  # seconds; the Date header counts whole seconds, so less is not a difference

# Retries are reported in the outcome; without a handler of its own this logger would write to stderr.
logging.getLogger("stamina").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and whose it is, as far as the token endpoint said."""

    value: str
    identity_url: str = ""  # .../id/00D.../005...


class Reply(requests.Response):
    """A response whose JSON is parsed once, and so that its text can be stored."""

    _document: Any = None

    def json(self, **_kwargs: Any) -> Any:
        """The body as Python values. Raises ValueError where it is not JSON."""
        if self._document is None:
            self._document = parsed(self.content)
        return self._document


class PlainLoopback(HTTPAdapter):
    """Carries https://127.0.0.1 requests over plain http: the client library writes https into every URL."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send, without a proxy: loopback is this machine."""
        request.url = (request.url or "").replace("https://", "http://", 1)
        kwargs["proxies"] = {}
        return super().send(request, *args, **kwargs)


class OrgSession(requests.Session):
    """A requests session that belongs to one org and obeys the rules above."""

    def __init__(self, settings: OrgSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self.origin = _origin(settings)
        self._address = settings.instance_url
        self.api_calls = 0
        self.api_used: int | None = None
        self.api_max: int | None = None
        self.reply_time: datetime | None = None  # Date header of the newest reply
        self._skew = timedelta(0)
        self._clock = clock
        self._grant = grant_for(settings.login)
        self._token: Token | None = None
        self._timeout = (CONNECT_TIMEOUT, settings.timeout.total_seconds())
        self._ca_file = str(settings.ca_file) if settings.ca_file else None
        if settings.instance_url.startswith("http://"):
            self.mount(self.origin, PlainLoopback())
        self.auth = self._bearer

    @property
    def clock_offset(self) -> timedelta:
        """The org's clock minus ours; zero where they agree as far as can be told."""
        return self._skew if abs(self._skew.total_seconds()) >= CLOCK_TOLERANCE else timedelta(0)

    def now(self) -> datetime:
        """The org's present time, as far as its newest reply tells."""
        return self._clock() + self.clock_offset

    def sign_in(self) -> Token:
        """Get an access token (a given one is taken as it is). Raises SignInFailed where the org says no."""
        if isinstance(self._grant, GivenToken):
            self._token = Token(self._grant.token)
        else:
            form = self._grant.token_form()
            self._token = self._persistently(lambda: self._ask_for_token(form))
        return self._token

    def request(
        self, method: str | bytes, url: str | bytes, *args: Any, is_read: bool | None = None, **kwargs: Any
    ) -> requests.Response:
        """Send one request. A read (GET, or what `is_read` says) survives hiccups and an expired session; a write is sent once.

        Raises OrgUnreachable, SignInFailed, PermissionDenied, ApiLimitReached or OrgRefused; what returns is a success.
        """
        if is_read if is_read is not None else method == "GET":
            return self._persistently(lambda: self._renewing(method, url, *args, **kwargs))
        return self._checked(method, url, *args, **kwargs)

    def _bearer(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request

    def _ask_for_token(self, form: Mapping[str, str]) -> Token:
        reply = self._exchange("POST", f"{self.origin}/services/oauth2/token", data=form)
        document = _document(reply)
        value = document.get("access_token") if isinstance(document, dict) else None
        if not reply.ok or not isinstance(value, str):
            raise _sign_in_failed(reply.status_code, document)
        return Token(value, str(document.get("id") or ""))

    def _persistently(self, send: Callable[[], T]) -> T:
        context = stamina.retry_context(
            on=Transient,
            attempts=ATTEMPTS,
            timeout=RETRY_FOR,
            wait_initial=FIRST_WAIT,
            wait_max=LONGEST_WAIT,
            wait_jitter=1.0,
        )
        for attempt in context:
            with attempt:
                return send()
        raise AssertionError("a retry context either returns or raises")

    def _renewing(self, *args: Any, **kwargs: Any) -> Reply:
        """One exchange, and once more after a re-login if the session had expired."""
        try:
            return self._checked(*args, **kwargs)
        except SessionExpired as expired:
            if isinstance(self._grant, GivenToken):
                raise _token_expired() from expired
        self.sign_in()
        try:
            return self._checked(*args, **kwargs)
        except SessionExpired as still:
            raise _fresh_token_refused(still) from still

    def _checked(self, *args: Any, **kwargs: Any) -> Reply:
        reply = self._exchange(*args, **kwargs)
        document = _document(reply)
        problem = refusal(reply.status_code, document)
        if problem is not None:
            raise problem
        if document is None and reply.status_code != requests.codes.no_content:
            what = reply.headers.get("Content-Type") or "something" if reply.content else "nothing"
            raise Transient(
                f"The address answers with {what} instead of JSON.",
                next_step="Check the instance URL, and what stands between here and the org (a proxy, a portal).",
            )
        return reply

    def _exchange(self, method: str, url: str, *args: Any, **kwargs: Any) -> Reply:
        """One request on the wire and the notes taken from its reply."""
        if "/services/data/v" in url:
            self.api_calls += 1
        kwargs = {"timeout": self._timeout, "verify": self._ca_file, "allow_redirects": False} | kwargs
        try:
            reply = super().request(method, url, *args, **kwargs)
        except requests.exceptions.SSLError as untrusted:
            raise _not_trusted(self._address, untrusted) from untrusted
        except requests.RequestException as lost:
            raise _lost(self._address, lost) from lost
        reply.__class__ = Reply  # the response object is made deep inside requests; same layout, one more method
        assert isinstance(reply, Reply)
        self._take_notes(reply)
        return reply

    def _take_notes(self, reply: Reply) -> None:
        usage = limit_usage(reply.headers.get("Sforce-Limit-Info", ""))
        if usage is not None:
            self.api_used, self.api_max = usage
        shown = header_moment(reply.headers.get("Date", ""))
        if shown is not None:
            self.reply_time = shown
            # The header is cut to whole seconds, so on average it is half a second behind.
            self._skew = self.reply_time + timedelta(seconds=0.5) - self._clock()


def _origin(settings: OrgSettings) -> str:
    """https://host[:port], which the client library insists on. Raises ConfigError for an address we do not talk to."""
    parts = urlsplit(settings.instance_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"{settings.instance_url!r} is not an address of an org.",
            next_step="Set REPRISE_INSTANCE_URL to https://<MyDomain>.my.salesforce.com.",
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError(
            f"{settings.instance_url} would send the access token in clear.",
            next_step="Use https; plain http is for this machine's own addresses only.",
        )
    return f"https://{parts.netloc}"


def _document(reply: Reply) -> Any:
    """The reply's JSON, or None where it is something else."""
    try:
        return reply.json() if reply.content else None
    except ValueError:
        return None


def _sign_in_failed(status: int, document: Any) -> Failure:
    problem = refusal(status, document)
    if isinstance(problem, ApiLimitReached):
        return problem
    if isinstance(problem, Transient) or document is None:
        return Transient(
            f"The org's sign-in cannot be reached just now (HTTP {status}{'' if status >= 300 else ' with a page for people'}).",
            meaning="The mirror stays as old as it is; deadlines keep running.",
            next_step="Check the instance URL and https://status.salesforce.com, then try again.",
        )
    code, message = code_and_message(document)
    return SignInFailed(
        f"The org refused the sign-in: {(message or code or f'HTTP {status}').rstrip('.')}.",
        meaning="Nothing was read.",
        next_step="Check the client id, the secret or key, and that the app is allowed for its user in this org.",
    )


def _token_expired() -> SignInFailed:
    return SignInFailed(
        "The access token is expired or wrong.",
        meaning="Nothing more can be read with it.",
        next_step="Get a new one with `sf org auth show-access-token`, or sign in with client credentials, which renew.",
    )


def _fresh_token_refused(refused: SessionExpired) -> SignInFailed:
    return SignInFailed(
        f"The org gave a new token and refuses it ({refused.code or 'HTTP 401'}).",
        meaning="Nothing more can be read.",
        next_step="Check the app's session policy and IP restrictions in this org.",
    )


def _not_trusted(address: str, problem: Exception) -> OrgUnreachable:
    return OrgUnreachable(
        f"The certificate of {address} is not trusted ({problem}).",
        next_step="If the org stands behind a private certificate authority, name its PEM file in REPRISE_CA_FILE.",
    )


def _lost(address: str, problem: Exception) -> Transient:
    return Transient(
        f"{address} gave no complete answer ({type(problem).__name__}).",
        meaning="The mirror stays as old as it is.",
        next_step="Check the network and https://status.salesforce.com, then try again.",
    )
