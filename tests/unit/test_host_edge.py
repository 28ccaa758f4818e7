"""The edge against a real Traefik: what it is told, that it follows, and when it is quiet."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import real_servers
from real_servers import Answer, Asked

from maestro.errors import MaestroError
from maestro.host import edge, edge_connections, edge_traefik, engine, journal
from maestro.host import labels as labels_of
from maestro.host.layout import Layout
from maestro.stack import routes

HOST = {"redirect_https": False, "https_port": 443, "certificate_resolver": "", "hosts": []}


def route(**said: Any) -> dict[str, Any]:
    (found,) = routes.rendered({"routes": [{"service": "web", "port": 80, **said}]})
    return found


def container(address: str = "10.0.0.1", **said: Any) -> dict[str, Any]:
    return {"service": "web", "running": True, "healthy": True, "address": address, **said}


def dynamic(
    *given: dict[str, Any],
    containers: dict[str, Any],
    groups: Any,
    maintenance: bool = False,
    **host: Any,
) -> dict[str, Any]:
    traffic = {"routes": list(given), "groups": {"web": groups}}
    found = edge_traefik.dynamic(
        "shop", traffic, containers, {**HOST, **host}, maintenance=maintenance
    )
    assert set(found) == {"http"}
    return found["http"]


def servers(found: dict[str, Any], name: str = "shop-web-0~shop") -> list[str]:
    return [item["url"] for item in found["services"][name]["loadBalancer"]["servers"]]


def group(*ids: str, weight: int = 100) -> dict[str, Any]:
    return {"weight": weight, "containers": list(ids)}


# Who answers

BOTH = {"a": container(), "b": container("10.0.0.2")}


@pytest.mark.parametrize(
    ("containers", "groups", "answer"),
    [
        ({"a": container()}, [group("a")], ["10.0.0.1"]),
        (BOTH, [group("b")], ["10.0.0.2"]),
        (BOTH, [group("a", "b")], ["10.0.0.1", "10.0.0.2"]),
        # Gone, stopped or ill: the others; all ill: all of them.
        ({"b": container("10.0.0.2")}, [group("a", "b")], ["10.0.0.2"]),
        (
            {"a": container(running=False), "b": container("10.0.0.2")},
            [group("a", "b")],
            ["10.0.0.2"],
        ),
        (
            {"a": container(healthy=False), "b": container("10.0.0.2")},
            [group("a", "b")],
            ["10.0.0.2"],
        ),
        ({"a": container(healthy=False)}, [group("a")], ["10.0.0.1"]),
        # None of those that were chosen: any of the service, and of no other.
        (
            {"b": container("10.0.0.2"), "c": container("10.0.0.3", service="db")},
            [group("a")],
            ["10.0.0.2"],
        ),
        ({"c": container(service="db")}, [group("a")], []),
        ({"a": container("")}, [group("a")], []),
        # A group without weight or without containers is none.
        (BOTH, [group("a", weight=0), group("b")], ["10.0.0.2"]),
        (BOTH, [group("x", weight=9), group("b")], ["10.0.0.2"]),
        ({"a": container("fd00::1")}, [group("a")], ["[fd00::1]"]),
    ],
)  # fmt: skip
def test_who_answers(containers: dict[str, Any], groups: Any, answer: list[str]) -> None:
    found = dynamic(route(), containers=containers, groups=groups)
    assert servers(found) == [f"http://{address}:80" for address in answer]


def test_weights() -> None:
    containers = {"a": container(), "b": container("10.0.0.2")}
    found = dynamic(
        route(), containers=containers, groups=[group("a", weight=90), group("b", weight=10)]
    )
    assert found["services"]["shop-web-0~shop"] == {
        "weighted": {
            "services": [
                {"name": "shop-web-0~shop~0", "weight": 90},
                {"name": "shop-web-0~shop~1", "weight": 10},
            ]
        }
    }  # fmt: skip
    assert servers(found, "shop-web-0~shop~1") == ["http://10.0.0.2:80"]


# The names

NAMED = [("shop", "api-web"), ("shop-api", "web"), ("shop_api", "web"), ("jessy-jessy", "api")]
NAMED += [
    ("jessy", "jessy-api"),
    ("shop", "web"),
    ("shop", "web-0"),
    ("shop-web-0", "web"),
    ("shop", "marker"),
]
NAMED += [
    ("health", "web"),
    ("maintenance", "marker"),
    ("shop-maintenance", "shop"),
    ("a-b", "c"),
    ("a", "b-c"),
    ("shop", "web-0-retry"),
]


def test_no_two_names_at_the_edge_are_one() -> None:
    there = {"a": container(), "b": container("10.0.0.2")}
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for stack, service in NAMED:
        given = route(health=["/health"], rate_limit={"average": 9}, service=service)
        groups = {service: [group("a", weight=90), group("b", weight=10)]}
        containers = {key: {**item, "service": service} for key, item in there.items()}
        for maintenance in (False, True):
            traffic = {"routes": [given], "groups": groups}
            host = {**HOST, "redirect_https": True}
            found = edge_traefik.dynamic(stack, traffic, containers, host, maintenance=maintenance)
            for kind, named in found["http"].items():
                for name in named:
                    owner = seen.setdefault((kind, name), (stack, service))
                    # The page is the stack's, whatever the service.
                    assert owner == (stack, service) or (
                        owner[0] == stack and "maintenance" in name
                    )


def test_maintenance_spares_health_checks_of_a_stack_called_health() -> None:
    traffic = {"routes": [route(health=["/health"])], "groups": {"web": [group("a")]}}
    found = edge_traefik.dynamic("health", traffic, {"a": container()}, HOST, maintenance=True)[
        "http"
    ]
    page = {name for name, item in found["routers"].items() if "maintenance" in item["service"]}
    assert page == {"health-web-0~health~http", "health-web-0~health~https"}


# Which requests


def routers(given: dict[str, Any], **host: Any) -> dict[str, Any]:
    return dynamic(given, containers={"a": container()}, groups=[group("a")], **host)["routers"]


def test_a_limit_and_a_redirect_leave_health_checks_alone() -> None:
    given = route(path="/api", health=["/api/health"], rate_limit={"average": 9})
    found = routers(given, redirect_https=True, https_port=8441)
    assert {name: item["middlewares"] for name, item in found.items()} == {
        "shop-web-0~shop~http": ["shop-web-0~shop~https"],
        "shop-web-0~shop~https": ["shop-web-0~shop~rate", "shop-web-0~shop~retry"],
        "shop-web-0~shop~health~http": ["shop-web-0~shop~retry"],
        "shop-web-0~shop~health~https": ["shop-web-0~shop~retry"],
    }
    assert [name for name, item in found.items() if "tls" in item] == [
        "shop-web-0~shop~https",
        "shop-web-0~shop~health~https",
    ]
    found = routers(given)
    assert found["shop-web-0~shop~http"]["middlewares"] == [
        "shop-web-0~shop~rate",
        "shop-web-0~shop~retry",
    ]


def test_certificates_by_acme() -> None:
    found = routers(route(), certificate_resolver="acme", hosts=["a.test", "b.test"])
    assert found["shop-web-0~shop~https"]["tls"] == {
        "certResolver": "acme",
        "domains": [{"main": "a.test", "sans": ["b.test"]}],
    }
    found = routers(route(host="c.test"), certificate_resolver="acme", hosts=["a.test"])
    assert found["shop-web-0~shop~https"]["tls"]["domains"] == [{"main": "c.test", "sans": []}]


def test_the_closer_route_goes_first() -> None:
    order = [
        route(),
        route(path="/a"),
        route(path="/a/b"),
        route(host="a.test"),
        route(host="a.test", path="/a"),
    ]
    priorities = [routers(item)["shop-web-0~shop~http"]["priority"] for item in order]
    assert priorities == sorted(set(priorities))
    found = routers(route(path="/a", health=["/a"]))
    assert (
        found["shop-web-0~shop~health~http"]["priority"] > found["shop-web-0~shop~http"]["priority"]
    )


def test_maintenance_takes_all_but_health_checks() -> None:
    given = route(health=["/health"], rate_limit={"average": 9})
    found = dynamic(
        given, containers={"a": container()}, groups=[group("a")], maintenance=True
    )  # fmt: skip
    assert {name: item["service"] for name, item in found["routers"].items()} == {
        "shop-web-0~shop~http": "shop-maintenance~shop",
        "shop-web-0~shop~https": "shop-maintenance~shop",
        "shop-web-0~shop~health~http": "shop-web-0~shop",
        "shop-web-0~shop~health~https": "shop-web-0~shop",
    }
    assert servers(found, "shop-maintenance~shop") == [edge_traefik.PAGE]


# With Traefik


@dataclass
class Host:
    """A host with an edge, as far as one needs it: directories, Traefik, an Engine's answers."""

    layout: Layout
    web: int
    containers: list[dict[str, Any]]

    def get(self, path: str = "/", host: str = "") -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host} if host else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())

    def run(self, *ids: str, service: str = "web") -> None:
        """Let the Engine know these containers, one address on loopback each."""
        self.containers[:] = [
            {
                "Id": name,
                "Labels": {labels_of.SERVICE: service},
                "State": "running",
                "Status": "Up 5 seconds (healthy)",
                "NetworkSettings": {"Networks": {"n": {"IPAddress": address(name)}}},
            }
            for name in ids
        ]


