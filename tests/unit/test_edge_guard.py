"""What clients and proxies may do at the edge: the role's own files, in a real Traefik."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from unit.test_edge_role import text_of

from maestro.host import edge, edge_api, edge_traefik, forwarded
from maestro.machine import edge_proxies
from maestro.stack import routes

PROXY, STRANGER = "127.0.0.2", "127.0.0.1"  # whom the edge trusts, and whom it does not
METRICS = "a long random password"
GIVEN = [
    {"service": "web", "port": 0, "host": "shop.test", "health": ["/health"]},
    {
        "service": "web",
        "port": 0,
        "host": "shop.test",
        "path": "/admin",
        "rate_limit": {"average": 1, "period": 3600, "burst": 2},
    },
]


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the path and the headers it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        heard = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"path": self.path, **heard}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Backend(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_: object) -> None:
        """Clients that reset their connections are part of the tests."""


@dataclass
class Edge:
    """Traefik with the role's files, and a service of a stack behind it."""

    home: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes]
    service: int

    def ask(
        self,
        path: str = "/",
        *,
        by: str = STRANGER,
        tls: bool = False,
        host: str = "shop.test",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], dict[str, str]]:
        """Status, headers of the answer, and what the service heard."""
        where = ("127.0.0.1", self.ports["websecure" if tls else "web"])
        kept: http.client.HTTPConnection = http.client.HTTPConnection(
            *where, timeout=10, source_address=(by, 0)
        )
        if tls:
            kept.connect()
            kept.sock = lax().wrap_socket(kept.sock)
        with contextlib.closing(kept):
            kept.request("GET", path, headers={"Host": host, **(headers or {})})
            answer = kept.getresponse()
            text = answer.read().decode()
            heard = json.loads(text) if answer.status == 200 else {}
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, heard

    def publish(self, *given: Mapping[str, Any], **settings: Any) -> None:
        """Give the stack's routes these settings of the host."""
        listed = [{**item, "port": self.service} for item in given]
        found = edge_traefik.dynamic(
            "shop",
            {"routes": routes.rendered({"routes": listed}), "groups": {}},
            {"a": {"service": "web", "running": True, "healthy": True, "address": "127.0.0.1"}},
            {"https_port": 443, "certificate_resolver": "", "hosts": [], **settings},
        )
        file = self.home / "dynamic/stack-shop.yml"
        file.with_suffix(".new").write_text(json.dumps(found))
        file.with_suffix(".new").rename(file)
        deadline = time.monotonic() + 10
        while edge._ask(self.ports["internal"], f"/api/http/middlewares/{marker(found)}@file"):
            assert time.monotonic() < deadline, (self.home / "log").read_text()
            time.sleep(0.05)


def marker(found: Mapping[str, Any]) -> str:
    return next(name for name in found["http"]["middlewares"] if "marker" in name)


def lax() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in found:
            item.bind(("127.0.0.1", 0))
        return [int(item.getsockname()[1]) for item in found]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    home = tmp_path_factory.mktemp("guarded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge, "DIRECTORY", home)
        yield from run(home)


def run(home: Path) -> Iterator[Edge]:
    """Traefik with the role's files below ``home``, until the tests are done."""
    for name in ("dynamic", "certs"):
        (home / name).mkdir()
    with contextlib.chdir(home):
        subprocess.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=shop.test -days 2 "
            "-keyout certs/edge.key -out certs/edge.crt".split(),
            check=True,
            capture_output=True,
        )
    ports = dict(zip(("web", "websecure", "internal"), free_ports(3), strict=True))
    said = {"edge_trusted_proxies": [PROXY], "edge_api_port": ports["internal"]}
    said |= {"__edge_directory": str(home), "edge_hsts": True}
    static = text_of("traefik.yml.j2", **said)
    for name, number in {"web": 80, "websecure": 443}.items():
        static = static.replace(f'":{number}"', f'"127.0.0.1:{ports[name]}"')
    (home / "traefik.yml").write_text(static)
    (home / "dynamic/edge.yml").write_text(text_of("dynamic/edge.yml.j2", **said))
    edge_api.configure(home, METRICS)
    program = Path(sys.executable).with_name("traefik")
    backend = Backend(("127.0.0.1", 0), Echo)
    threading.Thread(target=backend.serve_forever, args=(0.01,), daemon=True).start()
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [program, f"--configFile={home}/traefik.yml"], stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 20
            while edge._ask(ports["internal"], "/api/version"):
                assert time.monotonic() < deadline, (home / "log").read_text()
                time.sleep(0.05)
            yield Edge(home, ports, process, backend.server_address[1])
        finally:
            process.kill()
            process.wait(20)
            backend.shutdown()
            backend.server_close()


@pytest.fixture
def shop(guarded: Edge) -> Edge:
    guarded.publish(*GIVEN, redirect_https=True, trusted_proxies=edge_proxies.networks([PROXY]))
    return guarded


