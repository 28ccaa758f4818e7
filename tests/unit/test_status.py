"""What runs where, as an operator reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stack_models as models

from maestro import status


def deployed() -> dict[str, Any]:
    state = models.running(models.shop())
    state["release"].update(created="2026-01-01T12:00:00Z", by="jo@desk")
    for container in state["containers"]:
        container["image"] = state["release"]["services"][container["service"]]["image"]
    return state


def rows(table: str) -> list[list[str]]:
    """The cells of the table below the lines on releases."""
    return [line.split("  ") for line in table.partition("\n\n")[2].splitlines()]


def test_what_runs_as_released() -> None:
    state = deployed()
    started = datetime.now(UTC) - timedelta(hours=3, seconds=1)
    for container in state["containers"]:
        container["started"] = started.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    lines = status.table("shop", {"a": state}, {"a": "http://127.0.0.1:8081"}).splitlines()
    assert lines[0] == (
        f"a: shop v1, release {models.RELEASE} of 2026-01-01T12:00:00Z by jo@desk, "
        "http://127.0.0.1:8081"
    )
    assert lines[1] == ""
    assert lines[2].split() == [
        *("host", "service", "state", "health", "since", "image"),
        "as",
        "released",
    ]
    digest = models.digest("registry.test:5000/postgres:17-1")[:19]
    assert lines[3].split() == [
        "a",
        "db",
        "running",
        "healthy",
        "3",
        "h",
        "postgres:17-1",
        digest,
        "yes",
    ]
    assert lines[4].split()[1] == "web"
    assert len(lines) == 5
    assert len({line.index("  ") for line in lines[2:3]}) == 1


def test_what_drifted_or_is_missing() -> None:
    state = deployed()
    state["containers"][0].update(hash="other", image="r.test/db:hand-made", status="exited")
    del state["containers"][1]
    lines = status.table("shop", {"a": state}, {}).splitlines()
    assert lines[0].endswith("by jo@desk")
    assert "exited" in lines[3]
    assert " ? r.test/db:hand-made" in lines[3]
    assert lines[3].endswith("no: drifted")
    assert lines[4].split() == ["a", "web", "missing", "no:", "drifted"]


def test_a_host_without_the_stack() -> None:
    assert status.table("shop", {"a": models.bare(), "b": models.bare()}, {}).splitlines() == [
        "a: shop has not been deployed",
        "b: shop has not been deployed",
    ]
    both = status.table("shop", {"a": models.bare(), "b": deployed()}, {"b": ""})
    assert both.startswith("a: shop has not been deployed\nb: shop v1, release")
    assert [line[0] for line in rows(both)] == ["host", "b", "b"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (-9, "0 s"),
        (100, "100 s"),
        (121, "2 min"),
        (7100, "118 min"),
        (7300, "2 h"),
        (172900, "2 d"),
    ],
)
def test_since_when(seconds: int, said: str) -> None:
    started = datetime.now(UTC) - timedelta(seconds=seconds)
    assert status._since(started.strftime("%Y-%m-%dT%H:%M:%S") + ".5Z") in (
        said,
        f"{seconds + 1} s",
    )
