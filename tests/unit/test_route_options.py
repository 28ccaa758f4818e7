"""What a route asks of the edge besides: as it is kept, and as Traefik is told."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.host import claims, edge_traefik
from maestro.stack import route_options, routes

HOST = {"redirect_https": True, "https_port": 443, "certificate_resolver": "", "hosts": []}
WEB = {"service": "web", "port": 80}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"redirect_from": "b.test"}, {"redirect_from": ["b.test"]}),
        ({"redirect_from": ["c.test", "b.test"]}, {"redirect_from": ["b.test", "c.test"]}),
        ({"strip": True}, {"strip": True}),
        ({"strip": False}, {}),
        ({"protocol": "h2c"}, {"protocol": "h2c"}),
        ({"protocol": "http"}, {}),
        ({"sticky": True}, {"sticky": "maestro"}),
        ({"sticky": {"cookie": "shop"}}, {"sticky": "shop"}),
        ({"sticky": False}, {}),
        ({"headers": {"X-B": "1", "X-A": ""}}, {"headers": {"X-A": "", "X-B": "1"}}),
        ({"max_body": "10m"}, {"max_body": 10 << 20}),
        ({"max_body": "512KB"}, {"max_body": 512 << 10}),
        ({"max_body": 7}, {"max_body": 7}),
        ({"timeout": "30"}, {"timeout": 30.0}),
    ],
)
def test_options_as_they_are_kept(said: dict[str, Any], kept: dict[str, Any]) -> None:
    (found,) = routes.rendered({"routes": [{**WEB, **said}]})
    assert found.get("options", {}) == kept


@pytest.mark.parametrize(
    ("said", "where", "what"),
    [
        ({"host": ["a.test", "*.b.test"]}, "host", "with a star and without"),
        ({"strip": True}, "strip", "no path that could be removed"),
        ({"redirect_from": "b.test"}, "redirect_from", "no name that these"),
        ({"redirect_from": "b.test", "host": "*.a.test"}, "redirect_from", "no name that these"),
        ({"redirect_from": "a.test", "host": "a.test"}, "redirect_from", "to itself"),
        ({"host": ["*.a.test", "*.b.test"]}, "", ""),
        ({"strip": True, "path": "/api"}, "", ""),
        ({"redirect_from": "*.a.test", "host": "a.test"}, "", ""),
    ],
)
def test_options_that_contradict_each_other(said: dict[str, Any], where: str, what: str) -> None:
    path = str(said.get("path", "/"))
    found = list(route_options.problems({**WEB, **said}, "x.routes[0]", path))
    assert len(found) == bool(what)
    for problem in found:
        assert problem.where == f"x.routes[0].{where}"
        assert what in problem.what


def test_two_routes_do_not_redirect_the_same_host() -> None:
    given = [{**WEB, "host": f"{name}.test", "redirect_from": "old.test"} for name in "ab"]
    (problem,) = routes.problems({"routes": given}, "x", ["web"])
    assert "the same requests (old.test, /)" in problem.what


def claim(**said: Any) -> list[claims.Claim]:
    return claims.of_routes(routes.rendered({"routes": [{**WEB, **said}]}))


@pytest.mark.parametrize(
    ("ours", "theirs", "taken"),
    [
        ("a.test", "a.test", True),
        ("*.test", "*.test", True),
        ("a.test", "*.test", False),  # who names a host has it
        ("*.test", "a.test", False),
        ("*.test", None, False),
        (None, "*.test", False),
        ("a.b.test", "*.test", False),  # a star is one label
        ("*.b.test", "*.test", False),
    ],
)
def test_who_may_have_requests_that_another_stack_has(
    ours: str | None, theirs: str | None, taken: bool
) -> None:
    mine, other = (claim(**({"host": name} if name else {})) for name in (ours, theirs))
    assert bool(claims.taken(mine, other)) is taken


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("a.test", "*.test", True),
        ("*.test", "a.test", True),
        ("*.test", "a.b.test", False),
        ("*.test", "test", False),
        ("*.b.test", "*.test", False),
        ("*.test", None, True),
    ],
)
def test_a_star_is_one_label(one: str, other: str | None, meet: bool) -> None:
    (mine,), (theirs,) = claim(host=one), claim(**({"host": other} if other else {}))
    assert mine.meets(theirs) is meet


def test_a_host_that_is_redirected_is_claimed() -> None:
    assert claims.taken(claim(host="new.test", redirect_from="old.test"), claim(host="old.test"))
    assert claims.taken(claim(host="old.test"), claim(host="new.test", redirect_from="old.test"))


def told(settings: dict[str, Any] | None = None, two: bool = False, **said: Any) -> dict[str, Any]:
    groups = [{"weight": 50, "containers": [name]} for name in ("a", "b")[: 1 + two]]
    known = {
        name: {"service": "web", "running": True, "healthy": True, "address": f"10.0.0.{number}"}
        for number, name in enumerate(("a", "b"))
    }
    traffic = {"routes": routes.rendered({"routes": [{**WEB, **said}]}), "groups": {"web": groups}}
    found = edge_traefik.dynamic("shop", traffic, known, {**HOST, **(settings or {})})
    http: dict[str, Any] = found["http"]
    return http


NAME = "shop-web-0~shop"


def test_a_route_without_options_is_told_as_ever() -> None:
    found = told()
    assert found["services"][NAME]["loadBalancer"] == {
        "servers": [{"url": "http://10.0.0.0:80"}],
        "serversTransport": "maestro",
    }
    assert set(found) == {"routers", "services", "middlewares"}
    assert found["routers"][f"{NAME}~https"]["middlewares"] == [f"{NAME}~retry"]


def test_what_traefik_is_told() -> None:
    found = told(
        path="/api",
        host="a.test",
        strip=True,
        protocol="h2c",
        sticky=True,
        headers={"X-Frame-Options": "DENY"},
        max_body="1k",
        timeout=7,
        rate_limit={"average": 5},
        health=["/api/health"],
    )
    balancer = found["services"][NAME]["loadBalancer"]
    assert balancer["servers"] == [{"url": "h2c://10.0.0.0:80"}]
    assert balancer["sticky"]["cookie"] == {
        "name": "maestro",
        "httpOnly": True,
        "path": "/",
        "secure": True,
    }
    timeouts = found["serversTransports"][balancer["serversTransport"]]["forwardingTimeouts"]
    assert timeouts["responseHeaderTimeout"] == "7s"
    assert timeouts["idleConnTimeout"] == "100ms", "how a drain is seen"
    passes = [f"{NAME}~{part}" for part in ("headers", "rate", "body", "strip", "retry")]
    assert found["routers"][f"{NAME}~https"]["middlewares"] == passes
    assert found["routers"][f"{NAME}~health~https"]["middlewares"] == [
        f"{NAME}~{part}" for part in ("headers", "strip", "retry")
    ]
    assert found["middlewares"][f"{NAME}~strip"] == {"stripPrefix": {"prefixes": ["/api"]}}
    assert found["middlewares"][f"{NAME}~body"] == {"buffering": {"maxRequestBodyBytes": 1024}}
    assert [edge_traefik.is_marker(name) for name in found["middlewares"]].count(True) == 1


def test_a_client_stays_with_its_group_too() -> None:
    found = told(two=True, sticky={"cookie": "shop"})
    assert found["services"][NAME]["weighted"]["sticky"]["cookie"]["name"] == "shop_group"
    for part in ("0", "1"):
        cookie = found["services"][f"{NAME}~{part}"]["loadBalancer"]["sticky"]["cookie"]
        assert cookie["name"] == "shop"


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ({}, "https://new.test${1}"),
        ({"https_port": 8443}, "https://new.test:8443${1}"),
        ({"redirect_https": False}, "http://new.test${1}"),
    ],
)
def test_a_redirect_to_another_host(settings: dict[str, Any], target: str) -> None:
    found = told(settings, host="new.test", redirect_from=["*.old.test", "old.test"])
    router = found["routers"][f"{NAME}~redirect~https"]
    assert router["rule"] == r"HostRegexp(`^[^.]+\.old\.test$`) || Host(`old.test`)"
    assert router["middlewares"] == [f"{NAME}~redirect"]
    assert found["middlewares"][f"{NAME}~redirect"]["redirectRegex"]["replacement"] == target