@pytest.mark.parametrize(
    ("path", "user", "wanted"),
    [
        ("/ping", "", 200),
        *((path, "", 401) for path in ("/metrics", "/api/version", "/api/rawdata")),
        *((path, edge_api.USER, 200) for path in ("/metrics", "/api/version", "/api/rawdata")),
        ("/metrics", edge_api.METRICS_USER, 200),
        ("/api/rawdata", edge_api.METRICS_USER, 401),
        ("/api/rawdata", "wrong", 401),
        ("/metrics", "wrong", 401),
    ],
)
def test_whoever_asks_the_api_shows_a_password(
    guarded: Edge, path: str, user: str, wanted: int
) -> None:
    """Every local user reaches the loopback address."""
    logins = {
        "": {},
        edge_api.USER: edge_api.headers(guarded.home),
        edge_api.METRICS_USER: login(edge_api.METRICS_USER, METRICS),
        "wrong": login(edge_api.USER, METRICS),
    }
    address = f"http://127.0.0.1:{guarded.ports['internal']}{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=logins[user])) as found:
            status = found.status
    except urllib.error.HTTPError as error:
        status = error.code
    assert status == wanted


def test_another_password_of_the_metrics_counts_at_once(guarded: Edge) -> None:
    def status(password: str) -> int:
        kept = http.client.HTTPConnection("127.0.0.1", guarded.ports["internal"], timeout=10)
        with contextlib.closing(kept):
            kept.request("GET", "/metrics", headers=login(edge_api.METRICS_USER, password))
            return kept.getresponse().status

    assert status(METRICS) == 200
    edge_api.configure(guarded.home, "another long password")
    deadline = time.monotonic() + 10
    while status("another long password") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status(METRICS) == 401
    edge_api.configure(guarded.home, METRICS)
    while status(METRICS) != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def login(user: str, password: str) -> dict[str, str]:
    shown = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {shown}"}


CLAIMS = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "other.test",
    "X-Forwarded-Port": "443",
    "X-Real-Ip": "203.0.113.7",
    "Forwarded": "for=203.0.113.7;proto=https",
    "X_Forwarded_For": "203.0.113.7",
}


def test_behind_a_balancer_that_ends_tls(shop: Edge) -> None:
    status, answer, heard = shop.ask(by=PROXY, headers=CLAIMS)
    assert status == 200, "no redirect: the client came by https"
    assert heard["x-forwarded-for"].split(", ")[0] == "203.0.113.7"
    assert heard["x-forwarded-proto"] == "https"
    assert heard["x-forwarded-host"] == "other.test"
    assert "strict-transport-security" in answer
    assert "forwarded" not in heard
    status, answer, _ = shop.ask(by=PROXY, headers={"X-Forwarded-Proto": "http"})
    assert (status, answer["location"]) == (301, "https://shop.test/")
    assert shop.ask(by=PROXY)[0] == 301, "a proxy that says nothing"


def test_a_balancer_whose_port_differs(shop: Edge) -> None:
    """The redirect's own port does not make a loop."""
    shop.publish(
        *GIVEN, redirect_https=True, https_port=8441, trusted_proxies=edge_proxies.networks([PROXY])
    )
    assert shop.ask(by=PROXY, headers={"X-Forwarded-Proto": "HTTPS"})[0] == 200


def test_what_strangers_say_of_themselves_is_dropped(shop: Edge) -> None:
    status, _, _ = shop.ask(headers=CLAIMS)
    assert status == 301, "it came by http, whatever it says"
    status, answer, heard = shop.ask(tls=True, headers=CLAIMS)
    assert status == 200
    assert "203.0.113.7" not in json.dumps(heard)
    assert heard["x-forwarded-for"] == STRANGER
    assert heard["x-forwarded-host"] == "shop.test"
    assert "forwarded" not in heard
    assert answer["strict-transport-security"] == "max-age=31536000"


def test_a_limit_counts_clients_not_proxies(shop: Edge) -> None:
    def ask(client: str, forged: str = "") -> int:
        told = f"{forged}, {client}" if forged else client
        headers = {"X-Forwarded-For": told, "X-Forwarded-Proto": "https"}
        return shop.ask("/admin", by=PROXY, headers=headers)[0]

    assert [ask("203.0.113.1") for _ in range(3)] == [200, 200, 429]
    assert [ask("203.0.113.2") for _ in range(3)] == [200, 200, 429]
    assert ask("203.0.113.1", forged="198.51.100.9") == 429, (
        "what a client adds in front is nothing"
    )
    # One that comes directly has a count of its own, and cannot take another name.
    told = {"X-Forwarded-For": "203.0.113.9"}
    direct = [shop.ask("/admin", tls=True, headers=told)[0] for _ in range(3)]
    assert direct == [200, 200, 429]
    assert shop.ask("/admin", tls=True, by="127.0.0.3")[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin%2fx", 400),
        ("/x%2f..%2fadmin", 400),
        ("/x%5c..%5cadmin", 400),
        ("/admin%3bx", 400),
        ("/admin%00", 400),
        ("/%2561dmin", 400),
        ("//admin", 429),
        ("/./admin", 429),
        ("/x/../admin", 429),
        ("/x/%2e%2e/admin", 429),
        ("/%61dmin", 429),
        ("/admin;x=1", 429),
        ("/admin;x=1/y", 429),
        ("/admin/", 429),
        ("/adminx", 200),
        ("/a%20b", 200),
    ],
)
def test_other_spellings_of_a_path_pass_no_limit(shop: Edge, path: str, status: int) -> None:
    def ask(path: str) -> int:
        return shop.ask(path, tls=True, by="127.0.0.9")[0]

    while ask("/admin") != 429:
        pass
    found = ask(path)
    assert found in (status, 404 if status == 429 else status), found


