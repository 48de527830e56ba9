"""Text that came from the org, made harmless to look at. Pure.

It is untrusted: a record name must neither move the cursor, nor reverse the line, nor look like a second line.
"""

from __future__ import annotations

import unicodedata

# Zero-width joiners are letters' business (Persian, Indic, emoji); every other invisible character is somebody's trick.
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """`text` with control, direction and other invisible characters made visible as `�`, and every blank a plain one."""
    if text.isprintable():  # then it holds no blank but plain ones, and nothing invisible
        return text
    return "".join(_visible(character) for character in text)


def plain(text: str) -> str:
    """`visible`, with runs of blanks and line ends as one blank: what the org says, as part of a line of ours."""
    return " ".join(visible(text).split())


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in _JOINERS:
        return "�"
    return character
