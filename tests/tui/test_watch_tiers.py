"""The watch as whoever gets its messages sees it: one per tier of time left, over a real webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fixtures.org import serve
from tests.mirrors import empty_mirror
from tests.tui.typed import Type, reprise

__all__ = ["reprise"]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a receiver, and the messages that it has got."""
    messages: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", messages
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_watch_tells_each_run_once_per_tier(
    reprise: Type, webhook: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first cycle sends one summary, the next nothing, and a deadline that moves into a new tier one message more."""
    url, messages = webhook
    with serve("monday") as org:
        settings = {
            "INSTANCE_URL": org.url,
            "ACCESS_TOKEN": org.access_token,
            "DATABASE": empty_mirror(tmp_path),
            "ALERTS_WEBHOOK_URL": url,
            "ALERTS_CONSOLE": "false",
        }
        for name, value in settings.items():
            monkeypatch.setenv(f"REPRISE_{name}", value)
        for _ in range(2):
            assert reprise("watch --once").code == 0
            assert len(messages) == 1

        doomed = reprise("runs --at-risk --limit 0 --json").document["runs"][0]
        org.world.advance(timedelta(seconds=doomed["seconds_left"] + 60))
        assert reprise("watch --once").code == 0
    lost = [message for message in messages[1:] if "lost" in json.dumps(message).lower()]
    assert any(doomed["id"] in json.dumps(message) for message in lost)
    assert len({message["id"] for message in messages}) == len(messages)
