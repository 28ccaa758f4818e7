"""The load generator sees every way in which a request can fail."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import generator

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: v1\r\n\r\nok"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"
PAGE = generator.Kind("page", 100, "/", scheme="http")


async def failures(
    answers: list[bytes | None], kind: generator.Kind, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """What goes wrong when a server gives ``answers`` in turn; None closes the connection."""
    given = iter(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError), contextlib.closing(writer):
            while await reader.readuntil(b"\r\n\r\n"):
                answer = next(given, GOOD)
                writer.write(answer or b"")
                if answer in (None, CUT):
                    break

    monkeypatch.setattr(generator.ssl, "create_default_context", lambda **_: False)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    edges = [generator.Edge("host", url, url)]
    load = generator.Load(edges, "relay.test", Path("none"), (kind,))
    report = await load.run(rate=20, seconds=len(answers) / 20)
    server.close()
    assert report.requests == len(answers)
    assert json.loads(json.dumps(dataclasses.asdict(report)))["requests"] == report.requests
    return [str(failure["what"]) for failure in report.failures]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([GOOD, GOOD, GOOD], []),
        ([GOOD, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"], ["status 502"]),
        ([GOOD, b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n"], ["status 429"]),
        ([GOOD, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], ["status 404"]),
        # A kept connection that is closed on a request: the library asks again without a word.
        ([GOOD, None], ["broke before an answer"]),
        ([CUT], ["ContentLengthError"]),
        ([None, None], ["ServerDisconnected"]),
    ],
)
def test_a_failure_is_counted(
    answers: list[bytes | None], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = asyncio.run(failures(answers, PAGE, monkeypatch))
    assert len(found) == len(said), found
    assert all(word in text for word, text in zip(said, found, strict=True)), found


def test_a_late_answer_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "TIMEOUT", 0.3)
    assert asyncio.run(failures([b""], PAGE, monkeypatch)) == ["no answer within 0 s"]


def test_a_refused_connection_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator.ssl, "create_default_context", lambda **_: False)
    url = "http://127.0.0.1:1"
    edges = [generator.Edge("host", url, url)]
    load = generator.Load(edges, "relay.test", Path("none"), (PAGE,))
    report = asyncio.run(load.run(rate=20, seconds=0.1))
    assert report.requests == 2
    assert all("Cannot connect" in str(item["what"]) for item in report.failures)
    assert len(report.failures) == 2


def test_an_upload_that_does_not_arrive_whole_is_a_failure() -> None:
    upload = next(kind for kind in generator.RELAY if kind.upload)
    whole = json.dumps({"received": generator.UPLOAD}).encode()
    assert generator.wrong(upload, 200, whole) == ""
    assert "did not arrive whole" in generator.wrong(upload, 200, b'{"received": 3}')


@pytest.mark.parametrize("stack", generator.STACKS)
def test_the_mix_is_the_same_each_time_and_has_all_kinds(stack: str) -> None:
    kinds = generator.STACKS[stack]
    mixed = generator.schedule(kinds)
    assert mixed == generator.schedule(kinds)
    assert len(mixed) == 100
    assert set(mixed) == set(kinds)
