"""Servers that the inventory names are asked before anything is replaced."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from app import __main__ as program
from app.config import Settings
from app.core import reach

Given = Callable[..., Settings]


def test_what_is_not_set_is_not_asked(given: Given) -> None:
    reach.check(given())


def test_what_answers_is_fine(given: Given) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach.check(
            given(NEO4J_URL=f"neo4j://127.0.0.1:{port}", QDRANT_URL=f"http://127.0.0.1:{port}")
        )


def test_everything_that_does_not_answer_is_named(given: Given) -> None:
    with pytest.raises(reach.Unreachable) as caught:
        reach.check(given(NEO4J_URL="bolt://127.0.0.1:1", QDRANT_URL="http://nowhere.invalid:6333"))
    graph, vectors = str(caught.value).splitlines()
    assert graph.startswith("NEO4J_URL: no connection to 127.0.0.1 at port 1: Connection refused")
    assert vectors.startswith("QDRANT_URL: no connection to nowhere.invalid at port 6333: ")


@pytest.mark.parametrize(
    ("name", "address", "port"),
    [
        ("NEO4J_URL", "neo4j+s://127.0.0.1", 7687),
        ("QDRANT_URL", "http://127.0.0.1", 80),
        ("QDRANT_URL", "https://127.0.0.1/", 443),
    ],
)
def test_a_port_that_is_not_said(given: Given, name: str, address: str, port: int) -> None:
    with pytest.raises(reach.Unreachable, match=f"at port {port}:"):
        reach.check(given(**{name: address}))


def test_the_migration_does_not_begin_then(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(QDRANT_URL="http://127.0.0.1:1")
    monkeypatch.setattr(program, "settings", settings)
    with pytest.raises(SystemExit, match="QDRANT_URL: no connection"):
        program.main(["migrate"])
    assert not settings.DATA_DIR.exists()
