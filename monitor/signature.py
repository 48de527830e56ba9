"""Error texts for people, and the signature that makes failures of one kind one cause group."""

from __future__ import annotations

import hashlib
import re

_EMAIL = r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+"
_RECORD_ID = r"\b(?=\w{0,2}\d)[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?\b"  # every key prefix holds a digit
_ERROR_NUMBER = (
    r"(?:\(?\b(?:salesforce )?error (?:id|number)\b[:\s]*)?(?<![\w-])\d{6,}-\d{2,}\b(?!-)(?:\s*\(-?\d+\))?\)?"
)
_TIMESTAMP = (
    r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:Z|[+-]\d\d:?\d\d|UTC|GMT))?)?"
    r"|\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b(?:,?\s+\d{1,2}:\d\d(?::\d\d)?(?:\s?[AP]M)?)?"
)
_QUOTED = r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|“[^”]*”|‘[^’]*’"
_NUMBER = r"(?<!\w)[-+]?\d[\d.,:]*(?!\w)"

_LOOK_UP = "You can look up ExceptionCode values in the SOAP API Developer Guide."
_ATTEMPTED = re.compile(r"^The flow tried to (\w+) these records: (.+?)\. This error occurred: (.+)$")
_PREAMBLE = re.compile(r"^(?:An Apex error occurred: |The work item of step .+? can't be assigned to .+? because )")
_WHAT_WAS_TRIED = re.compile(r" \(it tried to \w+ .+\)$")
_NUMBERED = re.compile(_ERROR_NUMBER, re.IGNORECASE)
_PERSONAL = re.compile(f"(?P<mail>{_EMAIL})|(?P<id>{_RECORD_ID})")
_VARIABLE = (
    ("-", _NUMBERED, ""),
    ("-/.", re.compile(_TIMESTAMP), "‹time›"),
    ("@", re.compile(_EMAIL), "‹e-mail›"),
    ("\"'“‘", re.compile(_QUOTED), "‹value›"),
    ("0123456789", re.compile(_RECORD_ID), "‹id›"),
    ("0123456789", re.compile(_NUMBER), "‹number›"),
)
"""What differs from run to run: a text without any of the letters cannot hold it, which is quickly seen."""


def clean(text: str | None) -> str | None:
    """An error text on one line, the cause first, without what says nothing about it; None if nothing remains.

    Taken out: Salesforce's error number, and where to look up codes. Lists cut texts short, so what the flow tried to do
    goes behind why it failed.
    """
    if text is None:
        return None
    text = _NUMBERED.sub(" ", text) if "-" in text else text
    text = " ".join(text.replace(_LOOK_UP, "").split()).rstrip(" (:;,-")
    return _ATTEMPTED.sub(r"\3 (it tried to \1 \2)", text) or None


def headline(error: str) -> str:
    """The telling part of an error text, for places that show one line: what Salesforce puts around it is left out.

    Takes texts as Salesforce writes them, and as `clean` and `mask` leave them. The whole text stays wherever there is
    room for it.
    """
    text = clean(error) or error
    return _PREAMBLE.sub("", _WHAT_WAS_TRIED.sub("", text)) or text


def mask(text: str) -> str:
    """The text without e-mail addresses and record ids, which identify people and customers."""
    return _PERSONAL.sub(lambda found: "‹e-mail›" if found["mail"] else "‹id›", text)


def normalise(text: str) -> str:
    """What remains of an error text when everything that differs from run to run is taken out; lower case."""
    for letters, pattern, name in _VARIABLE:
        if any(letter in text for letter in letters):
            text = pattern.sub(name, text)
    return " ".join(text.lower().split())


def group_id(org_id: str, *parts: str | None) -> str:
    """The id of a cause group: ten hexadecimal digits that are the same for the same parts in any process.

    Parts: orchestration, stage, step, called flow, normalised error.
    """
    joined = "\x1f".join([org_id, *(part or "" for part in parts)])
    return hashlib.blake2s(joined.encode(), digest_size=5).hexdigest()
