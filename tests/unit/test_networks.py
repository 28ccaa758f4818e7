"""Networks and volumes of a file beside those the Engine has: what differs, and what follows."""

from __future__ import annotations

from typing import Any

import pytest
import stack_models as models

from maestro.host import resources
from maestro.host.drift import digest
from maestro.host.engine import Engine
from maestro.host.labels import CONFIG_HASH, NETWORK, ONE_OFF, PROJECT, SERVICE
from maestro.host.resources import Network, Resources, Use, Volume
from maestro.plan import compare, networks, reasons, records
from maestro.plan.reasons import Reason

BACK = "shop_back"
OURS = {PROJECT: "shop"}
SUBNET = {"subnet": "10.7.0.0/24"}
GATEWAY = {"subnet": "10.7.0.0/24", "gateway": "10.7.0.1"}


def compose(definition: dict[str, Any], kind: str = "networks") -> dict[str, Any]:
    return {"name": "shop", "services": {}, kind: {"back": {"name": BACK, "ipam": {}} | definition}}


def live(**changes: Any) -> Network:
    return Network(**{"name": BACK, "id": "1", "labels": OURS, "subnets": (GATEWAY,), **changes})


def differences(new: dict[str, Any], before: dict[str, Any] | None, there: Network) -> list[str]:
    recorded = {} if before is None else compose(before)
    found = networks.anew(compose(new), recorded, Resources({BACK: there}), "shop")
    return list(map(reasons.shown, found[0].reasons)) if found else []


@pytest.mark.parametrize(
    ("new", "before", "there", "differs"),
    [
        ({}, {}, {}, []),
        ({}, None, {}, []),
        ({"driver": "bridge"}, {}, {}, []),
        ({"internal": True}, {}, {}, ["internal"]),
        ({}, {"internal": True}, {"internal": True}, ["internal"]),
        # A host on which nothing was done when the file changed.
        ({"internal": True}, {"internal": True}, {}, ["internal"]),
        ({"attachable": True}, None, {}, ["attachable"]),
        ({"enable_ipv6": True}, {}, {}, ["enable_ipv6"]),
        # The Engine's own default.
        ({}, {}, {"enable_ipv6": True}, []),
        ({}, {"enable_ipv6": True}, {"enable_ipv6": True}, ["enable_ipv6"]),
        ({"driver": "macvlan"}, {}, {}, ["driver"]),
        ({}, {"driver": "macvlan"}, {"driver": "macvlan"}, ["driver"]),
        ({"driver_opts": {"a": "1"}}, {}, {"options": {"a": "1"}}, []),
        ({"driver_opts": {"a": "1"}}, {}, {"options": {"a": "2"}}, ["driver_opts a"]),
        ({}, {"driver_opts": {"a": "1"}}, {"options": {"a": "1"}}, ["driver_opts a"]),
        ({}, {}, {"options": {"of.the.engine": "1"}}, []),
        ({"labels": {"a": "$$1"}}, {}, {"labels": {**OURS, "a": "$1"}}, []),
        ({"labels": {"a": "1", "b": "2"}}, {}, {}, ["labels a, b"]),
        ({}, {"labels": {"a": "1"}}, {"labels": {**OURS, "a": "1"}}, ["labels a"]),
        ({"ipam": {"config": [SUBNET]}}, {}, {}, []),
        ({"ipam": {"config": [{"subnet": "10.7.0.9/24"}]}}, {}, {}, []),
        ({"ipam": {"config": [{"subnet": "10.8.0.0/24"}]}}, {}, {}, ["ipam"]),
        ({"ipam": {"config": [SUBNET | {"gateway": "10.7.0.2"}]}}, {}, {}, ["ipam"]),
        ({"ipam": {"config": [SUBNET | {"ip_range": "10.7.0.0/25"}]}}, {}, {}, ["ipam"]),
        ({}, {"ipam": {"config": [SUBNET]}}, {}, ["ipam"]),
        ({"ipam": {"config": [SUBNET]}}, {"ipam": {"config": [GATEWAY]}}, {}, ["ipam"]),
        ({"ipam": {"driver": "own"}}, {}, {}, ["ipam"]),
        ({"ipam": {"options": {"a": "1"}}}, {}, {}, ["ipam"]),
        ({"enable_ipv4": False}, {}, {}, ["enable_ipv4"]),
        ({"x-note": "1"}, {}, {"labels": {**OURS, CONFIG_HASH: "h"}}, []),
        # Compose itself would replace it, and cannot.
        ({"driver": "bridge"}, {}, {"labels": {**OURS, CONFIG_HASH: "h"}}, ["definition"]),
    ],
)
def test_what_of_a_network_differs(
    new: dict[str, Any],
    before: dict[str, Any] | None,
    there: dict[str, Any],
    differs: list[str],
) -> None:
    assert differences(new, before, live(**there)) == differs


