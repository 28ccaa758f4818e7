"""Where the edge's certificate comes from: an ACME server, given files, the internal authority.

The ACME server is Pebble, Let's Encrypt's own for tests. It runs on the edge's host and looks the
names up there, in /etc/hosts.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections import Counter as Count
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e import lab, programs
from lanes import in_turn
from relay import REMOVE, Relay

HOST = "production-1"
AUTHORITY = lab.PROJECT / ".lab/ca.crt"
# That of the stack's route, and one that no route has.
NAME, OTHER = "relay.test", "shop.test"
IN_FORCE = 15  # seconds until a certificate that is there is served
ISSUED = 60  # seconds until one that was asked for is there
DAY = 24 * 3600
PEBBLE = "pebble=2.6.*"
CONFIGURATION = {
    "listenAddress": "127.0.0.1:14000",
    "managementListenAddress": "127.0.0.1:15000",
    "certificate": "server.crt",
    "privateKey": "server.key",
    "httpPort": 80,
    "tlsPort": 443,
}

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("relaying_in_production", "production")]


@pytest.fixture(scope="module")
def relaying_in_production(relay_in_production: Relay) -> Iterator[Relay]:
    """The stack on one host; afterwards its edge is as the inventory says."""
    with in_turn("production"):
        relay_in_production.deploy("v1", limit=HOST).ok()
    yield relay_in_production
    with in_turn("production"):
        lab.ssh(HOST, REMOVE)
        provision().ok()
        assert provision().ok().changed(HOST) == [0]


def provision(**said: object) -> lab.Run:
    """Make the host ready, with these variables."""
    return lab.playbook("playbooks/provision.yml", "-l", HOST, "-e", json.dumps(said))


@contextlib.contextmanager
def connected(name: str, trusted: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """A connection to the edge under a name; its certificate must be good for it."""
    settings = lab.settings()
    address = ("127.0.0.1", int(settings["ports"][HOST]["https"]))
    with (
        socket.create_connection(address, 10) as raw,
        trusted.wrap_socket(raw, server_hostname=name) as secure,
    ):
        yield secure


def trust(*authorities: str) -> ssl.SSLContext:
    """What a client needs that believes these authorities (PEM) and no other."""
    return ssl.create_default_context(cadata="\n".join(authorities))


def served(name: str, trusted: ssl.SSLContext) -> str:
    """The certificate (PEM) that the edge shows under a name."""
    with connected(name, trusted) as connection:
        found = connection.getpeercert(binary_form=True)
    assert found
    return ssl.DER_cert_to_PEM_cert(found)


def days_left(name: str, trusted: ssl.SSLContext) -> float:
    """How long the certificate that is served is still good for."""
    with connected(name, trusted) as connection:
        found = connection.getpeercert()
    assert found
    return (ssl.cert_time_to_seconds(str(found["notAfter"])) - time.time()) / DAY


def until(wanted: Callable[[], bool], limit: float) -> None:
    """Wait until this holds; a certificate that is not trusted yet does not end it."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if wanted():
                return
        except OSError as error:
            problem = repr(error)
        else:
            problem = "not yet"
        if time.monotonic() > deadline:
            logs = lab.ssh(HOST, "docker logs --tail 20 maestro-edge 2>&1", check=False)
            raise AssertionError(f"{problem}\n{logs}")
        time.sleep(0.5)


