"""Waiting for the Engine's events instead of asking again and again."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from maestro.host import stirring
from maestro.host.engine import Engine

LONG = 20.0  # seconds that nobody waits for here


class Teller:
    """An Engine that tells its events, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(path))
        self._door.listen()
        self.line: socket.socket
        self.asked = ""

    def listen(self) -> None:
        """Take one question, and say that events will follow."""
        self.line, _ = self._door.accept()
        self.asked = self.line.recv(4096).decode().split()[1]
        self.line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def close(self) -> None:
        """Be gone."""
        self._door.close()
        self.line.close()


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    found = Teller(tmp_path / "engine.sock")
    yield found
    found.close()


def test_an_event_ends_the_wait(teller: Teller, tmp_path: Path) -> None:
    threading.Thread(target=teller.listen).start()
    with stirring.of(Engine(str(tmp_path / "engine.sock")), ["b", "a"]) as wait:
        wait(LONG, 0)  # the answer itself
        asked = json.loads(parse_qs(urlsplit(teller.asked).query)["filters"][0])
        assert asked == {"type": ["container"], "container": ["a", "b"]}
        threading.Timer(0.1, lambda: teller.line.sendall(b"2\r\n{}\r\n")).start()
        began = time.monotonic()
        wait(LONG, 0)
        assert time.monotonic() - began < LONG / 2
        began = time.monotonic()
        wait(0.2, 0)
        assert time.monotonic() - began >= 0.2, "nothing more was told"


def test_without_events_it_waits_as_long_as_it_is_told(teller: Teller, tmp_path: Path) -> None:
    threading.Thread(target=teller.listen).start()
    engine = Engine(str(tmp_path / "engine.sock"))
    with stirring.of(engine, ["a"]) as wait:
        wait(LONG, 0)
        teller.line.shutdown(socket.SHUT_RDWR)
        began = time.monotonic()
        wait(LONG, 0)  # hears that the Engine hung up
        wait(LONG, 0.2)
        assert 0.2 <= time.monotonic() - began < LONG / 2
    with stirring.of(Engine(str(tmp_path / "none.sock")), ["a"]) as wait:
        began = time.monotonic()
        wait(LONG, 0.2)
        assert 0.2 <= time.monotonic() - began < LONG / 2