def test_headers_have_a_limit(shop: Edge) -> None:
    def large(count: int) -> dict[str, str]:
        return {f"X-Large-{number}": "x" * 10_000 for number in range(count)}

    assert shop.ask(tls=True, headers=large(4))[0] == 200
    assert shop.ask(tls=True, headers=large(9))[0] == 431


@pytest.mark.parametrize(
    ("version", "ciphers", "ok"),
    [
        (ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-SHA", False),
        (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256", False),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256", True),
        (ssl.TLSVersion.TLSv1_3, "", True),
    ],
)
def test_ciphers(shop: Edge, version: ssl.TLSVersion, ciphers: str, ok: bool) -> None:
    context = lax()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that 1.1 is old is the point
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    expected = contextlib.nullcontext() if ok else pytest.raises(ssl.SSLError)
    with socket.create_connection(("127.0.0.1", shop.ports["websecure"]), 5) as plain, expected:
        context.wrap_socket(plain, server_hostname="shop.test").close()


def greedy(shop: Edge) -> None:
    """50 connections with 900 KB of header each."""
    for _ in range(50):
        plain = socket.create_connection(("127.0.0.1", shop.ports["websecure"]), 10)
        with contextlib.suppress(OSError), lax().wrap_socket(plain) as item:
            item.sendall(b"GET / HTTP/1.1\r\nHost: shop.test\r\nX-Large: " + b"x" * 900_000)
        # The others live in this process too, and want to come to word.
        time.sleep(0.05)


def rude(shop: Edge) -> None:
    """250 connections that are reset with their requests under way."""
    for _ in range(250):
        with socket.create_connection(("127.0.0.1", shop.ports["web"])) as item:
            item.sendall(b"GET /health HTTP/1.1\r\nHost: shop.test\r\n\r\n")
            item.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.01)


@contextlib.contextmanager
def slow(shop: Edge) -> Iterator[None]:
    """200 connections whose handshakes and headers do not come to an end."""
    beginnings = {"websecure": b"\x16", "web": b"GET / HTTP/1.1\r\nHost: shop.test\r\nX-Slow: "}
    with contextlib.ExitStack() as kept:
        for name, beginning in beginnings.items():
            for _ in range(100):
                item = socket.create_connection(("127.0.0.1", shop.ports[name]))
                kept.enter_context(item).sendall(beginning)
        yield


def test_slow_greedy_and_rude_clients_cost_the_others_nothing(shop: Edge) -> None:
    statuses: list[int] = []
    over = threading.Event()

    def others() -> None:
        while not over.wait(0.02):
            statuses.append(shop.ask(tls=True)[0])

    with slow(shop):
        asker = threading.Thread(target=others)
        crowd = [threading.Thread(target=work, args=(shop,)) for work in [greedy, rude] * 4]
        for thread in [asker, *crowd]:
            thread.start()
        for thread in crowd:
            thread.join()
        over.set()
        asker.join()
    assert len(statuses) > 20
    assert set(statuses) == {200}
    status = Path(f"/proc/{shop.process.pid}/status").read_text()
    peak = int(next(line for line in status.splitlines() if "VmHWM" in line).split()[1]) << 10
    assert peak < 384 << 20, f"{peak >> 20} MiB"


# Without Traefik


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["192.0.2.10"], ["192.0.2.10/32"]),
        (["10.1.2.3/8", "2001:db8::1"], ["10.0.0.0/8", "2001:db8::1/128"]),
        (["::ffff:192.0.2.10"], ["192.0.2.10/32"]),
        ([" 192.0.2.0/255.255.255.0 "], ["192.0.2.0/24"]),
        ([], []),
    ],
)
def test_proxies_as_traefik_takes_them(given: list[str], wanted: list[str]) -> None:
    assert edge_proxies.problems(given) == []
    assert edge_proxies.networks(given) == wanted


@pytest.mark.parametrize(
    "entry",
    [
        "proxy.test",
        "192.0.2",
        "192.0.2.0/33",
        "fe80::1%eth0",
        "",
        "010.0.0.1",
        "0.0.0.0/0",
        "128.0.0.0/1",
        "::/0",
    ],
)
def test_proxies_that_are_refused(entry: str) -> None:
    (problem,) = edge_proxies.problems(["192.0.2.1", entry])
    assert problem.startswith(entry)


def test_a_list_that_is_none() -> None:
    (problem,) = edge_proxies.problems("192.0.2.1")
    assert "write [" in problem


def test_settings_of_before_there_were_proxies() -> None:
    assert forwarded.proxies({"https_port": 443}) == []