def test_an_external_network_is_compared_with_nothing() -> None:
    new = {"external": True, "internal": True}
    assert not differences(new, {}, live())


def use(service: str, project: str = "shop", *on: str) -> Use:
    return Use(f"{project}-{service}-1", project, service, on or (BACK,))


def test_a_network_that_goes_makes_room_for_one_with_its_addresses() -> None:
    old = Network("shop_old", "2", labels=OURS, subnets=(GATEWAY,))
    there = Resources({"shop_old": old}, {}, (use("web", "shop", "shop_old"),))
    wanted = compose({"ipam": {"config": [SUBNET]}})
    (found,) = networks.anew(wanted, {}, there, "shop")
    assert found.shown == "shop_old is removed (shop_back needs its addresses): replaces web"
    assert not networks.preflight("h", wanted, there, [found], "shop")
    theirs = Resources({"other": Network("other", labels={PROJECT: "mail"}, subnets=(GATEWAY,))})
    (problem,) = networks.preflight("h", wanted, theirs, [], "shop")
    assert problem.what == (
        "the addresses of the network shop_back are those of other of mail as well"
    )


def test_two_networks_of_one_file_do_not_overlap() -> None:
    def file(first: str, second: str) -> dict[str, Any]:
        ends = {"back": first, "front": second}
        found = {key: {"ipam": {"config": [{"subnet": subnet}]}} for key, subnet in ends.items()}
        return {"name": "shop", "services": {}, "networks": {**found, "any": {}}}

    (problem,) = networks.preflight(
        "h", file("10.9.0.0/16", "10.9.7.0/24"), Resources(), [], "shop"
    )
    assert problem.what == "the addresses of back and of front overlap"
    assert not networks.preflight("h", file("10.9.0.0/24", "10.9.1.0/24"), Resources(), [], "shop")


def test_strangers_on_a_network_that_is_to_be_made_anew() -> None:
    there = Resources({BACK: live()}, {}, (use("web"), use("app", "mail")))
    wanted = compose({"internal": True})
    renewed = networks.anew(wanted, {}, there, "shop")
    (problem,) = networks.preflight("h", wanted, there, renewed, "shop")
    assert problem.what == (
        "the network shop_back is recreated (internal): replaces web, and containers that are "
        "no service of shop are on it: mail-app-1"
    )
    assert "docker network disconnect -f shop_back mail-app-1" in problem.fix


def test_a_command_that_runs_beside_the_services_keeps_their_network() -> None:
    def listed(name: str, state: str, one_off: str) -> dict[str, Any]:
        labels = {PROJECT: "shop", SERVICE: "web", ONE_OFF: one_off}
        at = {"Networks": {BACK: {}}}
        return {"Names": [f"/{name}"], "Labels": labels, "State": state, "NetworkSettings": at}

    class Made(Engine):
        def networks(self) -> list[dict[str, Any]]:
            return []

    there = [
        listed("shop-web-1", "running", "False"),
        listed("shop-web-run-1", "running", "True"),
        listed("shop-web-run-2", "exited", "True"),
    ]
    uses = resources.read(Made(), there, []).uses
    wanted = compose({"internal": True})
    found = Resources({BACK: live()}, {}, uses)
    renewed = networks.anew(wanted, {}, found, "shop")
    assert [item.services for item in renewed] == [("web",)]
    (problem,) = networks.preflight("h", wanted, found, renewed, "shop")
    assert problem.what.endswith("no service of shop are on it: shop-web-run-1")


