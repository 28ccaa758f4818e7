"""The edge of a lab host: what is open, TLS, limits, who answers, its log, its own update."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import ssl
import threading
import time
from collections import Counter as Count
from collections.abc import Iterator

import pytest
from e2e import lab

HOST = "staging-1"
PROVISION = ("playbooks/provision.yml", "-l", HOST, "--tags", "edge")
AUTHORITY = lab.PROJECT / ".lab/ca.crt"


def port(service: str, host: str = HOST) -> int:
    settings = lab.settings()
    return int(settings["ports"][host][service])


def ask(
    path: str, *, secure: bool = True, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    """One request on a connection of its own, as a client of the network makes it."""
    connection: http.client.HTTPConnection
    if secure:
        context = ssl.create_default_context(cafile=AUTHORITY)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port("https"), timeout=20, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port("http"), timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read().decode()
        return answer.status, dict(answer.getheaders()), body
    finally:
        connection.close()


def variables(**jessy: str) -> list[str]:
    return ["-e", json.dumps({"maestro_stack_variables": {"jessy": jessy}})]


@pytest.mark.requirement("D57")
def test_only_what_is_needed_is_open(demo: lab.Run) -> None:
    jessy = "--filter label=com.docker.compose.project=jessy"
    assert "->" not in lab.ssh(HOST, f"docker ps {jessy} --format '{{{{.Ports}}}}'")
    # The tests' second stack has no route: it publishes a port of its own.
    published = lab.ssh(HOST, "docker ps --format '{{.Ports}}'")
    others = set(re.findall(r":(\d+)->", published))
    listening = lab.ssh(HOST, "ss -Hltn").splitlines()
    open_to_all = {
        line.split()[3].rpartition(":")[2]
        for line in listening
        if not line.split()[3].startswith(("127.", "[::1]", "169.254."))
    }
    assert open_to_all - others == {"22", "80", "443"}


@pytest.mark.requirement("D58")
def test_https_with_a_certificate_of_the_authority(demo: lab.Run) -> None:
    assert ask("/api/health")[0] == 200
    # A health check is answered in the clear as well, everything else is sent to https.
    assert ask("/api/health", secure=False)[0] == 200
    status, headers, _ = ask("/api/notes?limit=1", secure=False)
    assert status == 301
    assert headers["Location"] == f"https://127.0.0.1:{port('https')}/api/notes?limit=1"
    assert ask("/api/notes", secure=False, method="POST")[0] == 308
    old = ssl.create_default_context(cafile=AUTHORITY)
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = http.client.HTTPSConnection("127.0.0.1", port("https"), context=old)
    with pytest.raises(ssl.SSLError):
        connection.request("GET", "/api/health")
    key = lab.ssh(HOST, "stat -c '%a %u' /etc/maestro/edge/certs/edge.key").split()
    assert key == ["400", "65532"]


def test_the_edge_has_no_rights(demo: lab.Run) -> None:
    found = lab.inspect(HOST, "maestro-edge")
    assert found["Config"]["User"] == "65532:65532"
    assert found["HostConfig"]["CapDrop"] == ["ALL"]
    assert found["HostConfig"]["ReadonlyRootfs"]
    assert "docker.sock" not in json.dumps(found)
    login = "maestro:$(cat /etc/maestro/edge/api-token)"
    inside = lab.ssh(HOST, f'curl -fsS -u "{login}" http://127.0.0.1:8079/metrics')
    assert "traefik_entrypoint_requests_total" in inside


def test_the_log_holds_no_secret(demo: lab.Run) -> None:
    sentinel = f"sentinel-{secrets.token_hex(8)}"
    headers = {
        "Authorization": f"Bearer {sentinel}",
        "Cookie": f"session={sentinel}",
        "X-Token": sentinel,
        "User-Agent": f"agent {sentinel}",
    }
    mark = f"/api/none-{secrets.token_hex(6)}"
    assert ask(f"{mark}?token={sentinel}", headers=headers)[0] == 404
    log = ""
    for _ in range(20):
        log = lab.ssh(HOST, "docker logs --tail 200 maestro-edge 2>&1")
        if mark in log:
            break
        time.sleep(0.25)
    assert mark in log
    assert sentinel not in log


@pytest.mark.requirement("R10.4")
def test_several_containers_share_the_requests(demo: lab.Run) -> None:
    said = variables(API_RATE="60000", API_BURST="1000", API_REPLICAS="3")
    lab.playbook("deploy.yml", "-l", HOST, *said).ok()
    seen = Count(ask("/api/health")[1]["X-Instance"] for _ in range(60))
    assert len(seen) == 3
    assert min(seen.values()) >= 10
    # One of them dies: nobody notices, and it is asked again when it is back.
    victim = next(iter(seen))
    # Dead for sure: on a busy machine it may answer, or break off an answer, for a moment more.
    lab.ssh(
        HOST,
        f"pid=$(docker inspect -f '{{{{.State.Pid}}}}' {victim}); kill -9 $pid; "
        "while test -e /proc/$pid; do sleep 0.01; done",
    )
    assert {ask("/api/health")[0] for _ in range(60)} == {200}
    deadline = time.monotonic() + 60
    while victim not in {ask("/api/health")[1]["X-Instance"] for _ in range(9)}:
        assert time.monotonic() < deadline
        time.sleep(1)


@pytest.fixture
def limited(demo: lab.Run) -> Iterator[None]:
    """Jessy with the limit it has where nobody raises it."""
    lab.playbook("deploy.yml", "-l", HOST, *variables()).ok()
    yield
    lab.playbook("deploy.yml", "-l", HOST).ok()


SECOND = "127.0.0.77"


@pytest.mark.requirement("D59")
def test_a_client_that_asks_too_often_waits_and_others_do_not(limited: None) -> None:
    burst = (
        "for i in $(seq 200); do echo \"url=https://localhost/api/counters\"; "
        "echo 'output=/dev/null'; done | curl -sS --cacert /etc/maestro/edge/certs/ca.crt "
        "--interface {} -w '%{{http_code}} %header{{retry-after}}\\n' -K -"
    )  # fmt: skip
    answers = lab.ssh(HOST, burst.format("127.0.0.1")).splitlines()
    codes = Count(line.split()[0] for line in answers)
    assert codes["429"] > 0
    assert 50 <= codes["200"] <= 120
    assert set(codes) == {"200", "429"}
    refused = [line.split() for line in answers if line.startswith("429")]
    assert all(len(words) == 2 and int(words[1]) > 0 for words in refused)
    one = "curl -sS --cacert /etc/maestro/edge/certs/ca.crt -o /dev/null -w '%{http_code}' "
    assert lab.ssh(HOST, f"{one} --interface {SECOND} https://localhost/api/counters") == "200"
    health = f"for i in $(seq 40); do {one} https://localhost/api/health; echo; done | sort -u"
    assert lab.ssh(HOST, health).split() == ["200"]


def test_the_maintenance_page(demo: lab.Run) -> None:
    command = ["playbooks/maintenance.yml", "-l", HOST]
    try:
        assert lab.playbook(*command, "-e", "maintenance=on").ok().changed(HOST) == [1]
        assert lab.playbook(*command, "-e", "maintenance=on").ok().changed(HOST) == [0]
        status, headers, body = ask("/api/notes")
        assert status == 503
        assert int(headers["Retry-After"]) > 0
        assert "Under maintenance" in body
        assert ask("/api/health")[0] == 200
        shown = lab.playbook("playbooks/status.yml", "-l", HOST).ok().out
        assert "maintenance" in shown
        lab.ssh(HOST, "systemctl restart maestro-agent docker")
        deadline = time.monotonic() + 60
        while ask("/api/notes")[0] != 503 or ask("/api/health")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        lab.playbook(*command, "-e", "maintenance=off").ok()
    assert ask("/api/notes")[0] == 200
    lab.playbook(*command, "-e", "maintenance=perhaps").failed("Say on or off")
    lab.playbook(*command, "-e", "maintenance=on", "-e", "stack=none").failed(
        "the stack none has not been deployed here"
    )


@pytest.mark.alone
def test_a_new_edge_takes_over_under_requests(demo: lab.Run) -> None:
    """New connections all the time: none is refused, none finds an edge without routes."""
    seen: Count[object] = Count()
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                seen[ask("/api/health")[0]] += 1
            except OSError as error:
                seen[repr(error)] += 1
            time.sleep(0.05)

    before = lab.inspect(HOST, "maestro-edge")["Id"]
    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    began = time.monotonic()
    try:
        run = lab.playbook(*PROVISION, "-e", "edge_grace=30").ok()
        assert run.changed(HOST)[0] > 0
        assert lab.inspect(HOST, "maestro-edge")["Id"] != before
        lab.playbook(*PROVISION).ok()
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert set(seen) == {200}
    assert seen[200] > 5 * (time.monotonic() - began), "they asked all the time"


def test_the_hosts_of_a_run_have_the_same_edge_by_its_digest(demo: lab.Run) -> None:
    (image,) = {lab.inspect(host, "maestro-edge")["Config"]["Image"] for host in lab.STAGING}
    assert re.fullmatch(r"registry\.test:5000/edge:[0-9.]+@sha256:[0-9a-f]{64}", image)


def test_an_edge_that_cannot_start_leaves_the_old_one_alone(demo: lab.Run) -> None:
    before = lab.inspect(HOST, "maestro-edge")["Id"]
    lab.playbook(*PROVISION, "-e", "edge_image=registry.test:5000/none:1").failed(
        "the edge's image cannot be pulled", "registry.test:5000/none:1"
    )
    lab.playbook(*PROVISION, "-e", "edge_image=registry.test:5000/postgres:17-4").failed(
        "the edge does not come up: it ended with exit code"
    )
    assert lab.inspect(HOST, "maestro-edge")["Id"] == before
    assert ask("/api/health")[0] == 200
    assert lab.playbook(*PROVISION).ok().changed(HOST) == [0]


# Takes addresses until one of them is $1: the Engine gives the lowest that is free.
SQUAT = """
docker pull -q registry.test:5000/postgres:17-4
for i in 0 1 2 3 4 5 6 7 8 9; do
    docker run -d --rm --name squatter-$i --network jessy-network --entrypoint /bin/sleep \\
        registry.test:5000/postgres:17-4 300
    docker inspect squatter-$i | grep -q "\\"IPAddress\\": \\"$1\\"" && break
done
"""


def test_a_container_with_another_address_keeps_its_requests(demo: lab.Run) -> None:
    """Engine and containers come back in another order, thus with other addresses."""
    container = lab.containers(HOST, "jessy")["jessy-api"]

    def address() -> str:
        return lab.inspect(HOST, container)["NetworkSettings"]["Networks"]["jessy-network"][
            "IPAddress"
        ]

    before = address()
    try:
        lab.ssh(
            HOST,
            f"docker stop -t 5 {container}; set -- {before}; {SQUAT} docker start {container}",
        )
        assert address() != before
        deadline = time.monotonic() + 30
        while ask("/api/health")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        lab.ssh(HOST, "docker ps -q --filter name=squatter- | xargs -r docker rm -f", check=False)
