"""How a service is exchanged: which way on what is there, and in which portions."""

from __future__ import annotations

import pytest

from maestro.host.exchange import ANEW, BESIDE, IN_PLACE, IN_TURN, Exchange, Seen, Way, way
from maestro.host.rules import START_FIRST, STOP_FIRST, Rules

FIRST = Rules(order=START_FIRST)
STOP = Rules(order=STOP_FIRST)
BY_ONES = Rules(order=STOP_FIRST, parallelism=1)


def old(name: str = "a", **more: bool) -> Seen:
    return Seen(name, **more)


def right(name: str = "a", **more: bool) -> Seen:
    return Seen(name, same=True, stays=True, **more)


def sick(name: str = "a", **more: bool) -> Seen:
    return Seen(name, same=True, **more)


@pytest.mark.parametrize(
    ("there", "rules", "replicas", "kind", "first"),
    [
        ([], STOP, 1, IN_PLACE, ""),
        ([], FIRST, 1, IN_PLACE, ""),
        ([old()], STOP, 1, IN_PLACE, ""),
        ([old()], FIRST, 1, BESIDE, ""),
        # What does not run would be started by Compose.
        ([old("a"), old("b", running=False)], FIRST, 2, BESIDE, "b"),
        ([old(running=False)], FIRST, 1, IN_PLACE, ""),
        # What is right and merely stopped is started again.
        ([right(running=False), right("b")], FIRST, 2, IN_PLACE, ""),
        ([right()], FIRST, 2, BESIDE, ""),
        ([old(alone=True)], FIRST, 1, IN_PLACE, ""),
        ([old("a"), old("b", alone=True, running=False)], FIRST, 2, BESIDE, "b"),
        # Compose would keep what is right and sick.
        ([sick()], STOP, 1, IN_PLACE, "a"),
        ([sick()], FIRST, 1, BESIDE, ""),
        # Made by hand: kept aside before Compose would replace it.
        ([old(stranger=True)], STOP, 1, IN_PLACE, "a"),
        # Compose alone hands data without a name on.
        ([old(keeps=True, alone=True)], STOP, 1, IN_PLACE, ""),
        ([sick(keeps=True, alone=True)], STOP, 1, ANEW, ""),
        ([right("a", keeps=True), sick("b")], STOP, 2, ANEW, ""),
        ([old(keeps=True, alone=True, stranger=True)], STOP, 1, ANEW, "a"),
        ([old(keeps=True, alone=True), old("b")], BY_ONES, 2, IN_PLACE, ""),
        ([old("a"), old("b")], BY_ONES, 2, IN_TURN, ""),
        ([old("a"), old("b")], STOP, 2, IN_PLACE, ""),
        ([old("a"), old("b")], Rules(order=STOP_FIRST, parallelism=2), 2, IN_PLACE, ""),
        ([old("a")], BY_ONES, 2, IN_PLACE, ""),
        ([right("a"), right("b")], BY_ONES, 2, IN_PLACE, ""),
        ([right("a"), sick("b")], BY_ONES, 2, IN_TURN, ""),
    ],
)
def test_the_way_of_a_service(
    there: list[Seen], rules: Rules, replicas: int, kind: str, first: str
) -> None:
    assert way(there, rules, replicas) == Way(kind, tuple(first))


def test_a_job_starts_beside_nothing() -> None:
    assert way([old()], FIRST, 1, job=True) == Way(IN_PLACE)


def test_who_cannot_start_is_made_anew_with_its_data() -> None:
    assert way([right(keeps=True, running=False)], STOP, 1, stranded=True) == Way(ANEW)
    assert way([right(running=False)], STOP, 1, stranded=True) == Way(IN_PLACE)


def test_rules_of_an_older_manifest_stop_first() -> None:
    assert Rules.of({"hash": "h1"}, "update").order == "stop-first"


@pytest.mark.parametrize(("parallelism", "left", "batch"), [(0, 3, 3), (1, 3, 1), (2, 1, 1)])
def test_a_batch(parallelism: int, left: int, batch: int) -> None:
    assert Rules(parallelism=parallelism).batch(left) == batch


@pytest.mark.parametrize(
    ("action", "ratio", "failed", "tolerated"),
    [
        ("rollback", 1.0, 1, False),
        ("rollback", 0.0, 0, True),
        ("continue", 0.0, 1, False),
        ("continue", 0.25, 1, True),
        ("continue", 0.25, 2, False),
    ],
)
def test_how_many_may_fail(action: str, ratio: float, failed: int, tolerated: bool) -> None:
    rules = Rules(on_failure=action, max_failure_ratio=ratio)
    assert rules.tolerates(failed, 4) == tolerated


def exchange(replicas: int, live: str, old: str) -> Exchange:
    return Exchange(Rules(order=START_FIRST), replicas, list(live), list(old))


def test_an_old_container_goes_when_its_place_is_taken() -> None:
    way = exchange(2, "", "ab")
    assert (way.left, way.retired()) == (2, [])
    way.live.append("x")
    assert way.retired() == ["a"]
    way.live.append("y")
    assert (way.retired(), way.left, way.old) == (["b"], 0, [])


def test_more_replicas_keep_the_old_until_the_last_places() -> None:
    way = exchange(4, "x", "ab")
    assert way.retired() == []
    way.live += "yz"
    assert way.retired() == ["a"]


def test_fewer_replicas_let_the_newest_go() -> None:
    way = exchange(1, "xyz", "")
    assert (way.retired(), way.live) == (["y", "z"], ["x"])


def test_a_tolerated_failure_frees_its_place() -> None:
    way = exchange(2, "x", "ab")
    way.failed = 1
    assert (way.left, way.retired()) == (0, ["a", "b"])


def test_stop_first_makes_room_by_portions() -> None:
    way = Exchange(BY_ONES, 2, [], ["a", "b"])
    assert (way.making_room(), way.room, way.serving) == (["a"], 1, ["b"])
    way.came(["x"], {})
    assert (way.serving, way.making_room(), way.room) == (["x", "b"], ["b"], 1)
    way.came(["y"], {})
    assert (way.serving, way.left, way.old) == (["x", "y"], 0, [])


def test_stop_first_brings_more_replicas_with_the_first_portion() -> None:
    way = Exchange(BY_ONES, 4, [], ["a", "b"])
    assert (way.making_room(), way.room) == (["a"], 3)


def test_stop_first_brings_none_while_there_are_too_many() -> None:
    way = Exchange(BY_ONES, 1, [], ["a", "b"])
    assert (way.making_room(), way.room) == (["a"], 0)
    assert (way.making_room(), way.room) == (["b"], 1)


def test_stop_first_lets_what_is_too_much_go_last() -> None:
    way = Exchange(BY_ONES, 2, ["x", "y", "z"], ["a"])
    assert (way.making_room(), way.room, way.serving) == (["a", "z"], 0, ["x", "y"])


def test_stop_first_counts_a_tolerated_failure_once() -> None:
    way = Exchange(BY_ONES, 2, [], ["a", "b"])
    way.making_room()
    way.came(["x"], {"x": "is unhealthy"})
    assert (way.serving, way.making_room(), way.room) == (["b"], ["b"], 1)
    way.came(["y"], {})
    assert (way.serving, way.left) == (["y"], 0)
