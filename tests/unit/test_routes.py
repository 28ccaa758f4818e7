"""Routes as a release keeps them, and why a host cannot take some."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.stack import routes

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
    assert "maestro.stacks.provision -l h1" in problem.fix
    assert routes.preflight("h1", "shop", [], edge(installed=False)) == []


def claimed(*hosts: str, path: str = "/", health: tuple[str, ...] = ()) -> dict[str, Any]:
    return {**BARE, "hosts": list(hosts), "path": path, "health": list(health)}


ANY, NOTES = claimed(), claimed(path="/api/notes")
# Their route, our route, and what ours takes of theirs.
MET = [
    ("the same", claimed("a.test"), claimed("a.test", "b.test"), "the route a.test, / of shop"),
    ("the same, any host", NOTES, NOTES, "the route any host, /api/notes of shop"),
    ("below theirs", ANY, NOTES, "the route any host, /api/notes of shop"),
    ("below theirs, two levels", claimed(path="/api"), claimed(path="/api/a/b"), "/api/a/b of"),
    ("below theirs, one host", claimed("a.test"), claimed("a.test", path="/x"), "a.test, /x of"),
    ("another spelling", claimed(path="/api/notes/"), NOTES, "any host, /api/notes of shop"),
    ("doubled slash", claimed(path="/api//notes"), NOTES, "any host, /api/notes of shop"),
    ("encoded", claimed(path="/api"), claimed(path="/%61pi/notes"), "any host, /%61pi/notes"),
    ("dots", claimed(path="/api"), claimed(path="/x/../api/notes"), "/x/../api/notes of shop"),
    ("capitals", claimed("A.Test"), claimed("a.test", path="/x"), "a.test, /x of shop"),
    ("last dot", claimed("a.test."), claimed("a.test", path="/x"), "a.test, /x of shop"),
    (
        "a health path",
        claimed(path="/api/notes/deep"),
        claimed(path="/api", health=("/api/notes/deep/health",)),
        "the route any host, /api/notes/deep/health of shop",
    ),
    # Nothing of theirs comes to ours.
    ("above theirs", NOTES, ANY, ""),
    ("another path", claimed(path="/api/notesx"), NOTES, ""),
    ("another host", claimed("a.test"), claimed("b.test", path="/x"), ""),
    ("any host beside a named one", claimed("a.test"), NOTES, ""),
    ("a named host beside any", ANY, claimed("a.test"), ""),
    ("capitals of a path", claimed(path="/Api"), claimed(path="/api/x"), ""),
]


@pytest.mark.parametrize(
    ("theirs", "ours", "what"), [item[1:] for item in MET], ids=[item[0] for item in MET]
)
def test_no_stack_takes_requests_of_another(
    theirs: dict[str, Any], ours: dict[str, Any], what: str
) -> None:
    found = routes.preflight("h1", "shop", [ours], edge(blog=[theirs]))
    assert bool(found) == bool(what)
    if what:
        assert what in found[0].what
        assert "takes requests of the stack blog" in found[0].what
        assert "a host of its own" in found[0].fix
        assert found[0].where == "h1: shop"


def test_what_serves_already_takes_nothing_new() -> None:
    theirs = edge(blog=[ANY])
    assert routes.preflight("h1", "shop", [NOTES], theirs, in_force=[NOTES]) == []
    assert routes.preflight("h1", "shop", [NOTES], theirs, in_force=[claimed(path="/api")])
    # One route of two stacks answers for one of them alone, whoever came first.
    assert routes.preflight("h1", "shop", [ANY], theirs, in_force=[ANY])


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (ANY, NOTES, "any host, /api/notes go to blog and not to shop, whose route is any host, /"),
        (NOTES, ANY, "any host, /api/notes go to shop and not to blog, whose route is any host, /"),
        (
            claimed("a.test"),
            ANY,
            "a.test, / go to shop and not to blog, whose route is any host, /",
        ),
        (
            ANY,
            claimed("a.test"),
            "a.test, / go to blog and not to shop, whose route is any host, /",
        ),
        (claimed("a.test"), claimed("b.test"), ""),
        (claimed(health=("/health",)), claimed("b.test", health=("/x",)), "b.test, / go to blog"),
    ],
)
def test_the_plan_tells_who_gets_what_both_claim(
    ours: dict[str, Any], theirs: dict[str, Any], said: str
) -> None:
    found = routes.warnings("shop", [ours], edge(blog=[theirs]))
    assert len(found) == bool(said)
    assert not said or said in found[0]
