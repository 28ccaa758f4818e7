"""Names of two stacks that meet on one host, and what is another's."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.host import neighbours
from maestro.host.neighbours import Neighbour
from maestro.host.resources import Network, Resources, Use, Volume
from maestro.plan import names

PROJECT = "com.docker.compose.project"


def compose(*services: str, **more: Any) -> dict[str, Any]:
    """A release's file; ``SERVICE=NAME`` is a service with a container name."""
    found: dict[str, Any] = {}
    for service in services:
        name, _, fixed = service.partition("=")
        found[name] = {"container_name": fixed} if fixed else {}
    return {"services": found, **more}


def others(**stacks: list[str]) -> dict[str, Neighbour]:
    found = {}
    for stack, services in stacks.items():
        kept = names.recorded(stack, compose(*services), {})
        manifest = {"services": compose(*services)["services"], "names": kept}
        found[stack.replace("__", "-")] = neighbours._neighbour(manifest)
    return found


def met(
    stack: str,
    file: dict[str, Any],
    neighbour: dict[str, Neighbour] | None = None,
    there: Resources | None = None,
) -> list[str]:
    found = names.problems("h1", stack, file, neighbour or {}, there or Resources())
    assert all(item.fix and item.where.startswith("h1: ") for item in found)
    return [item.what for item in found]


CONTAINERS: list[tuple[str, list[str], dict[str, Neighbour], str]] = [
    ("shop", ["api-web"], others(shop__api=["web"]), "shop-api-web-1"),
    ("shop-api", ["web"], others(shop=["api-web", "db"]), "shop-api-web-1"),
    ("jessy-jessy", ["api"], others(jessy=["jessy-api"]), "jessy-jessy-api-1"),
    ("shop", ["web=blog"], others(news=["web=blog"]), "blog"),
    ("shop", ["web"], others(news=["web=shop-web-7"]), "shop-web-7"),
    ("shop", ["web=news-web-2"], others(news=["web"]), "news-web-2"),
    ("shop", ["web", "api=shop-web-1"], {}, "shop-web-1"),
    ("shop", ["web"], others(news=["web"], shop__api=["web"]), ""),
    ("shop", ["web-1"], others(news=["web=shop-web-1"]), ""),
    ("shop", ["web=shop-web-x"], others(shop=["api"]), ""),
    ("a_b", ["c"], others(a=["b_c"]), ""),
]


@pytest.mark.parametrize(("stack", "services", "neighbour", "name"), CONTAINERS)
def test_containers_of_one_name(
    stack: str, services: list[str], neighbour: dict[str, Neighbour], name: str
) -> None:
    found = met(stack, compose(*services), neighbour)
    assert len(found) == bool(name)
    if name:
        assert found[0].endswith(f"would have one name: {name}")
        assert all(f" of {owner}" in found[0] for owner in [stack, *neighbour])


def use(container: str, project: str = "", service: str = "") -> Resources:
    return Resources(uses=(Use(container, project, service, ()),))


@pytest.mark.parametrize(
    ("services", "there", "owner"),
    [
        (["web"], use("shop-web-1"), "a container made by hand"),
        (["web"], use("shop-web-12", "hand", "x"), "x of the project hand"),
        (["web=site"], use("site", "news", "web"), "web of the project news"),
        (["web"], use("shop-web-1", "shop", "web"), ""),
        (["web"], use("shop-web-1-1"), ""),
        (["web"], use("shop-web"), ""),
    ],
)
def test_a_name_another_container_has(services: list[str], there: Resources, owner: str) -> None:
    found = met("shop", compose(*services), there=there)
    assert len(found) == bool(owner)
    assert not owner or found[0].endswith(f"is taken by {owner}")


def test_the_edges_name_is_its_own() -> None:
    (found,) = met("shop", compose("web=maestro-edge"))
    assert found == "the container name maestro-edge is the edge's own"
    assert met("shop", compose("web=maestro-edges")) == []


def volume(name: str, project: str = "") -> Volume:
    return Volume(name, labels={PROJECT: project} if project else {})


A_B = {"volumes": {"c": {"name": "a_b_c"}}, "networks": {"default": {"name": "a_b_default"}}}


def test_volumes_and_networks_that_meet() -> None:
    there = Resources(
        {"a_b_default": Network("a_b_default", labels={PROJECT: "a"})},
        {"a_b_c": volume("a_b_c", "a")},
    )
    found = met("a_b", compose("web", **A_B), there=there)
    assert found == [
        "the volume a_b_c of a_b is the volume of a already",
        "the network a_b_default of a_b is the network of a already",
    ]
    own = Resources(
        {"a_b_default": Network("a_b_default", labels={PROJECT: "a_b"})},
        {"a_b_c": volume("a_b_c")},
    )
    assert met("a_b", compose("web", **A_B), there=own) == []


def test_what_a_release_records_counts_before_the_engine_has_it() -> None:
    kept = names.recorded("a", compose("web", volumes={"b_c": {"name": "a_b_c"}}), {})
    other = {"a": neighbours._neighbour({"services": {"web": {}}, "names": kept})}
    found = met("a_b", compose("web", volumes={"c": {"name": "a_b_c"}}), other)
    assert found == ["the volume a_b_c of a_b is the volume of a already"]


def shared(*keys: str) -> dict[str, Neighbour]:
    file = compose("db", volumes={"data": {"name": "jessy_data"}})
    kept = names.recorded("jessy", file, {"share": {"volumes": list(keys)}})
    return {"jessy": neighbours._neighbour({"services": {"db": {}}, "names": kept})}


@pytest.mark.parametrize(
    ("external", "owner", "what"),
    [
        (False, shared(), "is the volume of jessy already"),
        (False, shared("data"), "is the volume of jessy already"),
        (True, shared(), "which does not share it with shop"),
        (True, shared("data"), ""),
        # No stack of ours: nobody can say it in a file.
        (True, {}, ""),
        (False, {}, "is the volume of jessy already"),
    ],
)
def test_anothers_volume_needs_the_word_of_both(
    external: bool, owner: dict[str, Neighbour], what: str
) -> None:
    item = {"name": "jessy_data", **({"external": True} if external else {})}
    file = compose("web", volumes={"x": item})
    there = Resources(volumes={"jessy_data": volume("jessy_data", "jessy")})
    found = met("shop", file, owner, there)
    assert len(found) == bool(what)
    assert not what or what in found[0]
    told = names.warnings("shop", file, owner, there)
    assert bool(told) == (external and not owner)


def test_what_is_shared_is_the_stacks_own_and_is_recorded() -> None:
    file = compose("db", volumes={"data": {"name": "x"}, "theirs": {"name": "y", "external": True}})
    problems = list(names.unknown_shares("shop", {"volumes": ["data", "theirs", "no"]}, file))
    assert [item.what.split(",")[0] for item in problems] == ["found theirs", "found no"]
    assert problems[0].fix == "allowed: data"
    before = names.recorded("shop", file, {})
    after = names.recorded("shop", file, {"share": {"volumes": ["data"]}})
    assert after["volumes"] == ["x"]
    assert names.share_changes(before, after) == {"volume x": "shared"}
    assert names.share_changes(after, {}) == {"volume x": "no longer shared"}
