"""How clients that insist on https://….salesforce.com reach an org on loopback, by their own documented means."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
from requests.adapters import HTTPAdapter


class ToLoopback(HTTPAdapter):
    """A requests adapter that sends every https URL to the plain port of the org instead."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self.origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Sends the request to the same path on the org."""
        parts = urlsplit(request.url or "")
        request.url = f"{self.origin}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, *args, **kwargs)


def session_to(origin: str) -> requests.Session:
    """A requests session all of whose https traffic goes to the org."""
    session = requests.Session()
    session.mount("https://", ToLoopback(origin))
    return session


class TransportToLoopback(httpx.AsyncBaseTransport):
    """An httpx transport that sends every URL to the plain port of the org instead."""

    def __init__(self, port: int) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends the request to the same path on the org."""
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()