def test_a_network_that_has_another_key_is_made_anew() -> None:
    """Compose refuses it: its label names the key that the file before had."""
    recorded = compose({})
    made = live(labels={**OURS, NETWORK: "front"})
    (found,) = networks.anew(compose({}), recorded, Resources({BACK: made}), "shop")
    assert reasons.all_shown(found.reasons) == "the file called it front before"
    assert not networks.anew(compose({}), recorded, Resources({BACK: live()}), "shop")


@pytest.mark.parametrize("kind", ["networks", "volumes"])
def test_what_is_external_must_be_there(kind: str) -> None:
    wanted = compose({"external": True, "name": "web"}, kind)
    (problem,) = networks.preflight("h", wanted, Resources(), [], "shop")
    assert problem.what == f"the external {kind[:-1]} web is not there"
    assert problem.where == f"h: {kind}.back"
    assert f"docker {kind[:-1]} create web" in problem.fix
    there = Resources({"web": live(name="web")}, {"web": Volume("web")})
    assert not networks.preflight("h", wanted, there, [], "shop")


@pytest.mark.parametrize(
    ("new", "before", "there", "differs"),
    [
        ({}, {}, {}, ""),
        ({"driver": "local"}, {}, {}, ""),
        ({"driver": "nfs"}, {}, {}, "driver"),
        ({"driver_opts": {"o": "size=1m"}}, {}, {"options": {"o": digest("size=1m")}}, ""),
        ({"driver_opts": {"o": "size=1m"}}, {}, {}, "driver_opts o"),
        ({"driver_opts": {"o": "a"}}, {}, {"options": {"o": digest("b")}}, "driver_opts o"),
        ({}, {"driver_opts": {"o": "a"}}, {"options": {"o": digest("a")}}, "driver_opts o"),
        ({"labels": {"a": "1"}}, {}, {}, "labels a"),
    ],
)
def test_what_of_a_volume_differs(
    new: dict[str, Any], before: dict[str, Any], there: dict[str, Any], differs: str
) -> None:
    found = networks.changed_volumes(
        "h",
        compose(new, "volumes"),
        compose(before, "volumes"),
        Resources({}, {BACK: Volume(BACK, **there)}),
    )
    assert [problem.where for problem in found] == (["h: volumes.back"] if differs else [])
    assert all(f"now: {differs};" in problem.what for problem in found)


def test_a_plan_replaces_all_that_is_on_the_network() -> None:
    model = models.shop()
    before = models.running(model)
    model["networks"]["default"]["internal"] = True
    there = Resources(
        {"shop_default": Network("shop_default", "1", labels=OURS)},
        {},
        tuple(use(name, "shop", "shop_default") for name in ("db", "gone", "web")),
    )
    state = before | {"resources": there.as_dict()}
    state["containers"] = [*before["containers"], models.container("gone", "h")]
    rendered = models.rendered(model)
    wish = {
        "stack": "shop",
        "version": "v1",
        "extension": {},
        "routes": [{"name": "web-0", "service": "web"}],
    }
    plan = compare.decide("h", "staging", rendered, state, images={}, wish=wish)
    assert [item.shown for item in plan.networks] == [
        "shop_default is recreated (internal): replaces db, gone, web"
    ]
    assert plan.services(records.REPLACE) == ["db", "web"]
    assert all(
        Reason(reasons.NETWORK, ("shop_default",)) in step.reasons for step in plan.steps[:2]
    )
    assert compare.in_the_way(plan, rendered, state["file"]) == ["gone"]
    (pause,) = plan.warnings
    assert pause.startswith("requests to web fail while the network shop_default is recreated")


def test_what_the_status_tells() -> None:
    file = compose({"internal": True}) | {"volumes": {"data": {}}}
    there = Resources({BACK: live()})
    assert networks.drift(file, there) == [
        "network shop_back is not as released: internal",
        "volume shop_data: missing",
    ]
