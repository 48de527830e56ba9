"""A database's URL as people may see it: whatever could be a password stays out, however the URL is misspelt."""

from __future__ import annotations

from urllib.parse import urlsplit

HIDDEN = "(not shown: it may hold a password)"


def shown(url: str) -> str:
    """The URL without its password and its options; HIDDEN where it cannot be told which part is the password."""
    if url.startswith(("sqlite:", "sqlite+")):
        return url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # what stands in the port's place may be the password of a URL whose host was forgotten
        return HIDDEN
    if "://" not in url or "@" in parts.path + parts.query + parts.fragment:
        return HIDDEN
    user = parts.username or ""
    password = "" if parts.password is None else ":***"
    at = "@" if "@" in parts.netloc else ""
    return (
        f"{parts.scheme}://{user}{password}{at}{parts.hostname or ''}{'' if port is None else f':{port}'}{parts.path}"
    )
