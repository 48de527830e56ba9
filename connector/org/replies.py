"""What a reply of the org means: usable, worth another try, an expired session, or a refusal with its reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import from_json

from connector.errors import ApiLimitReached, OrgRefused, OrgUnreachable, PermissionDenied, RepriseError

# 420 is Salesforce's Edge under load (REST API guide: Status Codes and Error Responses).
TRANSIENT_STATUSES = frozenset({420, 429, 500, 502, 503, 504})
TRANSIENT_CODES = frozenset({"QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION"})
LIMIT_CODE = "REQUEST_LIMIT_EXCEEDED"
# The other limits of that code, such as ConcurrentPerOrgLongTxn, pass within seconds.
DAILY_LIMIT = "TotalRequests"


DIGITS = re.compile("[0-9]{1,9}")  # a billion calls a day are more than any org is allowed
YEARS = range(1700, 4001)  # SOQL and SOSL Reference: Date Formats, "Minimum and Maximum Dates"

# What follows a backslash in JSON text: a character outside the 16-bit plane as a pair of surrogates; NUL or half a pair;
# anything else.
ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<unstorable>u0000|u[dD][89a-fA-F]..)|.)", re.DOTALL)
NUL = b"\\u0000"


class Transient(OrgUnreachable):
    """No usable answer this time; a read may be tried again."""


class SessionExpired(OrgRefused):
    """401: the access token is no longer (or was never) valid."""


def refusal(status: int, document: Any) -> RepriseError | None:
    """The error that a reply stands for, None when it is a success. `document` is its JSON, None where it had none."""
    if status < 300 or status == 304:
        return None
    code, message = code_and_message(document)
    said = f"{code}: {message}" if code else f"HTTP {status}"
    if status == 401:
        return SessionExpired(f"The org does not accept the session ({said}).", code=code, status=status)
    if code == LIMIT_CODE and DAILY_LIMIT in message:
        return ApiLimitReached(
            f"The org's API calls for the last 24 hours are used up ({said}).",
            meaning="The mirror gets no newer until calls are free again; deadlines keep running.",
            next_step="See who spends them under Setup, API Usage; lower REPRISE_SYNC_API_SHARE if it is Reprise.",
        )
    if status in TRANSIENT_STATUSES or code in TRANSIENT_CODES or code == LIMIT_CODE:
        return Transient(
            f"The org cannot answer just now ({said}).",
            meaning="The mirror stays as old as it is; deadlines keep running.",
            next_step="Look at https://status.salesforce.com and try again in a few minutes.",
        )
    if 300 <= status < 400:
        return OrgUnreachable(
            f"The address answers with a redirect (HTTP {status}), so it is not the org's API.",
            next_step="Set the instance URL to https://<MyDomain>.my.salesforce.com.",
        )
    if status == 403:
        return PermissionDenied(
            f"The org refuses this user ({said}).",
            meaning="What this user may not see cannot be mirrored.",
            next_step="Give the integration user API Enabled, and View All Data or sharing of the orchestration objects.",
        )
    if document is None:
        return OrgUnreachable(
            f"The address answers HTTP {status} and no JSON, so it may not be a Salesforce org.",
            next_step="Check the instance URL.",
        )
    return OrgRefused(f"The org refused the request ({said}).", code=code, status=status)


def code_and_message(document: Any) -> tuple[str, str]:
    """Salesforce's errorCode and message out of an error body; empty where it has another shape."""
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, Mapping):
        return "", ""
    code = first.get("errorCode") or first.get("statusCode") or first.get("error") or ""
    return str(code), str(first.get("message") or first.get("error_description") or "")


def parsed(content: bytes) -> Any:
    """A reply's JSON; values that repeat share one string, which halves a page. Raises ValueError where it is something else.

    NUL, which PostgreSQL's text cannot hold, half a surrogate pair and bytes that are no UTF-8 become U+FFFD: in a name or a
    comment they are harmless, and their record may be a run that must be seen.
    """
    if NUL not in content:
        try:
            return from_json(content)
        except ValueError:
            pass
    return from_json(ESCAPE.sub(_storable, content.decode(errors="replace")))


def _storable(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape["unstorable"] else escape[0]


def moment(text: Any) -> datetime | None:
    """A moment of Salesforce's JSON, in UTC; None where it is something else."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found.astimezone(UTC) if found.tzinfo and found.year in YEARS else None


def header_moment(header: str) -> datetime | None:
    """The moment of a Date header, in UTC; None where it is something else."""
    try:
        found = parsedate_to_datetime(header)
    except ValueError:
        return None
    if found.year not in YEARS:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)  # -0000 (RFC 5322) has none


def limit_usage(header: str) -> tuple[int, int] | None:
    """(used, allowed) out of `Sforce-Limit-Info: api-usage=18/5000; ...`; other keys come and go (REST API guide)."""
    for part in header.replace(",", ";").split(";"):
        key, _, value = part.strip().partition("=")
        used, _, allowed = value.partition("/")
        if key == "api-usage" and DIGITS.fullmatch(used) and DIGITS.fullmatch(allowed):
            return int(used), int(allowed)
    return None
