"""The maintenance page over real connections, and clients that take their time."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from maestro.host import page


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(page, "TIME", 0.5)
    monkeypatch.setattr(page, "LEFT", 0.3)
    monkeypatch.setattr(page, "CONNECTIONS", 20)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        task = asyncio.ensure_future(page.Server("127.0.0.1", number).serve())
        await over.wait()
        task.cancel()
        # Those that a client left may end.
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=2)

    def run() -> None:
        loop.run_until_complete(serve())

    thread = threading.Thread(target=run)
    thread.start()
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 1):
            break
        time.sleep(0.02)
    yield number
    loop.call_soon_threadsafe(over.set)
    thread.join(5)
    loop.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_page(port: int, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    # Larger than what the kernel keeps: it must not take the answer back.
    connection.request(method, "/any?x=1", body=b"x" * 3_000_000 if method == "POST" else None)
    answer = connection.getresponse()
    body = answer.read().decode()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"].startswith("text/html")
    assert ("Under maintenance" in body) == (method != "HEAD")
    assert "Python" not in str(answer.headers)


def test_slow_clients_are_let_go_and_keep_nobody_out(port: int) -> None:
    before = threading.active_count()
    slow = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(60)]
    for item in slow:
        with contextlib.suppress(OSError):
            item.sendall(b"GET / HTTP/1.1\r\n")
    time.sleep(0.2)
    assert threading.active_count() == before, "a connection is no thread"
    for _ in range(10):
        # One byte now and then does not keep a connection.
        time.sleep(0.1)
        for item in slow:
            with contextlib.suppress(OSError):
                item.sendall(b"X")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", "/")
    assert connection.getresponse().status == 503
    for item in slow:
        with contextlib.suppress(OSError):
            assert item.recv(10) == b""
        item.close()


def test_a_head_without_end(port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), 5) as greedy,
        contextlib.suppress(ConnectionError),
    ):
        greedy.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * (4 * page.HEAD_BYTES))
        assert greedy.recv(10) == b""