@contextlib.contextmanager
def asked_all_the_time(trusted: ssl.SSLContext) -> Iterator[None]:
    """Clients make new connections meanwhile; each of them is answered, and trusts the edge."""
    seen: Count[str] = Count()
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                with connected(NAME, trusted) as connection:
                    connection.sendall(f"GET /health HTTP/1.0\r\nHost: {NAME}\r\n\r\n".encode())
                    answer = http.client.HTTPResponse(connection)
                    answer.begin()
                    seen[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                seen[repr(error)] += 1
            time.sleep(0.05)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert set(seen) == {"200"}
    assert seen["200"] > 50


# An ACME server


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The ACME server: the authority of its https, and the one of what it issues."""
    https = programs.certificate(tmp_path, "authority")
    files = {
        "config.json": json.dumps({"pebble": CONFIGURATION}),
        "server.crt": programs.certificate(tmp_path, "server", "localhost", authority="authority"),
        "server.key": (tmp_path / "server.key").read_text(),
        "ca.crt": https,
    }
    # Another Pebble is another authority, and knows no account of the one before.
    lab.ssh(HOST, "rm -f /etc/maestro/edge/acme/*")
    hosts = lab.ssh(HOST, "cat /etc/hosts")
    started = programs.running(HOST, PEBBLE, files, "-config", "config.json", PEBBLE_VA_NOSLEEP="1")
    with started as home:
        # The file is a mount: it is written, not replaced.
        programs.write(HOST, "/etc/hosts", f"{hosts}127.0.0.1 {NAME} {OTHER}")
        try:
            root = lab.ssh(
                HOST,
                "curl -fsS --retry 20 --retry-connrefused --retry-delay 1 "
                f"--cacert {home}/ca.crt https://localhost:15000/roots/0 2>/dev/null",
            )
            yield {"https": https, "issued": root}
        finally:
            programs.write(HOST, "/etc/hosts", hosts)


def test_an_acme_server_of_ones_own(acme: dict[str, str]) -> None:
    said = {
        "edge_tls": "acme",
        "edge_hosts": [OTHER],
        "edge_acme_email": "ops@shop.test",
        "edge_acme_server": "https://localhost:14000/dir",
        "edge_acme_ca": acme["https"] + acme["issued"],
    }
    assert provision(**said).ok().changed(HOST)[0] > 0
    issued = trust(acme["issued"])
    # The edge's own name, which no route says, and the one that the stack's route has.
    for name in (OTHER, NAME):
        until(lambda name=name: bool(served(name, issued)), ISSUED)
    assert served(OTHER, issued) != served(NAME, issued)
    before = served(OTHER, issued), served(NAME, issued)
    assert provision(**said).ok().changed(HOST) == [0]
    assert (served(OTHER, issued), served(NAME, issued)) == before
    stored = lab.ssh(HOST, "stat -c '%a %u' /etc/maestro/edge/acme/acme-*.json").split()
    assert stored == ["600", "65532"]


# Given files


def test_given_files(tmp_path: Path) -> None:
    authority = trust(programs.certificate(tmp_path, "authority"))
    first = programs.certificate(tmp_path, "edge", NAME, authority="authority")
    said = {
        "edge_tls": "files",
        "edge_certificate": str(tmp_path / "edge.crt"),
        "edge_certificate_key": str(tmp_path / "edge.key"),
    }
    assert provision(**said).ok().changed(HOST)[0] > 0
    until(lambda: served(NAME, authority) == first, IN_FORCE)
    assert provision(**said).ok().changed(HOST) == [0]

    second = programs.certificate(tmp_path, "edge", NAME, authority="authority")
    with asked_all_the_time(authority):
        provision(**said).ok()
        until(lambda: served(NAME, authority) == second, IN_FORCE)

    before = footprint()
    third = programs.certificate(tmp_path, "another", NAME, authority="authority")
    assert third != second
    wrong = said | {"edge_certificate": str(tmp_path / "another.crt")}
    provision(**wrong).failed(
        HOST, "the key", "edge.key does not belong to the certificate", "another.crt"
    )
    assert footprint() == before
    assert served(NAME, authority) == second


def footprint() -> str:
    """The edge's files, and which one runs."""
    return lab.ssh(
        HOST,
        "find /etc/maestro/edge -type f ! -name .lock -printf '%p %m %u %T@\\n' | sort; "
        "docker inspect -f '{{.Id}} {{.State.StartedAt}}' maestro-edge",
    )


# The internal authority


def key_on_the_host() -> str:
    """The public part of the edge's key."""
    return lab.ssh(HOST, "openssl pkey -in /etc/maestro/edge/certs/edge.key -pubout")


def test_a_certificate_near_its_end_is_renewed() -> None:
    authority = trust(AUTHORITY.read_text())
    said = {"edge_hosts": [NAME]}
    lab.ssh(HOST, "rm /etc/maestro/edge/certs/edge.crt")
    before = key_on_the_host()
    provision(**said, edge_certificate_days=20).ok()
    until(lambda: 19 < days_left(NAME, authority) <= 20, IN_FORCE)
    assert key_on_the_host() != before, "a certificate of unknown origin says nothing of its key"

    ours = key_on_the_host()
    with asked_all_the_time(authority):
        assert provision(**said).ok().changed(HOST)[0] > 0
        until(lambda: 89 < days_left(NAME, authority) <= 90, IN_FORCE)
    assert key_on_the_host() == ours
    assert provision(**said).ok().changed(HOST) == [0]
