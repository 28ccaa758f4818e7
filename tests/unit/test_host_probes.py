"""What a host asks its own ports and containers, against real servers on loopback."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from real_servers import Answer, http_server

from maestro.host import edge, links, probe, reach
from maestro.host.layout import Layout


class Listing:
    """An Engine that knows these containers."""

    def __init__(self, *containers: dict[str, Any], state: str = "running") -> None:
        self.found = list(containers)
        self.state = state

    def containers(self, _label: str = "") -> list[dict[str, Any]]:
        return self.found

    def inspect(self, container: str) -> dict[str, Any]:
        return {
            "Id": container,
            "Name": f"/{container}",
            "RestartCount": 0,
            "State": {
                "Status": self.state,
                "ExitCode": 3,
                "StartedAt": "2026-01-01T00:00:00.000000000Z",
            },
            "Config": {"Labels": {}},
            "NetworkSettings": {"Networks": {"a": {"IPAddress": "127.0.0.1"}}},
        }


def published(port: int, address: str = "0.0.0.0", **more: Any) -> dict[str, Any]:
    ports = [{"IP": address, "PublicPort": port, "PrivatePort": 80, "Type": "tcp"}]
    return {"Names": ["/shop-web-1"], "State": "running", "Ports": ports, **more}


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def test_a_published_port_that_answers_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "installed", lambda: False)
    with http_server(lambda _: Answer()) as server:
        port = int(server.address.rpartition(":")[2])
        assert reach.problems(Listing(published(port), published(port, "::"))) == []


def test_a_published_port_that_is_dead_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "installed", lambda: False)
    port = free_port()
    found = reach.problems(Listing(published(port, "127.0.0.1")))
    assert found == [f"shop-web-1: nothing answers on 127.0.0.1:{port} (Connection refused)"]
    stopped = published(port, State="exited")
    assert reach.problems(Listing(stopped)) == []


def test_an_edge_without_its_ports_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "installed", lambda: True)
    port = free_port()
    monkeypatch.setattr(reach, "EDGE", (port,))
    (found,) = reach.problems(Listing())
    assert found.startswith(f"the edge: nothing answers on 127.0.0.1:{port}")


def test_links_of_mounts_and_devices_are_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    model = {
        "services": {
            "a": {
                "volumes": [
                    {"type": "bind", "source": str(link), "target": "/x"},
                    {"type": "bind", "source": str(real), "target": "/y"},
                    {"type": "bind", "source": "./here", "target": "/z"},
                    {"type": "volume", "source": "data", "target": "/d"},
                ]
            },
            "b": {},
        },
        "volumes": {
            "data": {"driver_opts": {"type": "none", "o": "bind", "device": str(link / "data")}},
            "layers": {"driver_opts": {"o": f"lowerdir={link}/a:{real}/b,ro"}},
            "plain": None,
        },
    }
    assert links.real(model) == {
        str(link): str(real),
        str(link / "data"): str(real / "data"),
        f"{link}/a": f"{real}/a",
    }


ROUTE = {"service": "web", "hosts": ["shop.test"], "path": "/app", "health": []}


@pytest.mark.parametrize("status", [200, 301, 404])
def test_a_service_without_a_check_serves_unless_it_answers_5xx(status: int) -> None:
    with http_server(lambda _: Answer(status)) as server:
        route = {**ROUTE, "port": int(server.address.rpartition(":")[2])}
        found = probe.containers(
            Listing(), {"c1": "web", "c2": "db"}, [route], 1, lambda _: ["127.0.0.1"]
        )
    assert found == {}
    assert server.asked[0].path.startswith("/app")


def test_a_service_that_answers_500_or_nothing_has_failed() -> None:
    with http_server(lambda _: Answer(500)) as server:
        route = {**ROUTE, "port": int(server.address.rpartition(":")[2])}
        found = probe.containers(Listing(), {"c1": "web"}, [route], 0.3, lambda _: ["127.0.0.1"])
    assert "has no health check, and GET " in found["c1"]
    assert "500" in found["c1"]
    closed = {**ROUTE, "port": free_port()}
    found = probe.containers(Listing(), {"c1": "web"}, [closed], 0.3, lambda _: ["127.0.0.1"])
    assert "has no health check" in found["c1"]
    found = probe.containers(Listing(), {"c1": "web"}, [closed], 0.3, lambda _: [])
    assert "has no address that this host reaches" in found["c1"]


def test_a_container_that_ended_is_not_waited_for() -> None:
    route = {**ROUTE, "port": 1}
    ended = Listing(state="exited")
    found = probe.containers(ended, {"c1": "web"}, [route], 30, lambda _: ["127.0.0.1"])
    assert found == {"c1": "exited with code 3"}


def test_no_route_and_maintenance_ask_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path, "shop")
    assert probe.at_the_edge(layout, []) == {}
    monkeypatch.setattr(edge, "under_maintenance", lambda _: True)
    assert probe.at_the_edge(layout, [ROUTE]) == {}
