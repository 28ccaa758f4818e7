"""Routes as a release keeps them, and why a host cannot take some."""

from __future__ import annotations

from typing import Any

import pytest

from maestro import routes

BARE = {
    "name": "web-0",
    "service": "web",
    "port": 80,
    "hosts": [],
    "path": "/",
    "health": [],
    "rate_limit": None,
    "drain": 30.0,
    "canary": None,
}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({}, {}),
        ({"port": "8080"}, {"port": 8080}),
        ({"host": "b.test"}, {"hosts": ["b.test"]}),
        ({"host": ["b.test", "a.test"]}, {"hosts": ["a.test", "b.test"]}),
        ({"path": "/api/"}, {"path": "/api"}),
        ({"health": ["/b", "/a"]}, {"health": ["/a", "/b"]}),
        (
            {"rate_limit": {"average": "100", "burst": "50"}},
            {"rate_limit": {"average": 100, "period": 60, "burst": 50}},
        ),
        (
            {"rate_limit": {"average": 5, "period": 1}},
            {"rate_limit": {"average": 5, "period": 1, "burst": 5}},
        ),
        ({"rate_limit": {"average": "0"}}, {"rate_limit": None}),
        ({"drain": "5"}, {"drain": 5.0}),
        (
            {"canary": {"weight": "10"}},
            {"canary": {"weight": 10, "duration": 30.0, "checks": []}},
        ),
    ],
)
def test_a_route_as_it_is_kept(said: dict[str, Any], kept: dict[str, Any]) -> None:
    extension = {"routes": [{"service": "web", "port": 80, **said}]}
    assert routes.rendered(extension) == [{**BARE, **kept}]


def test_routes_have_names_of_their_own() -> None:
    extension = {"routes": [{"service": name, "port": 1} for name in ("web", "api", "web")]}
    assert [route["name"] for route in routes.rendered(extension)] == ["web-0", "api-0", "web-1"]
    assert routes.rendered({}) == []


def edge(installed: bool = True, **others: list[dict[str, Any]]) -> dict[str, Any]:
    return {"installed": installed, "routes_of_others": others}


def test_a_host_without_an_edge_takes_no_routes() -> None:
    (problem,) = routes.preflight("h1", "shop", [BARE], edge(installed=False))
    assert problem.what == "shop has routes, and this host has no edge"
    assert "provision.yml -l h1" in problem.fix
    assert routes.preflight("h1", "shop", [], edge(installed=False)) == []


def test_two_stacks_cannot_have_the_same_route() -> None:
    theirs = [{"hosts": ["a.test"], "path": "/"}, {"hosts": [], "path": "/x"}]
    assert routes.preflight("h1", "shop", [BARE], edge(blog=theirs)) == []
    same = {**BARE, "hosts": ["a.test", "b.test"]}
    (problem,) = routes.preflight("h1", "shop", [same], edge(blog=theirs))
    assert problem.what == "the stack blog has the route a.test, / already"
    (problem,) = routes.preflight("h1", "shop", [{**BARE, "path": "/x"}], edge(blog=theirs))
    assert "any host, /x" in problem.what
