"""What containers hold, when two cannot hold it together, and who has to stop for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.host import holds
from maestro.host.holds import (
    ADDRESS,
    NAME,
    PATH,
    PORT,
    SHARE,
    VOLUME,
    Clash,
    Hold,
    Holder,
    Need,
)

DATA, READ = Hold(VOLUME, "shop_data"), Hold(VOLUME, "shop_data", writes=False)
VOLUMES = {
    "data": {"name": "shop_data"},
    "old": {"name": "legacy", "external": True},
    "bound": {"name": "b", "driver_opts": {"type": "none", "o": "bind", "device": "/srv/b"}},
    "nfs": {"name": "n", "driver_opts": {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/x"}},
    "memory": {"name": "m", "driver_opts": {"type": "tmpfs", "o": "size=1m", "device": "tmpfs"}},
}


def volume(source: str, **more: Any) -> dict[str, Any]:
    return {"type": "volume", "source": source, "target": "/data", **more}


def bind(source: str, **more: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": "/data", **more}


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ({}, []),
        ({"volumes": [volume("data")]}, [DATA]),
        ({"volumes": [volume("data", read_only=True)]}, [READ]),
        ({"volumes": [volume("old")]}, [Hold(VOLUME, "legacy")]),
        ({"volumes": [volume("bound")]}, [Hold(PATH, "/srv/b"), Hold(VOLUME, "b")]),
        ({"volumes": [volume("nfs")]}, [Hold(SHARE, "nfs 10.0.0.1 :/x"), Hold(VOLUME, "n")]),
        ({"volumes": [volume("memory")]}, [Hold(VOLUME, "m")]),
        ({"volumes": [{"type": "volume", "target": "/anonymous"}]}, []),
        ({"volumes": [{"type": "tmpfs", "target": "/data"}]}, []),
        ({"volumes": [bind("/srv//x/")]}, [Hold(PATH, "/srv/x")]),
        ({"volumes": [bind("/srv/x", read_only=True)]}, [Hold(PATH, "/srv/x", writes=False)]),
        ({"volumes": [bind("/dev/shm/x"), bind("/etc/localtime"), bind("/run/x.sock")]}, []),
        ({"volumes_from": ["lender"]}, [DATA]),
        ({"volumes_from": ["lender:ro"]}, [READ]),
        ({"volumes_from": ["container:other", "circle"]}, []),
        ({"container_name": "one"}, [Hold(NAME, "one")]),
        (
            {"ports": [{"published": "80"}, {"published": "9", "host_ip": "::"}]},
            [Hold(PORT, "80/tcp"), Hold(PORT, "9/tcp")],
        ),
        ({"ports": [{"published": "53", "protocol": "udp", "host_ip": "127.0.0.1"}]},
         [Hold(PORT, "127.0.0.1:53/udp")]),
        ({"ports": [{"target": 80}, {"published": "8000-8010"}]}, []),
        (
            {"networks": {"back": {"ipv4_address": "10.7.0.9", "mac_address": "02:AA"}, "x": None}},
            [Hold(ADDRESS, "shop_back 02:aa"), Hold(ADDRESS, "shop_back 10.7.0.9")],
        ),
    ],
)  # fmt: skip
def test_what_a_service_holds(service: dict[str, Any], found: list[Hold]) -> None:
    services = {
        "it": service,
        "lender": {"volumes": [volume("data")]},
        "circle": {"volumes_from": ["it"]},
    }
    networks = {"back": {"name": "shop_back"}}
    compose = {"services": services, "volumes": VOLUMES, "networks": networks}
    assert holds.of_service(service, compose, name="it") == found


def test_what_a_container_holds(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    item = {
        "Id": "1",
        "State": "running",
        "Names": ["/shop-db-1"],
        "Labels": {},
        "Mounts": [
            {"Type": "volume", "Name": "shop_data", "Source": "", "Destination": "/a", "RW": True},
            {"Type": "bind", "Source": f"{tmp_path}/link", "Destination": "/b", "RW": False},
            {"Type": "volume", "Name": "0" * 64, "Destination": "/c", "RW": True},
            {"Type": "tmpfs", "Source": "", "Destination": "/d", "RW": True},
        ],
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"},
            {"PrivatePort": 443, "Type": "tcp"},
        ],
        "NetworkSettings": {"Networks": {"shop_back": {"IPAddress": "10.7.0.9", "MacAddress": ""}}},
    }
    assert holds.now(item) == [
        Hold(ADDRESS, "shop_back 10.7.0.9"),
        Hold(NAME, "shop-db-1"),
        Hold(PATH, f"{tmp_path}/real", writes=False),
        Hold(PORT, "8000/tcp"),
        Hold(VOLUME, "0" * 64),
        Hold(VOLUME, "shop_data"),
    ]
    assert holds.nameless(item) == {"/c": "0" * 64}
    assert holds.now({**item, "State": "exited"}) == []
    (other,) = holds.of_others([item], "shop")
    assert (other["container"], [hold["name"] for hold in other["holds"]]) == (
        "shop-db-1",
        ["0" * 64, "shop_data"],
    )
    assert holds.load(holds.dump(holds.now(item))) == tuple(holds.now(item))


def test_what_lies_behind_a_volume_is_held_as_well() -> None:
    mounts = [{"Type": "volume", "Name": f"shop_{name}", "RW": True} for name in ("data", "plain")]
    item = {"Id": "1", "Names": ["/one"], "State": "running", "Mounts": mounts, "Labels": {}}
    options = {"type": "none", "o": "bind", "device": "/srv/no-such-path"}
    volumes = [{"Name": "shop_data", "Options": options}, {"Name": "shop_plain", "Options": None}]
    (seen,) = holds.behind([item], volumes)
    path = Hold(PATH, "/srv/no-such-path")
    assert holds.writes_data(holds.now(seen)) == [
        path,
        Hold(VOLUME, "shop_data"),
        Hold(VOLUME, "shop_plain"),
    ]
    compose = {"volumes": {"files": {"name": "shop_files", "driver_opts": options}}}
    mine = tuple(holds.of_service({"volumes": [volume("files")]}, compose, name="database"))
    holder = Holder("1", "db", tuple(holds.now(seen)))
    clashes = holds.in_the_way([Need("database", mine)], [holder], {"database": mine})
    assert clashes == [Clash(holder, "database", path)]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (DATA, DATA, True),
        (DATA, READ, True),
        (READ, READ, False),
        (DATA, Hold(VOLUME, "other"), False),
        (Hold(PATH, "/srv/a"), Hold(PATH, "/srv/a/b"), True),
        (Hold(PATH, "/srv/a"), Hold(PATH, "/srv/ab"), False),
        (Hold(PATH, "/srv/a"), Hold(PATH, "/"), True),
        (Hold(PATH, "/srv/a"), Hold(PATH, "/", writes=False), False),
        (Hold(PATH, "/srv/a"), Hold(PATH, "/srv/a", writes=False), True),
        (DATA, Hold(PATH, "/var/lib/docker/volumes/shop_data/_data"), True),
        (DATA, Hold(PATH, "/var/lib/docker/volumes/shop_data/_data/base"), True),
        (DATA, Hold(PATH, "/shop_data"), False),
        (Hold(PORT, "80/tcp"), Hold(PORT, "127.0.0.1:80/tcp"), True),
        (Hold(PORT, "127.0.0.2:80/tcp"), Hold(PORT, "127.0.0.1:80/tcp"), False),
        (Hold(PORT, "80/tcp"), Hold(PORT, "80/udp"), False),
        (Hold(NAME, "x"), Hold(VOLUME, "x"), False),
    ],
)
def test_who_cannot_hold_it_together(one: Hold, other: Hold, clash: bool) -> None:
    assert holds.clash(one, other) == clash
    assert holds.clash(other, one) == clash


def there(service: str, *found: Hold, stays: bool = False) -> Holder:
    return Holder(f"{service}-1", service, found, stays)


LOG = Hold(PATH, "/srv/log")
# What comes, who is there, what the release to come holds: who has to stop.
CASES: dict[str, tuple[list[Need], list[Holder], dict[str, list[Hold]], list[str]]] = {
    "a renamed writer": ([Need("new", (DATA,))], [there("old", DATA)], {"new": [DATA]}, ["old"]),
    "start-first by the file": (
        [Need("new", (DATA,), beside=True)],
        [there("old", DATA)],
        {"new": [DATA]},
        [],
    ),
    "a port has no second holder": (
        [Need("new", (Hold(PORT, "80/tcp"),), beside=True)],
        [there("old", Hold(PORT, "80/tcp"))],
        {"new": []},
        ["old"],
    ),
    "both read": ([Need("new", (READ,))], [there("old", READ)], {"new": [READ]}, []),
    "one reads": ([Need("new", (READ,))], [there("old", DATA)], {"new": [READ]}, ["old"]),
    "its own container": ([Need("db", (DATA,))], [there("db", DATA)], {"db": [DATA]}, []),
    "two that share it before": (
        [Need("a", (DATA,))],
        [there("a", DATA), there("gone", DATA)],
        {"a": [DATA]},
        [],
    ),
    "two that share it from now on": (
        [Need("b", (DATA,))],
        [there("a", DATA)],
        {"a": [DATA], "b": [DATA]},
        [],
    ),
    "who wrote reads from now on": (
        [Need("b", (DATA,))],
        [there("a", DATA)],
        {"a": [READ], "b": [DATA]},
        ["a"],
    ),
    "it read before and writes now": (
        [Need("b", (DATA,))],
        [there("a", DATA), there("b", READ)],
        {"b": [DATA]},
        ["a"],
    ),
    "handed from one that stays to another": (
        [Need("b", (DATA,)), Need("a", (LOG,))],
        [there("a", DATA), there("b", LOG)],
        {"a": [LOG], "b": [DATA]},
        ["a", "b"],
    ),
    "what is right already": (
        [Need("b", (DATA,))],
        [there("a", DATA, stays=True)],
        {"a": [DATA], "b": [DATA]},
        [],
    ),
    "a third one": (
        [Need("c", (DATA,))],
        [there("a", DATA), there("b", DATA)],
        {"b": [DATA], "c": [DATA]},
        ["a"],
    ),
}


@pytest.mark.parametrize(("needs", "running", "aim", "stops"), CASES.values(), ids=CASES)
def test_who_stops_before_others_start(
    needs: list[Need], running: list[Holder], aim: dict[str, list[Hold]], stops: list[str]
) -> None:
    found = holds.in_the_way(needs, running, aim)
    assert sorted({clash.holder.service for clash in found}) == stops


def test_what_waits_to_be_started_again_takes_its_ports_again() -> None:
    item = {"Id": "1", "Names": ["/one"], "State": "restarting", "Ports": []}
    detail = {
        "HostConfig": {
            "PortBindings": {
                "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}],
                "53/udp": [{"HostIp": "", "HostPort": "53"}, {"HostIp": "", "HostPort": ""}],
                "9/tcp": None,
            }
        },
        "NetworkSettings": {
            "Networks": {"back": {"IPAMConfig": {"IPv4Address": "10.7.0.9"}}, "x": {}}
        },
    }
    assert holds.now(item, detail) == [
        Hold(ADDRESS, "back 10.7.0.9"),
        Hold(NAME, "one"),
        Hold(PORT, "127.0.0.1:18080/tcp"),
        Hold(PORT, "53/udp"),
    ]
    assert holds.now({**item, "State": "running"}, detail) == [Hold(NAME, "one")]
    assert holds.now({**item, "State": "exited"}, detail) == []
