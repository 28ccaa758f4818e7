"""Ports of a host: who listens where, and which services of a release find theirs taken."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from fake_engine import summary

from maestro.host import edge
from maestro.host import ports as listeners
from maestro.host.ports import CONTAINER, EDGE, PROGRAM, Taken
from maestro.stack import ports

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"
LINE = "   0: {} {}:0000 {} 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
NOBODY = "00000000"
TCP = HEAD + "".join(
    LINE.format(local, remote, state)
    for local, remote, state in (
        ("00000000:0050", NOBODY, "0A"),
        ("0100007F:0051", NOBODY, "0A"),
        ("00000000:0052", "0200000A", "01"),
    )
)
TCP6 = HEAD + LINE.format("0" * 32 + ":01BB", "0" * 32, "0A")
UDP = (
    HEAD
    + LINE.format("3500007F:0035", NOBODY, "07")
    + LINE.format("0200000A:1000", "0300000A", "07")
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for name, text in {"tcp": TCP, "tcp6": TCP6, "udp": UDP}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("apart", [True, False])
def test_what_listens_where(proc: Path, apart: bool) -> None:
    found = listeners.listening(proc, lambda *_: apart)
    both = set() if apart else {("0.0.0.0", 443, "tcp")}
    assert found == {
        ("0.0.0.0", 80, "tcp"),
        ("127.0.0.1", 81, "tcp"),
        ("::", 443, "tcp"),
        ("127.0.0.53", 53, "udp"),
        *both,
    }


@pytest.mark.parametrize("only", [True, False])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_real_socket_that_takes_both_families_or_one(kind: int, only: bool) -> None:
    with socket.socket(socket.AF_INET6, kind) as real:
        real.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))
        real.bind(("::", 0))
        if kind == socket.SOCK_STREAM:
            real.listen()
        port, protocol = real.getsockname()[1], "tcp" if kind == socket.SOCK_STREAM else "udp"
        found = listeners.listening()
        assert ("::", port, protocol) in found
        assert (("0.0.0.0", port, protocol) in found) is not only


def test_whose_port_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = {
        ("0.0.0.0", 8080, "tcp"),  # the stack's own
        ("0.0.0.0", 25, "tcp"),  # another container's
        ("127.0.0.1", 8080, "tcp"),  # a program beside the stack's own
        ("::", 80, "tcp"),
    }
    monkeypatch.setattr(listeners, "listening", lambda _proc: here)
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path)

    def port(number: int, kind: str = "tcp") -> dict[str, Any]:
        return {"IP": "0.0.0.0", "PrivatePort": 1, "PublicPort": number, "Type": kind}

    listed = [
        summary(Ports=[port(8080), {"PrivatePort": 1, "Type": "tcp"}]),
        summary(stack="mail", Ports=[port(25)]),
        {"Names": ["/lone"], "Labels": {}, "Ports": [port(53, "udp")], "HostConfig": {}},
        {"Names": ["/none"], "Labels": {}, "HostConfig": {}},
    ]
    theirs = [
        Taken("0.0.0.0", 25, "tcp", CONTAINER, "mail-web-1"),
        Taken("0.0.0.0", 53, "udp", CONTAINER, "lone"),
    ]

    def others() -> list[Taken]:
        return Taken.all_of({"ports": listeners.of_others(listed, "shop")})

    programs = [Taken("127.0.0.1", 8080, "tcp", PROGRAM), Taken("::", 80, "tcp", PROGRAM)]
    assert others() == [*theirs, *programs]
    (tmp_path / "edge.json").write_text("{}")
    assert others() == [*theirs, programs[0], Taken("::", 80, "tcp", EDGE)]
    # What listens may be the stack's own.
    listed[0]["HostConfig"] = {"NetworkMode": "host"}
    assert others() == [*theirs, Taken("::", 80, "tcp", EDGE)]


def entry(published: str, address: str = "", protocol: str = "tcp") -> dict[str, Any]:
    return {"target": 80, "published": published, "protocol": protocol, "host_ip": address}


@pytest.mark.parametrize(
    ("port", "address", "refused"),
    [
        (entry("80"), "0.0.0.0", True),
        (entry("80"), "127.0.0.1", True),
        (entry("80"), "::1", True),
        (entry("80", "127.0.0.1"), "0.0.0.0", True),
        (entry("80", "127.0.0.1"), "127.0.0.1", True),
        (entry("80", "127.0.0.1"), "127.0.0.2", False),
        (entry("80", "127.0.0.1"), "::", False),
        (entry("80", "::"), "0.0.0.0", False),
        (entry("80", "[::1]"), "::", True),
        (entry("80", protocol="udp"), "0.0.0.0", False),
        (entry("79-80"), "0.0.0.0", False),
        (entry("80-80"), "0.0.0.0", True),
    ],
)
def test_a_port_somebody_else_has(port: dict[str, Any], address: str, refused: bool) -> None:
    taken = [Taken(address, 80, "tcp", CONTAINER, "other-1")]
    found = ports.preflight("h", {"web": {"ports": [port]}}, taken)
    assert bool(found) is refused


def test_a_range_needs_a_port_for_each_container() -> None:
    taken = [Taken("0.0.0.0", 80, "tcp", PROGRAM)]
    web = {"ports": [entry("79-80")], "deploy": {"replicas": 2}}
    (problem,) = ports.preflight("h", {"web": web}, taken)
    assert problem.what == (
        "port 79-80/tcp of service web is taken by a program of the host at 0.0.0.0:80"
    )
    assert problem.fix.endswith("ss -lntp 'sport = :80'")


@pytest.mark.parametrize(
    ("kind", "what", "fix"),
    [
        (EDGE, "the edge of this host", "routes: [{service: web, port: 80}]"),
        (CONTAINER, "the container other-1 at 0.0.0.0:80", "docker inspect other-1"),
    ],
)
def test_who_has_it_and_what_to_do(kind: str, what: str, fix: str) -> None:
    taken = [Taken("0.0.0.0", 80, "tcp", kind, "other-1")]
    (problem,) = ports.preflight("h", {"web": {"ports": [entry("80")]}}, taken)
    assert what in problem.what
    assert fix in problem.fix
    assert problem.where == "h: services.web.ports"


@pytest.mark.parametrize(
    ("address", "lacks"),
    [("203.0.113.9", True), ("2001:db8::9", True), ("127.0.0.1", False), ("", False)],
)
def test_an_address_the_host_does_not_have(address: str, lacks: bool) -> None:
    """Asked of this machine itself; the addresses are those of documentation (RFC 5737, 3849)."""
    web = {"ports": [entry("8080", address)]}
    absent = listeners.absent({"services": {"web": web}})
    assert absent == ([address] if lacks else [])
    found = ports.preflight("h", {"web": web}, [], absent)
    shown = f"[{address}]" if ":" in address else address
    assert [problem.what for problem in found] == (
        [f"port {shown}:8080/tcp of service web: this host has no address {shown}"] if lacks else []
    )


def test_thousands_of_ports_are_compared_soon_and_more_are_refused() -> None:
    """A relay of media publishes a range; comparing each with each took minutes."""

    def service(first: int, count: int) -> dict[str, Any]:
        numbers = range(first, first + count)
        return {
            "image": "r.test/a:1",
            "ports": [{"target": n, "published": str(n), "protocol": "udp"} for n in numbers],
        }

    start = time.process_time()
    relay = {"a": service(40000, 8000), "b": service(50000, 8000)}
    assert list(ports.clashes(relay, "shop")) == []
    assert ports.preflight("host", relay, []) == []
    assert time.process_time() - start < 5
    twice = list(ports.clashes({**relay, "c": service(47999, 1)}, "shop"))
    assert [problem.what for problem in twice] == [
        "port 47999/udp is published more than once on a host: a, c"
    ]
    (many,) = ports.clashes({"a": service(1, 60000)}, "shop")
    assert many.what == "publishes 60000 ports, more than 20000"
