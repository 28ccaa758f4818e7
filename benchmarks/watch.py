"""Asks an edge all the while which version answers, and tells when a change was over."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from typing import Self

PAUSE = 0.05  # seconds between two requests


class Watch:
    """Asks one port of this machine twenty times a second; used as a context.

    ``version`` reads the version from an answer (headers and body).
    """

    def __init__(
        self, port: int, path: str, host: str, version: Callable[[http.client.HTTPResponse], str]
    ) -> None:
        self.answers: list[tuple[float, str]] = []
        self._port, self._path, self._host, self._version = port, path, host, version
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)
        self._stop.set()
        self._thread.join()

    def changed(self, version: str) -> float:
        """When the last answer that was not ``version`` came; infinity if none was."""
        if not self.answers or self.answers[-1][1] != version:
            return float("inf")
        return max((at for at, found in self.answers if found != version), default=0.0)

    def _ask(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
                connection.request("GET", self._path, headers={"Host": self._host})
                found = self._version(connection.getresponse())
                connection.close()
            except (OSError, ValueError, http.client.HTTPException) as error:
                found = type(error).__name__
            self.answers.append((time.monotonic(), found))
