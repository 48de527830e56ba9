"""One thread that does blocking work in order, so that neither the database nor the org can hold up a key."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Lane:
    """A daemon thread and its queue. Unlike an executor's threads it never keeps the program from ending.

    Ending in the middle is safe: a sync commits rows and cursor together, a resume commits its intent before the call.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            job, future = self._jobs.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as problem:  # noqa: BLE001 - the asker gets it, whatever it is
                future.set_exception(problem)

    async def ask(self, job: Callable[[], Answer]) -> Answer:
        """Run `job` on the lane's thread; its answer or its exception comes back to the asking task.

        A question whose asker was cancelled while it waited is never put.
        """
        future: Future[Answer] = Future()
        self._jobs.put((job, future))
        return await asyncio.wrap_future(future)
