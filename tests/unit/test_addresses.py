"""Fixed addresses of services that nobody could have."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.host.resources import Network, Resources
from maestro.plan import addresses

RANGE = {"subnet": "10.7.0.0/24"}
OTHER = {"config": [{**RANGE, "gateway": "10.7.0.2"}]}
LIVE = Network("shop_back", "1", subnets=({**RANGE, "gateway": "10.7.0.1"},))


def compose(ipam: dict[str, Any] | None = None, **fixed: str) -> dict[str, Any]:
    back = {"name": "shop_back", "ipam": {"config": [RANGE]} if ipam is None else ipam}
    services = {
        name: {"networks": {"back": {"ipv4_address": address} if address else None}}
        for name, address in fixed.items()
    }
    return {"name": "shop", "services": services, "networks": {"back": back}}


def container(service: str, *at: str) -> dict[str, Any]:
    holds = [{"kind": "address", "name": f"shop_back {ip}", "writes": True} for ip in at]
    return {"service": service, "holds": holds}


@pytest.mark.parametrize(
    ("file", "live", "staying", "why"),
    [
        (compose(web="10.7.0.9"), True, (), ""),
        (compose(web="10.7.0.9"), False, (), ""),
        (compose(web="10.8.0.9"), True, (), "is in no subnet of the network (10.7.0.0/24)"),
        (compose(web="10.8.0.9"), False, (), "is in no subnet of the network (10.7.0.0/24)"),
        (compose(web="10.7.0.1"), True, (), "is the network's gateway"),
        (compose(web="10.7.0.1"), False, (), "is the network's gateway"),
        (
            compose(web="10.7.0.1", ipam={"config": [{**RANGE, "gateway": "10.7.0.2"}]}),
            False,
            (),
            "",
        ),
        (compose(app="10.7.0.9", web="10.7.0.9"), True, (), "is also used by app"),
        # What has the address keeps it, unless it is replaced itself.
        (
            compose(web="10.7.0.9", db=""),
            True,
            (container("db", "10.7.0.9"),),
            "is used by a container of db now, which stays",
        ),
        (compose(web="10.7.0.9", db=""), False, (container("db", "10.7.0.9"),), ""),
        (compose(web="10.7.0.9"), True, (container("web", "10.7.0.9"),), ""),
        # The Engine chooses the addresses; those of the other kind are not known.
        (compose(web="10.8.0.9", ipam={}), False, (), ""),
        (compose(web="fd00::9"), True, (), ""),
        (compose(web="nonsense"), True, (), ""),
    ],
)
def test_addresses(file: dict[str, Any], live: bool, staying: Any, why: str) -> None:
    there = Resources({"shop_back": LIVE})
    renewed = set() if live else {"shop_back"}
    found = list(addresses.problems("h", file, there, renewed, staying))
    (address,) = (end["ipv4_address"] for end in file["services"]["web"]["networks"].values())
    assert [problem.what for problem in found] == ([f"the address {address} {why}"] if why else [])
    if why:
        assert found[0].where == "h: services.web.networks.back.ipv4_address"


V6 = {"subnet": "fd00:7::/64"}


@pytest.mark.parametrize(
    ("said", "back", "wrong"),
    [
        # What is no network says nothing of any address.
        ("10.7.0.9", {"ipam": {"config": [{"subnet": "10.7.0.0/33"}]}}, False),
        # Each subnet has a gateway of its own: the one it names, or its first address.
        ("10.7.0.1", {"ipam": {"config": [{**RANGE, "gateway": "10.7.0.254"}, V6]}}, False),
        ("10.7.0.254", {"ipam": {"config": [{**RANGE, "gateway": "10.7.0.254"}, V6]}}, True),
        ("10.7.0.1", {"ipam": {"config": [RANGE, {**V6, "gateway": "fd00:7::9"}]}}, True),
        ("fd00:7::1", {"ipam": {"config": [{**RANGE, "gateway": "10.7.0.254"}, V6]}}, True),
        ("fd00:7::9", {"ipam": {"config": [{**V6, "gateway": "fd00:7:0::0:9"}]}}, True),
        # Only a bridge that leads outside takes one without being asked.
        ("10.7.0.1", {"ipam": {"config": [RANGE]}, "driver": "bridge"}, True),
        ("10.7.0.1", {"ipam": {"config": [RANGE]}, "driver": "macvlan"}, False),
        ("10.7.0.1", {"ipam": {"config": [RANGE]}, "internal": True}, False),
        (
            "10.7.0.1",
            {"ipam": {"config": [{**RANGE, "gateway": "10.7.0.1"}]}, "driver": "macvlan"},
            True,
        ),
        # It is taken from the range, where there is one.
        ("10.7.0.1", {"ipam": {"config": [{**RANGE, "ip_range": "10.7.0.128/25"}]}}, False),
        ("10.7.0.1", {"ipam": {"config": [{**RANGE, "ip_range": "10.7.0.0/25"}]}}, True),
        ("255.255.255.255", {"ipam": {"config": [{"subnet": "255.255.255.255/32"}]}}, False),
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_gateways(said: str, back: dict[str, Any], wrong: bool, live: bool) -> None:
    key = "ipv6_address" if ":" in said else "ipv4_address"
    file = compose()
    file["services"] = {"web": {"networks": {"back": {key: said}}}}
    file["networks"]["back"] = {"name": "shop_back", **back}
    made = Network(
        "shop_back",
        "1",
        driver=back.get("driver", "bridge"),
        internal=back.get("internal", False),
        subnets=tuple(back["ipam"]["config"]),
    )
    there = Resources({"shop_back": made} if live else {})
    found = [problem.what for problem in addresses.problems("h", file, there, (), ())]
    assert found == ([f"the address {said} is the network's gateway"] if wrong else [])
