"""Services that live in another one's container: what follows for the plan and the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import real_servers
import stack_models as models
from fake_engine import Fake, detail, summary

from maestro.host import borrowed, lease, release
from maestro.host.borrowed import Borrowed
from maestro.host.engine import Engine
from maestro.host.layout import Layout
from maestro.plan import borrowers, compare, reasons, records
from maestro.stack import policy

CLAIM = {
    **dict.fromkeys(("token", "by", "purpose", "release", "serves"), "a"),
    "limit": 60,
    "timeout": 60,
    "armed": False,
}


def tunnel() -> dict[str, Any]:
    model = models.shop()
    services = {
        "vpn": models.service("vpn:1"),
        "app": models.service("app:1", network_mode="service:vpn"),
        "debug": models.service("app:1", pid="service:app"),
        "backup": models.service("app:1", volumes_from=["app:ro"]),
        "watch": models.service("app:1", depends_on={"vpn": {"restart": True}}),
    }
    del services["app"]["networks"]
    return {**model, "services": services, "x-maestro": {}}


def container(name: str, release: Any, started: int = 5, **shares: list[str]) -> dict[str, Any]:
    return models.container(
        name,
        release.services[name]["hash"],
        started=f"2026-01-01T12:00:0{started}Z",
        shares=shares,
    )


def running(model: dict[str, Any]) -> dict[str, Any]:
    release = models.rendered(model)
    return models.running(model) | {
        "containers": [
            container("vpn", release, 1),
            container("app", release, 2, network_mode=["vpn-0"]),
            container("debug", release, 3, pid=["app-0"]),
            container("backup", release, 3, volumes_from=["app-0"]),
            container("watch", release, 3),
        ]
    }


def steps(model: dict[str, Any], state: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    wish = {"stack": "shop", "version": "v1", "extension": {}, "routes": []}
    plan = compare.decide("h", "staging", models.rendered(model), state, images={}, wish=wish)
    return {
        step.service: (step.action, *map(reasons.shown, step.reasons))
        for step in plan.steps
        if step.action != records.KEEP
    }


FOLLOWS = {
    "app": ("replace", "shares with vpn, which is replaced"),
    "debug": ("replace", "shares with app, which is replaced"),
    "backup": ("replace", "shares with app, which is replaced"),
    "watch": ("restart", "with vpn, which is replaced"),
}


def test_who_lives_in_a_container_follows_it() -> None:
    model = tunnel()
    assert steps(model, running(model)) == {}
    before = running(model)
    model["services"]["vpn"]["environment"] = {"NEW": "1"}
    assert steps(model, before) == {"vpn": ("replace", "environment NEW"), **FOLLOWS}


def test_an_owner_that_is_sick_or_stopped() -> None:
    model = tunnel()
    state = running(model)
    state["containers"][0]["health"] = "unhealthy"
    assert steps(model, state) == {"vpn": ("replace", "is unhealthy"), **FOLLOWS}
    state = running(model)
    state["containers"][0]["status"] = "exited"
    found = steps(model, state)
    assert found["app"] == ("replace", "shares with vpn, which is started")
    assert found["watch"] == ("restart", "with vpn, which is started")
    state = running(model)
    state["containers"].pop(0)
    assert steps(model, state)["app"] == ("replace", "shares with vpn, which is created")


@pytest.mark.parametrize(
    ("service", "changes", "why"),
    [
        (
            "app",
            {"shares": {"network_mode": ["x"]}},
            "holds the network of a container that is gone",
        ),
        (
            "app",
            {"started": "2026-01-01T12:00:00.5Z"},
            "holds the network vpn had before a restart",
        ),
        (
            "backup",
            {"shares": {"volumes_from": ["x"]}},
            "holds the mounts of a container that is gone",
        ),
        ("backup", {"started": "2026-01-01T12:00:00.5Z"}, ""),
        ("watch", {"started": "2026-01-01T12:00:00.5Z"}, ""),
    ],
)
def test_a_container_that_holds_what_is_gone(
    service: str, changes: dict[str, Any], why: str
) -> None:
    model = tunnel()
    state = running(model)
    (item,) = [item for item in state["containers"] if item["service"] == service]
    item.update(changes)
    assert steps(model, state).get(service, ("", ""))[1] == why
    found = borrowers.drift(item, state["containers"])
    assert list(map(reasons.shown, found)) == ([why] if why else [])


def test_owners_come_before_and_start_alone() -> None:
    release = models.rendered(tunnel())
    assert [sorted(level) for level in release.order] == [
        ["vpn"],
        ["app", "watch"],
        ["backup", "debug"],
    ]
    facts = {name: release.services[name] for name in release.services}
    assert facts["app"]["borrows"] == ["vpn"]
    assert facts["backup"]["volumes_from"] == ["app"]
    assert facts["watch"]["restarts_with"] == ["vpn"]
    assert "borrows" not in facts["vpn"]


def test_what_cannot_be_borrowed() -> None:
    model = tunnel()
    services = model["services"]
    services["app"]["network_mode"] = "container:other"
    services["backup"]["volumes_from"] = ["container:other:ro", "gone"]
    services["debug"]["ipc"] = "service:off"
    services["watch"]["links"] = ["vpn", "off:tool"]
    found = policy.problems(model, "staging", "shop")
    assert [(problem.where.partition("services.")[2], problem.what) for problem in found] == [
        (
            "app.network_mode",
            "found container:other: a container that belongs to no service of the stack",
        ),
        (
            "backup.volumes_from",
            "found container:other:ro: a container that belongs to no service of the stack",
        ),
        ("backup.volumes_from", "shares the mounts of gone, which is not deployed"),
        ("debug.ipc", "shares the shared memory of off, which is not deployed"),
        ("watch.links", "has a link to off, which is not deployed"),
    ]


@pytest.mark.parametrize(
    ("service", "changes", "why"),
    [
        ("vpn", {}, "app shares its network: two containers cannot run at once"),
        ("app", {}, "the service shares the network of vpn: two containers cannot run at once"),
        ("watch", {}, ""),
        ("watch", {"mac_address": "02:42:ac:11:00:04"}, "has a fixed mac_address"),
        ("watch", {"networks": {"default": {"ipv4_address": "10.0.0.9"}}}, "a fixed ipv4_address"),
        ("watch", {"networks": {"default": {"ipv6_address": "fd00::9"}}}, "a fixed ipv6_address"),
    ],
)
def test_who_cannot_start_beside_the_old_one(
    service: str, changes: dict[str, Any], why: str
) -> None:
    model = tunnel()
    model["services"][service].update(changes)
    routed = {"x-maestro": {"routes": [{"service": service, "port": 80}]}}
    order = models.rendered(model | routed).services[service]["exchange"]["update"]["order"]
    assert order == ("stop-first" if why else "start-first")
    model["services"][service]["deploy"] = {"update_config": {"order": "start-first"}}
    found = policy.problems(model, "staging", "shop")
    assert bool(found) == bool(why)
    assert all(why in problem.what for problem in found)


def test_a_pause_is_told_before_it_comes() -> None:
    model = tunnel()
    before = running(model)
    model["services"]["vpn"]["environment"] = {"NEW": "1"}
    model["services"]["watch"]["mac_address"] = "02:42:ac:11:00:04"
    routes = [{"name": name, "service": name} for name in ("app", "vpn", "watch")]
    wish = {"stack": "shop", "version": "v1", "extension": {}, "routes": routes}
    plan = compare.decide("h", "staging", models.rendered(model), before, images={}, wish=wish)
    app, vpn, watch = plan.warnings
    assert app.startswith("requests to app fail while vpn is replaced: app uses its")
    assert vpn == "requests to vpn fail while it is replaced: app shares its network"
    assert watch.startswith("requests to watch fail while it is replaced: it has a fixed mac_")


def test_a_fixed_address_is_one_container_s() -> None:
    model = tunnel()
    model["services"]["watch"].update(mac_address="02:42:ac:11:00:04", scale=2)
    (problem,) = policy.problems(model, "staging", "shop")
    assert problem.what.startswith("has a fixed mac_address and 2 replicas")


def test_what_the_engine_says_is_borrowed() -> None:
    host = {
        "NetworkMode": "container:a",
        "PidMode": "container:b",
        "IpcMode": "private",
        "VolumesFrom": ["c:ro", "d"],
    }
    assert borrowed.shares({"HostConfig": host}) == {
        "network_mode": ["a"],
        "pid": ["b"],
        "volumes_from": ["c", "d"],
    }
    assert borrowed.shares({}) == {}


def test_the_borrowers_of_borrowers() -> None:
    services = models.rendered(tunnel()).services
    found = Borrowed(None, "shop", services)  # type: ignore[arg-type]
    assert found.borrowers(["vpn"]) == ["app", "debug"]
    assert found.borrowers(["debug"]) == []


@pytest.mark.parametrize(
    ("owner", "borrower", "left"),
    [
        ("2026-01-01T00:00:00Z", {"StartedAt": "2026-01-01T00:00:01Z"}, False),
        ("2026-01-01T00:00:09Z", {"StartedAt": "2026-01-01T00:00:01Z"}, True),
        # Stopped by hand, and one that found no owner.
        ("2026-01-01T00:00:09Z", {"Status": "exited"}, False),
        (
            "2026-01-01T00:00:09Z",
            {"Status": "exited", "Error": "cannot join network of a non running container: vpn"},
            True,
        ),
        ("gone", {"StartedAt": "2026-01-01T00:00:01Z"}, False),
    ],
)
def test_a_borrower_that_was_left_behind_is_started_again(
    tmp_path: Path, owner: str, borrower: dict[str, Any], left: bool
) -> None:
    fake = Fake()
    layout = Layout(tmp_path, "shop")
    services = {"vpn": {"hash": "h"}, "app": {"hash": "h", "borrows": ["vpn"]}}
    layout.make_home()
    layout.release("r1").mkdir(parents=True)
    release.commit(layout, "r1", {"services": services})
    fake.say("GET /containers/json", [summary("vpn"), summary("app")])
    app = detail("app", **borrower)
    app["HostConfig"] = {"NetworkMode": "container:vpn"}
    fake.say("GET /containers/app/json", app)
    if owner != "gone":
        fake.say("GET /containers/vpn/json", detail("vpn", StartedAt=owner))
    fake.say("POST /containers/app/restart", {}, 204)
    with real_servers.unix_server(tmp_path / "e.sock", fake) as server:
        assert borrowed.repair(tmp_path, Engine(server.address)) == (["app"] if left else [])
        # A change of the stack cares for itself.
        lease.acquire(layout, CLAIM)
        assert borrowed.repair(tmp_path, Engine(server.address)) == []
    assert sum(item.startswith("POST") for item in fake.requests) == left
