"""Everything we ask of one org: who we are, composite reads, queries, limits, and the one write.

Stands on simple-salesforce's `Salesforce.restful` with a session of ours below it: the library sets no timeout, no retry
and an unbounded re-login, so those are connector.org.session's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connector.errors import OrgUnreachable, PermissionDenied, SignInFailed
from connector.org import composite
from connector.org.composite import Subreply, Subrequest
from connector.org.session import OrgSession
from connector.settings import OrgSettings

VERSION = re.compile(r"\d+\.\d")
ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are signed in as, and where. `org_id` has 18 characters; `username` is None where the org does not say."""

    org_id: str
    user_id: str | None
    username: str | None
    instance_url: str
    api_version: str


class OrgClient:
    """One org's API. Signs in when first used; safe to keep for days."""

    def __init__(self, settings: OrgSettings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.settings = settings
        self._session = OrgSession(settings, clock)
        self._salesforce: Any = None
        self._identity: Identity | None = None

    @property
    def api_calls(self) -> int:
        """Calls sent so far that count against the org's allowance."""
        return self._session.api_calls

    @property
    def api_used(self) -> int | None:
        """Calls that everybody used in the last 24 hours, from the newest reply; None before the first."""
        return self._session.api_used

    @property
    def api_max(self) -> int | None:
        """Calls that the org allows in 24 hours, from the newest reply."""
        return self._session.api_max

    @property
    def clock_offset(self) -> timedelta:
        """The org's clock minus ours."""
        return self._session.clock_offset

    @property
    def reply_time(self) -> datetime | None:
        """The org's clock as its newest reply showed it, cut to the second."""
        return self._session.reply_time

    def now(self) -> datetime:
        """The org's present time."""
        return self._session.now()

    @property
    def identity(self) -> Identity:
        """Who we are; signs in if that has not happened yet."""
        return self._identity or self.sign_in()

    def sign_in(self) -> Identity:
        """Get a token, find out whose it is and which API version to speak. Costs no API call.

        Raises SignInFailed, OrgUnreachable or ConfigError.
        """
        from simple_salesforce.api import Salesforce  # 250 ms to import, so not before it is needed

        token = self._session.sign_in()
        version = self.settings.api_version or self._newest_version()
        self._identity = self._who(token.identity_url or "", token.value, version)
        self._salesforce = Salesforce(
            session_id=token.value,
            instance_url=self._session.origin,
            version=version,
            session=self._session,
            object_pairs_hook=None,
        )
        del self._salesforce.headers["X-PrettyPrint"]  # half of every reply would be blanks
        return self._identity

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()

    def get(self, path: str) -> Any:
        """One GET relative to /services/data/vNN.N/; the reply's JSON."""
        return self._api.restful(path)

    def composite(self, subrequests: Sequence[Subrequest]) -> list[Subreply]:
        """One API call for up to 25 GETs, 5 of them queries; the answers in the order asked."""
        document = composite.body(subrequests, f"/services/data/v{self.identity.api_version}")
        reply = self._api.restful("composite", method="POST", data=orjson.dumps(document), is_read=True)
        try:
            return composite.answers(subrequests, reply)
        except ValueError as strange:
            raise _unreadable("a composite request") from strange

    def query(self, soql: str) -> Iterator[Mapping[str, Any]]:
        """The records that a SELECT finds, page by page; one API call a page."""
        return self._paged("query", soql)

    def tooling_query(self, soql: str) -> Iterator[Mapping[str, Any]]:
        """The same for setup objects (Tooling API)."""
        return self._paged("tooling/query", soql)

    def rest_of(self, page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The records of a page and of those behind it; one API call for each further page."""
        yield from _checked_page(page)["records"]
        while not page["done"]:
            page = _checked_page(self._session.request("GET", f"{self._session.origin}{page['nextRecordsUrl']}").json())
            yield from page["records"]

    def update(self, records: Sequence[Mapping[str, Any]]) -> Any:
        """Update up to 200 records in one API call (REST API guide: sObject Collections). Sent once, never again."""
        document = {"allOrNone": False, "records": list(records)}
        return self._api.restful("composite/sobjects", method="PATCH", data=orjson.dumps(document))

    @property
    def _api(self) -> Any:
        if self._salesforce is None:
            self.sign_in()
        return self._salesforce

    def _paged(self, resource: str, soql: str) -> Iterator[Mapping[str, Any]]:
        yield from self.rest_of(self._api.restful(resource, params={"q": soql}))

    def _newest_version(self) -> str:
        offered = self._session.request("GET", f"{self._session.origin}/services/data").json()
        entries = [entry for entry in offered if isinstance(entry, Mapping)] if isinstance(offered, list) else []
        versions = [entry["version"] for entry in entries if VERSION.fullmatch(str(entry.get("version")))]
        if not versions:
            raise OrgUnreachable(
                f"{self.settings.instance_url} offers no API version, so it may not be a Salesforce org.",
                next_step="Check the instance URL.",
            )
        return str(max(versions, key=float))

    def _who(self, identity_url: str, token: str, version: str) -> Identity:
        """From userinfo where the token's scope allows it, else from the Ids that the token came with."""
        try:
            info = self._session.request("GET", f"{self._session.origin}/services/oauth2/userinfo").json()
        except PermissionDenied:
            info = {}
        if not isinstance(info, Mapping):
            raise _unreadable("who the user is")
        org_from_url, _, user_from_url = identity_url.partition("/id/")[2].partition("/")
        org_id = str(info.get("organization_id") or org_from_url or token.partition("!")[0])
        if not org_id.startswith("00D") or len(org_id) not in {15, 18}:
            raise SignInFailed(
                "The access token does not tell which org it belongs to.",
                next_step="Use a token of the form 00D...!..., or give the app the scope `openid`.",
            )
        return Identity(
            org_id=long_id(org_id),
            user_id=info.get("user_id") or user_from_url or None,
            username=info.get("preferred_username"),
            instance_url=self.settings.instance_url.rstrip("/"),
            api_version=version,
        )


def _checked_page(page: Any) -> Mapping[str, Any]:
    if not (isinstance(page, Mapping) and composite.is_page(page)):
        raise _unreadable("a query")
    return page


def _unreadable(question: str) -> OrgUnreachable:
    return OrgUnreachable(
        f"The org's answer to {question} has an unknown shape.",
        meaning="The mirror stays as old as it is; deadlines keep running.",
        next_step="Check the instance URL, and what stands between here and the org (a proxy, a portal), then try again.",
    )


def long_id(record_id: str) -> str:
    """The 18-character form of an Id: the three letters at its end say which of the first 15 are capitals."""
    if len(record_id) != 15:
        return record_id
    groups = (record_id[start : start + 5] for start in (0, 5, 10))
    return record_id + "".join(ID_ALPHABET[sum(1 << n for n, c in enumerate(group) if c.isupper())] for group in groups)
