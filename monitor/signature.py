"""Error texts for people, and the signature that makes failures of one kind one cause group."""

from __future__ import annotations

import hashlib
import re

_SPACE = re.compile(r"\s+")
_EMAIL = r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+"
_RECORD_ID = r"\b(?=\w{0,2}\d)[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?\b"  # every key prefix holds a digit
_ERROR_NUMBER = r"(?:\(?\b(?:salesforce )?error (?:id|number)\b[:\s]*)?\b\d{6,}-\d{2,}\b(?:\s*\(-?\d+\))?\)?"
_TIMESTAMP = (
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:Z|[+-]\d\d:?\d\d|UTC|GMT))?)?"
    r"|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b(?:,?\s+\d{1,2}:\d\d(?::\d\d)?(?:\s?[AP]M)?)?"
)
_QUOTED = r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”|‘[^’]*’"
_NUMBER = r"(?<!\w)[-+]?\d[\d.,:]*(?!\w)"

_LOOK_UP = re.compile(r"You can look up ExceptionCode values in the SOAP API Developer Guide\.?")
_ATTEMPTED = re.compile(r"^The flow tried to (\w+) these records: (.+?)\. This error occurred: (.+)$")
_NUMBERED = re.compile(_ERROR_NUMBER, re.IGNORECASE)
_PERSONAL = re.compile(f"(?P<mail>{_EMAIL})|(?P<id>{_RECORD_ID})")
_VARIABLE = re.compile(
    f"(?P<error>(?i:{_ERROR_NUMBER}))|(?P<time>{_TIMESTAMP})|(?P<mail>{_EMAIL})|(?P<value>{_QUOTED})"
    f"|(?P<id>{_RECORD_ID})|(?P<number>{_NUMBER})"
)
_NAMES = {
    "error": "",
    "time": "‹time›",
    "mail": "‹e-mail›",
    "value": "‹value›",
    "id": "‹id›",
    "number": "‹number›",
}


def clean(text: str | None) -> str | None:
    """An error text on one line, the cause first, without what says nothing about it; None if nothing remains.

    Taken out: Salesforce's error number, and where to look up codes. Lists cut texts short, so what the flow tried to do
    goes behind why it failed.
    """
    if text is None:
        return None
    text = _SPACE.sub(" ", _LOOK_UP.sub(" ", _NUMBERED.sub(" ", text))).strip().rstrip(" (:;,-")
    return _ATTEMPTED.sub(r"\3 (it tried to \1 \2)", text) or None


def mask(text: str) -> str:
    """The text without e-mail addresses and record ids, which identify people and customers."""
    return _PERSONAL.sub(_name, text)


def normalise(text: str) -> str:
    """What remains of an error text when everything that differs from run to run is taken out; lower case."""
    return _SPACE.sub(" ", _VARIABLE.sub(_name, text)).strip().lower()


def group_id(org_id: str, *parts: str | None) -> str:
    """The id of a cause group: ten hexadecimal digits that are the same for the same parts in any process.

    Parts: orchestration, stage, step, called flow, normalised error.
    """
    joined = "\x1f".join([org_id, *(part or "" for part in parts)])
    return hashlib.blake2s(joined.encode(), digest_size=5).hexdigest()


def _name(found: re.Match[str]) -> str:
    return _NAMES[found.lastgroup or ""]
