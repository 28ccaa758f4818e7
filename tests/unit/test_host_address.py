"""Where a host reaches a container, and where it does not."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from maestro.host import address
from maestro.host.labels import SERVICE
from maestro.host.resources import Network

SUBNETS = {"a": "10.1.0.", "b": "10.2.0.", "far": "10.3.0."}


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """From which of its addresses the host sends, by the first three numbers of the receiver's."""
    found = {prefix: f"{prefix}1" for prefix in SUBNETS.values()}
    monkeypatch.setattr(address, "_source", lambda to: found.get(to.rpartition(".")[0] + ".", ""))
    return found


def container(*networks: str, mode: str = "", **priorities: int) -> dict[str, Any]:
    return {
        "Labels": {SERVICE: "web"},
        "HostConfig": {"NetworkMode": mode or "shop_default"},
        "NetworkSettings": {
            "Networks": {
                name: {
                    "NetworkID": name,
                    "IPAddress": f"{SUBNETS[name]}9" if name in SUBNETS else "",
                    "GwPriority": priorities.get(name, 0),
                }
                for name in networks
            }
        },
    }


def book(found: dict[str, dict[str, Any]], **more: Any) -> address.Book:
    drivers = {"far": "macvlan"}
    networks = {
        name: Network(
            name,
            name,
            driver=drivers.get(name, "bridge"),
            subnets=({"subnet": f"{prefix}0/24", "gateway": f"{prefix}1"},),
        )
        for name, prefix in SUBNETS.items()
    }
    return address.Book(found, networks, **more)


@pytest.mark.parametrize(
    ("item", "more", "where"),
    [
        (container("a", "b"), {}, "10.1.0.9"),
        (container("a", "b", b=1), {}, "10.2.0.9"),
        (container("a", "b"), {"via": {"web": "b"}}, "10.2.0.9"),
        (container("a", "b"), {"via": {"web": "a"}, "wanted": {"web": "b"}}, "10.2.0.9"),
        # A container of the release before is not on the network that is named now.
        (container("a"), {"wanted": {"web": "b"}}, "10.1.0.9"),
        (container("far", "b"), {}, "10.2.0.9"),
        (container("far"), {}, ""),
        (container("far"), {"via": {"web": "far"}, "wanted": {"web": "far"}}, ""),
        (container("host"), {}, "127.0.0.1"),
        (container("none"), {}, ""),
        (container(mode="container:vpn"), {}, "10.1.0.8"),
        (container(mode="container:nobody"), {}, ""),
        (container(mode="container:web"), {}, ""),
        (container(mode="container:chain"), {}, "10.1.0.8"),
    ],
)
def test_the_address_of_a_container(
    routes: dict[str, str], item: dict[str, Any], more: dict[str, Any], where: str
) -> None:
    vpn = container("a")
    vpn["NetworkSettings"]["Networks"]["a"]["IPAddress"] = "10.1.0.8"
    chain = container(mode="container:vpn")
    assert book({"web": item, "vpn": vpn, "chain": chain}, **more).of("web") == where
    assert book({}, **more).of("web") == ""


def test_addresses_that_are_somebody_else_s_on_this_host(routes: dict[str, str]) -> None:
    there = {"web": container("a", "b")}
    routes["10.1.0."] = "10.1.0.77"  # another interface has the same addresses
    assert book(there).of("web") == "10.2.0.9"
    routes["10.2.0."] = "192.168.0.5"  # another way altogether
    assert book(there).of("web") == ""
    routes["10.2.0."] = ""
    assert book(there).of("web") == ""


def test_the_network_that_answers_is_found_by_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUBNETS, "a", "127.0.1.")
    monkeypatch.setitem(SUBNETS, "b", "127.0.2.")
    monkeypatch.setattr(address, "_source", lambda to: to.rpartition(".")[0] + ".1")
    there = {"web": container("a", "b")}
    with socket.create_server(("127.0.2.9", 0)) as server:
        port = server.getsockname()[1]
        assert address.prove(book(there), "web", [port], 0) == ("b", "")
        wanted = book(there, wanted={"web": "a"})
        network, problem = address.prove(wanted, "web", [port], 0)
        assert not network
        assert problem == (
            f"takes no connection (a: 127.0.1.9 port {port}: Connection refused): it must listen "
            "on this port, and on 0.0.0.0 instead of 127.0.0.1"
        )
    network, problem = address.prove(book(there), "web", [port], 0.2)
    assert "a: 127.0.1.9" in problem
    assert "b: 127.0.2.9" in problem
    assert address.prove(book({"web": container("a")}, wanted={"web": "b"}), "web", [1], 0) == (
        "",
        "is not reached at b, the network its route names",
    )
    assert address.prove(book({"web": container("far")}), "web", [1], 0) == (
        "",
        "has no address that this host reaches",
    )


def test_the_way_the_kernel_would_take() -> None:
    assert address._source("127.0.0.9") == "127.0.0.1"
    assert address._source("not an address") == ""
