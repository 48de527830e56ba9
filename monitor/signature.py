"""Error texts for people, and the signature that makes failures of one kind one cause group."""

from __future__ import annotations

import hashlib
import re

_SPACE = re.compile(r"\s+")
_EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_RECORD_ID = re.compile(r"\b(?=\w{0,2}\d)[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?\b")  # every key prefix holds a digit
_ERROR_NUMBER = re.compile(
    r"(?:\(?\b(?:salesforce )?error (?:id|number)\b[:\s]*)?\b\d{6,}-\d{2,}\b(?:\s*\(-?\d+\))?\)?", re.IGNORECASE
)
_TIMESTAMP = re.compile(
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:Z|[+-]\d\d:?\d\d|UTC|GMT))?)?"
    r"|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b(?:,?\s+\d{1,2}:\d\d(?::\d\d)?(?:\s?[AP]M)?)?"
)
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”|‘[^’]*’")
_NUMBER = re.compile(r"(?<!\w)[-+]?\d[\d.,:]*(?!\w)")
_VARIABLE = (
    (_ERROR_NUMBER, ""),
    (_TIMESTAMP, "‹time›"),
    (_EMAIL, "‹e-mail›"),
    (_QUOTED, "‹value›"),
    (_RECORD_ID, "‹id›"),
    (_NUMBER, "‹number›"),
)


def clean(text: str | None) -> str | None:
    """An error text on one line without Salesforce's error number, which says nothing about the cause; None if empty."""
    if text is None:
        return None
    text = _SPACE.sub(" ", _ERROR_NUMBER.sub(" ", text)).strip()
    return text.rstrip(" (:;,-") or None


def mask(text: str) -> str:
    """The text without e-mail addresses and record ids, which identify people and customers."""
    return _RECORD_ID.sub("‹id›", _EMAIL.sub("‹e-mail›", text))


def normalise(text: str) -> str:
    """What remains of an error text when everything that differs from run to run is taken out; lower case."""
    for pattern, name in _VARIABLE:
        text = pattern.sub(name, text)
    return _SPACE.sub(" ", text).strip().lower()


def group_id(org_id: str, *parts: str | None) -> str:
    """The id of a cause group: ten hexadecimal digits that are the same for the same parts in any process.

    Parts: orchestration, stage, step, called flow, normalised error.
    """
    joined = "\x1f".join([org_id, *(part or "" for part in parts)])
    return hashlib.blake2s(joined.encode(), digest_size=5).hexdigest()
