"""What a removal takes and what it leaves, decided from what hosts have."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.host.removal import Found
from maestro.plan import describe, removal


def state(**changes: Any) -> dict[str, Any]:
    there = Found(
        services=["db", "web"],
        strangers=[],
        networks=["shop_default"],
        volumes=["shop_data", "shop_cache"],
        used={},
        images=["registry.test:5000/web@sha256:1"],
        releases=["r1", "r2"],
        secrets=["key"],
        routes=["web-0"],
        known=True,
    )
    return {
        "release": {"id": "r2", "version": "v2"},
        "containers": [{"id": "c2"}, {"id": "c1"}],
        "lease": {},
        "found": {**asdict(there), **changes},
    }


NOTHING = {
    "release": {},
    "containers": [],
    "lease": {},
    "found": asdict(Found([], [], [], [], {}, [], [], [], [], known=False)),
}


def asked(*volumes: str, **more: Any) -> removal.Asked:
    return removal.Asked("shop", "staging", volumes, **more, run=models.run())


def shown(decision: Any) -> list[str]:
    return describe.describe(decision.plans, decision.digest).splitlines()


def test_all_goes_but_volumes_that_are_not_named() -> None:
    decision = removal.decide(asked("shop_cache"), {"a": state()})
    assert shown(decision)[:-1] == [
        "shop on a (staging): v2 -> nothing",
        "    route     web-0 (removed)",
        "    remove    db",
        "    remove    web",
        "    remove    network shop_default",
        "    remove    secret key in all its versions",
        "    remove    volume shop_cache with all its data",
        "    remove    image registry.test:5000/web@sha256:1",
        "    remove    2 releases: no release is left to roll back to",
        "    keep      volume shop_data (to remove its data too: -e volumes=shop_data)",
    ]
    answer = decision.answer()
    assert answer["changing"] == ["a"]
    work = answer["hosts"]["a"]
    assert work["volumes"] == ["shop_cache"]
    assert work["expect"] == {"release": "r2", "containers": ["c1", "c2"]}
    assert work["claim"]["serves"] == "r2"
    assert work["claim"]["armed"]
    assert work["claim"]["plan"] == decision.digest


def test_a_volume_named_changes_the_plan_that_is_approved() -> None:
    digests = {
        removal.decide(asked(*names), {"a": state()}).digest
        for names in ((), ("shop_cache",), ("shop_data",))
    }
    assert len(digests) == 3


def test_a_host_that_has_nothing_of_it_is_left_alone() -> None:
    decision = removal.decide(asked(), {"a": state(), "b": NOTHING})
    assert decision.answer()["changing"] == ["a"]
    again = removal.decide(asked("shop_data"), {"b": {**NOTHING, "found": gone()}})
    assert again.answer()["changing"] == []
    assert shown(again)[0] == "shop on b (staging): nothing, no change"


def gone() -> dict[str, Any]:
    return {**NOTHING["found"], "known": True}


def test_volumes_alone_can_go_later() -> None:
    left = {**gone(), "volumes": ["shop_data"]}
    decision = removal.decide(asked("shop_data"), {"a": {**NOTHING, "found": left}})
    assert decision.answer()["changing"] == ["a"]
    assert not decision.hosts["a"]["claim"]["armed"]


@pytest.mark.parametrize(
    ("volumes", "found", "words"),
    [
        ((), {"used": {"shop_default": ["guest"]}}, "shop_default of the stack shop is used by"),
        (("shop_data",), {"used": {"shop_data": ["guest"]}}, "shop_data of the stack shop is used"),
        (("shop_dat",), {}, "did you mean shop_data?"),
    ],
)
def test_what_stands_in_the_way_is_named(
    volumes: tuple[str, ...], found: dict[str, Any], words: str
) -> None:
    with pytest.raises(MaestroError) as caught:
        removal.decide(asked(*volumes), {"a": state(**found)})
    assert words in str(caught.value)


def test_a_volume_that_stays_may_be_in_use() -> None:
    removal.decide(asked(), {"a": state(used={"shop_data": ["guest"]})})


def test_a_stack_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(MaestroError, match="was never deployed to these hosts"):
        removal.decide(asked(), {"a": NOTHING, "b": NOTHING})


def test_a_stack_that_is_being_deployed_is_not_removed_but_can_be_looked_at() -> None:
    held = {**state(), "lease": {"held": True, "owner": "jo"}}
    with pytest.raises(MaestroError, match="is being changed by jo"):
        removal.decide(asked(), {"a": held})
    assert removal.decide(asked(dry=True), {"a": held}).plans
