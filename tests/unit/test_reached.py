"""Services that a host's edge and checks ask, and whether the host reaches them at all."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.host.resources import Network, Resources
from maestro.plan import reachability
from maestro.stack import routes

NETWORKS = {
    "lan": {"name": "shop_lan", "driver": "macvlan"},
    "back": {"name": "shop_back", "internal": True},
    "out": {"name": "out", "external": True},
}
ROUTE = {"service": "web", "port": 80}


def problems(
    extension: dict[str, Any], driver: str = "bridge", **services: dict[str, Any]
) -> list[tuple[str, str]]:
    model = {"services": services, "networks": NETWORKS}
    there = Resources({"out": Network("out", driver=driver)})
    found = reachability.problems("shop", model, extension, there)
    return [(problem.where.partition("x-maestro.")[2], problem.what) for problem in found]


def on(*names: str, **more: Any) -> dict[str, Any]:
    return {"networks": dict.fromkeys(names), **more}


@pytest.mark.parametrize(
    ("web", "named", "what"),
    [
        (on("lan", "back"), "", ""),
        (on("lan", "back"), "back", ""),
        (on("back"), "lan", "web is not on the network lan"),
        (on("lan", "back"), "lan", "this host does not reach web: .* (lan: macvlan)"),
        (on("lan"), "", "this host does not reach web: .* (lan: macvlan)"),
        (on("out"), "", ""),
        ({"network_mode": "none"}, "", "web has no network: network_mode: none"),
        ({"network_mode": "host"}, "", ""),
        ({"network_mode": "bridge"}, "", ""),
        ({"network_mode": "bridge"}, "back", "web is not on the network back"),
        ({"network_mode": "service:vpn"}, "", ""),
        (
            {"network_mode": "service:far"},
            "",
            "this host does not reach web (it uses the network of far): .* (lan: macvlan)",
        ),
    ],
)
def test_routes_to_services_the_host_does_not_reach(
    web: dict[str, Any], named: str, what: str
) -> None:
    extension = {"routes": [ROUTE | ({"network": named} if named else {})]}
    found = problems(extension, web=web, vpn=on("back"), far=on("lan"))
    start, _, end = what.partition(".*")
    assert len(found) == bool(what)
    for _, said in found:
        assert said.startswith(start)
        assert said.endswith(end)


def test_a_network_of_somebody_else_is_known_by_the_host() -> None:
    extension = {
        "routes": [ROUTE],
        "smoke": [{"tcp": {"service": "web", "port": 1}}, {"command": {}}],
    }
    assert not problems(extension, web=on("out"))
    assert [where for where, _ in problems(extension, "overlay", web=on("out"))] == [
        "routes[0]",
        "smoke[0].tcp",
    ]


def test_a_route_keeps_the_name_its_network_has_on_the_host() -> None:
    extension = {"routes": [ROUTE | {"network": "back"}, {"service": "api", "port": 1}]}
    first, second = reachability.named(
        routes.rendered(extension), {"networks": NETWORKS}, extension
    )
    assert first["network"] == "shop_back"
    assert "network" not in second


def test_routes_of_one_service_name_one_network() -> None:
    extension = {"routes": [ROUTE | {"network": "a"}, ROUTE, {"service": "api", "port": 1}]}
    (problem,) = routes.two_networks(extension, "x")
    assert problem.where == "x.routes[1].network"


@pytest.mark.parametrize(
    ("web", "said"),
    [
        (
            {"labels": {"traefik.enable": "true", "traefik.http.routers.web.rule": "x"}},
            "the label traefik.http.routers.web.rule",
        ),
        ({"labels": {"caddy": "shop.test", "caddy.reverse_proxy": "x"}}, "the label caddy"),
        ({"labels": {"caddy_1": "shop.test"}}, "the label caddy_1"),
        ({"environment": {"VIRTUAL_HOST": "shop.test"}}, "the variable VIRTUAL_HOST"),
        ({"labels": {"traefik.enable": "false", "traefik.http.routers.a.rule": "x"}}, ""),
        ({"labels": {"caddyfile": "x"}, "environment": {"VIRTUAL_HOST": "jobs"}}, ""),
        ({"labels": None, "environment": None}, ""),
    ],
)
def test_what_another_proxy_would_read_is_named_without_a_route(
    web: dict[str, Any], said: str
) -> None:
    model = {"services": {"web": web}}
    found = reachability.unread(model, {})
    assert [f"the edge does not read {said}," in line for line in found] == [True] * bool(said)
    assert reachability.unread(model, {"routes": [ROUTE]}) == []
    model["services"]["proxy"] = {"volumes": [{"source": "/var/run/docker.sock"}]}
    assert reachability.unread(model, {}) == []
