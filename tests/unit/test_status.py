"""What runs where, as an operator reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stack_models as models
import yaml

from maestro.host.drift import digest
from maestro.report import status, tables


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
    today = started.strftime("%Y-%m-%dT%H:%M:%SZ")
    state["release"]["created"] = today
    for container in state["containers"]:
        container["started"] = started.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    lines = status.table("shop", {"a": state}, {"a": "http://127.0.0.1:8081"}).splitlines()
    assert lines[0] == (
        f"a: shop v1, release {models.RELEASE} of {today} (3 h ago) by jo@desk, "
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
    assert lines[3].endswith("no: stopped; definition")
    assert lines[4].split() == ["a", "web", "missing", "no:", "missing"]


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
    assert tables.ago(started.strftime("%Y-%m-%dT%H:%M:%S") + ".5Z") in (
        said,
        f"{seconds + 1} s",
    )


def facts(**changes: Any) -> dict[str, Any]:
    """How the Engine tells of the web service's container as released."""
    compose = yaml.safe_load(deployed()["compose"])
    web = compose["services"]["web"]
    settings = compose["configs"][web["configs"][0]["source"]]["file"]
    secret = compose["secrets"][web["secrets"][0]["source"]]["file"]
    return {
        "image": web["image"],
        "env": {"GREETING": digest("hello"), "PRICE": digest("5$")},
        "mounts": {
            "/etc/shop.json": f"bind:{settings}:ro",
            "/run/secrets/db_password": f"bind:{secret}:ro",
        },
        "memory": 64 << 20,
        "cpus": 0,
        "restart": "no",
        **changes,
    }


def verdict(**changes: Any) -> str:
    """What the table says of a container of the web service that is so."""
    state = deployed()
    (web,) = [item for item in state["containers"] if item["service"] == "web"]
    web["facts"] = facts(**changes)
    line = status.table("shop", {"a": state}, {}).splitlines()[-1]
    return line.partition(models.digest("registry.test:5000/shop-web:v1")[:19])[2].strip()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "yes"),
        ({"image": "registry.test:5000/shop-web@sha256:other"}, "no: image"),
        ({"env": {"GREETING": digest("edited"), "PRICE": digest("5$")}}, "no: env GREETING"),
        ({"env": {"MORE": digest("x")}}, "no: env GREETING, MORE, PRICE"),
        ({"memory": 32 << 20}, "no: memory limit 32 MiB instead of 64 MiB"),
        ({"memory": 0}, "no: memory limit none instead of 64 MiB"),
        ({"cpus": 500_000_000}, "no: cpu limit 0.5 instead of 0"),
        ({"restart": "always"}, "no: restart always instead of no"),
    ],
)
def test_what_was_changed_by_hand(changes: dict[str, Any], said: str) -> None:
    assert verdict(**changes) == said


def test_a_mount_that_was_changed_by_hand() -> None:
    mounts = {**facts()["mounts"], "/mnt": "bind:/srv:rw"}
    del mounts["/etc/shop.json"]
    assert verdict(mounts=mounts) == "no: mount /etc/shop.json, /mnt"


def test_the_database_s_volume_is_known_by_its_name() -> None:
    state = deployed()
    compose = yaml.safe_load(state["compose"])
    secret = compose["secrets"][compose["services"]["db"]["secrets"][0]["source"]]["file"]
    mounts = {"/data": "volume:shop_data:rw", "/run/secrets/db_password": f"bind:{secret}:ro"}
    db = next(item for item in state["containers"] if item["service"] == "db")
    image = compose["services"]["db"]["image"]
    db["facts"] = facts(image=image, env={}, mounts=mounts)
    assert status.table("shop", {"a": state}, {}).splitlines()[3].endswith(" yes")


def test_what_has_no_place_in_the_release() -> None:
    state = deployed()
    state["containers"] += [
        models.container("stray", "x", image="r.test/stray"),
        {**state["containers"][1], "id": "again"},
    ]
    lines = status.table("shop", {"a": state}, {}).splitlines()
    assert lines[4].endswith("no: orphan: no service of the release")
    assert lines[-2].endswith(" yes")
    assert lines[-1].endswith("no: one too many")


def test_files_that_were_edited() -> None:
    state = deployed()
    document = yaml.safe_load(state["compose"])
    document["services"]["web"]["command"] = ["other"]
    state["compose"] = yaml.safe_dump(document)
    state["edited_configs"] = ["settings"]
    lines = status.table("shop", {"a": state}, {}).splitlines()
    assert lines[1:3] == [
        "  compose.yaml was edited by hand: web",
        "  configs were edited by hand: settings",
    ]


def test_a_lease_that_was_given_up_has_no_age() -> None:
    state = deployed()
    left = {"by": "jo@desk", "purpose": "deploy v2", "age": 1.8e9, "given_up": True}
    state["lease"] = {"held": False, **left}
    found = status.table("shop", {"a": state}, {}).splitlines()[1]
    assert (
        found == "  lease: left behind by jo@desk for deploy v2, given up, and the host goes back"
    )


def test_what_is_under_way_or_switched() -> None:
    state = deployed()
    state["release"]["rolled_back_to"] = "r0"
    state["maintenance"] = True
    state["lease"] = {"held": True, "by": "jo@desk", "purpose": "deploy v2", "age": 3.4}
    lines = status.table("shop", {"a": state}, {}, ["b"]).splitlines()
    assert lines[1:5] == [
        "  created from release r0 by a rollback",
        "  maintenance: its routes answer with the maintenance page",
        "  lease: held by jo@desk for deploy v2, last renewed 3 s ago",
        "b: cannot be reached",
    ]