def address(name: str) -> str:
    return f"127.0.0.{ord(name[0]) - ord('a') + 11}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def traefik(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, int]]:
    """Traefik on ports of its own: its directory, its public port, its API's port."""
    home = tmp_path_factory.mktemp("edge")
    (home / "dynamic").mkdir()
    web, api, tls = free_port(), free_port(), free_port()
    static = {
        "entryPoints": {
            "web": {"address": f"127.0.0.1:{web}"},
            "websecure": {"address": f"127.0.0.1:{tls}"},
            "internal": {"address": f"127.0.0.1:{api}"},
        },
        "api": {"dashboard": False},
        "ping": {"entryPoint": "internal"},
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": {"directory": str(home / "dynamic")},
        },
    }
    shared = {
        "http": {
            "serversTransports": {"maestro": {"forwardingTimeouts": {"idleConnTimeout": "100ms"}}},
            "routers": {
                "api": {
                    "rule": "PathPrefix(`/api`)",
                    "entryPoints": ["internal"],
                    "service": "api@internal",
                }
            },
        }
    }
    (home / "traefik.yml").write_text(json.dumps(static))
    (home / "dynamic" / "edge.yml").write_text(json.dumps(shared))
    program = Path(sys.executable).with_name("traefik")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [program, f"--configFile={home}/traefik.yml"], stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 20
            while edge._ask(api, "/api/version"):
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.05)
            yield home, web, api
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def host(
    traefik: tuple[Path, int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    home, web, api = traefik
    settings = {**HOST, "api_port": api}
    (home / "edge.json").write_text(json.dumps(settings))
    monkeypatch.setattr(edge, "DIRECTORY", home)
    containers: list[dict[str, Any]] = []

    def answer(asked: Asked) -> Answer:
        found = containers if asked.path.startswith("/containers") else []
        return Answer(200, json.dumps(found).encode())

    with real_servers.unix_server(tmp_path / "e.sock", answer) as server:
        monkeypatch.setattr(edge, "Engine", lambda: engine.Engine(server.address))
        layout = Layout(tmp_path, "shop")
        layout.home.mkdir()
        yield Host(layout, web, containers)
        edge.withdraw(layout)


@contextlib.contextmanager
def service(name: str, port: int) -> Iterator[None]:
    """A container's server: says its name; ``/slow`` takes a second, ``/slower`` two."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep({"/slow": 1.0, "/slower": 2.0}.get(self.path, 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address(name), port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def test_requests_go_where_they_are_assigned(host: Host) -> None:
    port = free_port()
    given = [route(port=port, path="/shop", health=["/shop/health"])]
    groups = {"web": [group("a")]}
    with service("a", port), service("b", port):
        host.run("a", "b")
        assert edge.current(host.layout) == {}
        edge.assign(host.layout, given, groups)
        assert edge.current(host.layout) == {"routes": given, "groups": groups, "via": {}}
        assert [host.get(path)[:2] for path in ("/shop", "/shop/x", "/shop/health")] == [
            (200, "a")
        ] * 3
        assert host.get("/shopping")[0] == 404
        edge.assign(host.layout, given, {"web": [group("b")]})
        # In force when assign returns, not some time later.
        assert {host.get("/shop")[1] for _ in range(10)} == {"b"}
        edge.assign(host.layout, given, {"web": [group("a", weight=50), group("b", weight=50)]})
        assert {host.get("/shop")[1] for _ in range(10)} == {"a", "b"}
        edge.withdraw(host.layout)
        assert edge.current(host.layout) == {}
        assert host.get("/shop")[0] == 404


def test_what_routes_ask_besides(host: Host) -> None:
    """A real Traefik takes each option, and does as it says."""
    port = free_port()
    headers = {"X-Frame-Options": "DENY"}
    given = routes.rendered(
        {
            "routes": [
                {"service": "web", "port": port, "host": "*.a.test", "path": "/x", "strip": True,
                 "headers": headers, "sticky": True, "max_body": 10, "timeout": 1},
                {"service": "web", "port": port, "host": "b.a.test", "redirect_from": "old.test"},
            ]
        }
    )  # fmt: skip
    with service("a", port):
        host.run("a")
        edge.assign(host.layout, given, {"web": [group("a")]})
        status, _, said = host.get("/x/y", "shop.a.test")
        assert (status, said["X-Frame-Options"]) == (200, "DENY")
        assert said["Set-Cookie"].startswith("maestro=")
        assert host.get("/x/slower", "shop.a.test")[0] == 504, "too late, and without its prefix"
        assert host.get("/x", "c.shop.a.test")[0] == 404, "a star is one label"
        status, _, said = host.get("/", "b.a.test")
        assert (status, "X-Frame-Options" in said) == (200, False), "who is named goes first"
        status, _, said = host.get("/p?q=1", "old.test")
        assert (status, said["Location"]) == (301, "http://b.a.test/p?q=1")
        large = http.client.HTTPConnection("127.0.0.1", host.web, timeout=10)
        with contextlib.closing(large):
            large.request("POST", "/x", body=b"0" * 11, headers={"Host": "shop.a.test"})
            assert large.getresponse().status == 413


def test_the_same_again_is_at_once(host: Host) -> None:
    host.run("a")
    edge.assign(host.layout, [route()], {"web": [group("a")]})
    file = edge._route_file("shop")
    before = file.stat().st_mtime_ns
    edge.assign(host.layout, [route()], {"web": [group("a")]})
    assert file.stat().st_mtime_ns == before


def test_what_a_client_may_ask_and_health_checks_may_more(host: Host) -> None:
    port = free_port()
    limited = route(port=port, health=["/health"], rate_limit={"average": 60, "burst": 5})
    with service("a", port):
        host.run("a")
        edge.assign(host.layout, [limited], {"web": [group("a")]})
        answers = [host.get("/") for _ in range(12)]
        assert [item[0] for item in answers[:5]] == [200] * 5
        refused = [item for item in answers if item[0] == 429]
        assert refused
        assert all(int(item[2]["Retry-After"]) > 0 for item in refused)
        assert {host.get("/health")[0] for _ in range(30)} == {200}


def test_a_drained_container_has_no_request_in_flight(host: Host) -> None:
    port = free_port()
    answers = []
    with service("a", port), service("b", port):
        host.run("a", "b")
        edge.assign(host.layout, [route(port=port)], {"web": [group("a")]})
        began = time.monotonic()
        slow = threading.Thread(target=lambda: answers.append(host.get("/slow")[:2]))
        slow.start()
        time.sleep(0.3)
        edge.assign(host.layout, [route(port=port)], {"web": [group("b")]})
        assert not edge.drain(host.layout, [("a", port)], 0.1)
        assert edge.drain(host.layout, [("a", port)], 10)
        assert 0.9 < time.monotonic() - began < 5
        slow.join(5)
        assert answers == [(200, "a")]
        assert edge.drain(host.layout, [("gone", port)], 5)


def test_the_agent_follows_what_happens_to_containers(host: Host) -> None:
    port = free_port()
    with service("a", port), service("b", port), service("c", port):
        host.run("a", "b")
        edge.assign(host.layout, [route(port=port)], {"web": [group("a", "b")]})
        host.run("b")
        edge.sync(host.layout.root)
        edge._wait(host.layout, edge.settings())
        assert {host.get()[1] for _ in range(5)} == {"b"}
        host.run("c")
        edge.sync(host.layout.root)
        edge._wait(host.layout, edge.settings())
        assert {host.get()[1] for _ in range(5)} == {"c"}
        assert edge.current(host.layout)["groups"] == {"web": [group("a", "b")]}


def test_a_route_file_nobody_wants_goes(host: Host) -> None:
    stray = edge._route_file("gone")
    stray.write_text("{}")
    edge.sync(host.layout.root)
    assert not stray.exists()


def test_maintenance_on_and_off(host: Host) -> None:
    port = free_port()
    given = [route(port=port, health=["/health"])]
    with service("a", port):
        host.run("a")
        edge.assign(host.layout, given, {"web": [group("a")]})
        assert edge.maintain(host.layout, on=True)
        assert not edge.maintain(host.layout, on=True)
        assert host.get("/")[0] == 502  # the agent, which is not here
        assert host.get("/health")[0] == 200
        edge.assign(host.layout, given, {"web": [group("a")]})
        assert edge.look(host.layout)["maintenance"]
        assert host.get("/")[0] == 502
        assert edge.maintain(host.layout, on=False)
        assert host.get("/")[0] == 200


def test_what_a_plan_sees(host: Host) -> None:
    host.run("a")
    edge.assign(host.layout, [route(host="a.test")], {"web": [group("a")]})
    assert edge.look(Layout(host.layout.root, "blog")) == {
        "installed": True,
        "names": [],
        "maintenance": False,
        "routes_of_others": {"shop": [{"hosts": ["a.test"], "path": "/", "health": []}]},
        "uid": -1,
    }


def test_of_two_stacks_that_want_the_same_requests_the_second_gets_none(host: Host) -> None:
    """Both were planned before either had them."""
    host.run("a")
    edge.assign(host.layout, [route(host="a.test")], {"web": [group("a")]}, strict=True)
    blog = Layout(host.layout.root, "blog")
    blog.home.mkdir()
    mine = [route(host="A.test", path="/")]
    with pytest.raises(MaestroError, match="takes requests of the stack shop"):
        edge.assign(blog, mine, {"web": [group("a")]}, strict=True)
    assert edge.current(blog) == {}
    # What goes back gets what it had.
    edge.assign(blog, mine, {"web": [group("a")]})
    edge.withdraw(blog)


def test_an_edge_that_does_not_follow(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "IN_FORCE", 0.3)
    settings = {**HOST, "api_port": free_port()}
    (edge.DIRECTORY / "edge.json").write_text(json.dumps(settings))
    host.run("a")
    with pytest.raises(MaestroError) as caught:
        edge.assign(host.layout, [route()], {"web": [group("a")]})
    assert "has not loaded its new routes within 0 s: its API does not answer" in caught.value.what
    assert "docker logs maestro-edge" in caught.value.fix
    monkeypatch.undo()


def test_a_host_without_an_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "DIRECTORY", tmp_path / "none")
    layout = Layout(tmp_path, "shop")
    assert not edge.installed()
    edge.sync(tmp_path)
    edge.withdraw(layout)
    with pytest.raises(MaestroError) as caught:
        edge.assign(layout, [], {})
    assert caught.value.what == "this host has no edge, and the stack has routes"


# The kernel's tables


def test_an_open_connection_is_seen() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
    ):
        name, port = server.getsockname()
        assert edge_connections.open_connections({(name, port)}) == 1
        assert edge_connections.open_connections({(name, port + 1)}) == 0
        assert edge_connections.open_connections({("fd00::1", port)}) == 0


@pytest.mark.skipif(sys.byteorder != "little", reason="written for the usual order")
def test_addresses_as_the_kernel_writes_them() -> None:
    assert edge_connections._kernel_form("127.0.0.1", 80) == "0100007F:0050"
    assert edge_connections._kernel_form("::1", 443) == "00000000000000000000000001000000:01BB"


def test_maintenance_of_a_stack_without_routes(host: Host) -> None:
    for check in (True, False):
        with pytest.raises(MaestroError, match="shop has no routes") as problem:
            edge.maintain(host.layout, on=True, check=check)
        assert "-e stack=NAME" in str(problem.value)
    assert not edge.under_maintenance(host.layout)
    # A mark of before, of routes that have gone meanwhile, can be taken away.
    edge._maintenance_file(host.layout).write_text("{}")
    assert edge.maintain(host.layout, on=False)


def test_maintenance_is_kept_in_the_history_once_with_who_did_it(host: Host) -> None:
    host.run("a")
    edge.assign(host.layout, [route(port=1)], {"web": [group("a")]})
    assert edge.maintain(host.layout, on=True, by="ann@desk", check=True)
    assert not edge.under_maintenance(host.layout)
    for on in (True, True, False):
        edge.maintain(host.layout, on=on, by="ann@desk")
    told = [(event["what"], event["by"], event["result"]) for event in journal.read(host.layout, 9)]
    assert told == [
        ("maintenance page on", "ann@desk", "done"),
        ("maintenance page off", "ann@desk", "done"),
    ]
