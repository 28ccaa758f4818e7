"""Mami on a host of the lab: its page, its chat, its worker, its log, and what a new version costs.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import re
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from e2e import lab

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

HOST = "production-2"
NAME = "localhost"
KEPT = {"redis", "elasticsearch", "prometheus"}  # by a new version of Mami
SERVICES = {"mami-ai", "mami-worker", "mami-ui", *KEPT}
IMAGE = "registry.test:5000/mami-ai"
UPLOAD = "http://mami-ai:8000/api/internal/images"
TOKEN = '-H "Authorization: Bearer $(cat /run/secrets/internal_upload_token)"'
WALK = """
import importlib, pkgutil, app
for found in pkgutil.walk_packages(app.__path__, "app."): importlib.import_module(found.name)
"""


def picture() -> bytes:
    """A PNG of 8 by 8 pixels, half red and half blue."""
    rows = b"".join(b"\0" + b"\xff\0\0" * 4 + b"\0\0\xff" * 4 for _ in range(8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def deploy(version: str) -> lab.Run:
    """A deploy of the stack in production, whose plan is approved."""
    given = ("-l", HOST, "-e", "stack=mami", "-e", f"version={version}")
    plan = re.search(r"plan ([0-9a-f]{12})", lab.playbook("playbooks/plan.yml", *given).ok().out)
    assert plan
    return lab.playbook(
        "deploy.yml", *given, "-e", "approved_by=test", "-e", f"approved_plan={plan[1]}"
    )


def ask(path: str, *curl: str) -> tuple[int, str]:
    """What the edge of the host answers: status and body."""
    words = ["curl", "-sk", "-w", "'\\n%{http_code}'", *curl]
    out = lab.ssh(HOST, f"{' '.join(words)} https://{NAME}{path}", check=False)
    body, _, status = out.rpartition("\n")
    return int(status or 0), body


def inside(service: str, command: str, *, check: bool = True) -> str:
    """What a command writes in the container of a service."""
    name = lab.containers(HOST, "mami")[service]
    return lab.ssh(HOST, f"docker exec -i {name} {command}", check=check)


def script(service: str, text: str) -> str:
    """What a shell script writes there."""
    name = lab.containers(HOST, "mami")[service]
    return lab.ssh(HOST, f"docker exec -i {name} sh -e <<'END'\n{text}\nEND\n")


def facts(service: str) -> dict[str, Any]:
    """What the Engine knows of its container."""
    return lab.inspect(HOST, lab.containers(HOST, "mami")[service])


def once(image: str, *options: str, python: str = "", end: str = "") -> str:
    """What a container that is thrown away writes; ``end`` is a command of its shell."""
    command = f"python - <<'END'\n{python}\nEND" if python else end
    return lab.ssh(
        HOST, f"docker run --rm -i {' '.join(options)} {image} {command} 2>&1; echo rc=$?"
    )


@pytest.fixture(scope="module")
def mami(production_hosts: None) -> Iterator[None]:
    """The stack, built and deployed."""
    words = ("--environment", "production", "--stack", "mami")
    lab.run(".venv/bin/maestro", "secrets", "init", *words).ok()
    for version in ("v1", "v2"):
        lab.run("make", "images", "STACK=mami", f"VERSION={version}", timeout=3600).ok()
    deploy("v1").ok()
    yield
    lab.ssh(
        HOST, "docker ps -q --filter label=com.docker.compose.project=mami | xargs -r docker rm -f"
    )


@pytest.fixture(scope="module")
def image() -> str:
    """The API's image, by its digest."""
    name: str = facts("mami-ai")["Config"]["Image"]
    return name


@pytest.mark.requirement("G15.1")
def test_it_serves_page_and_api_at_its_own_name() -> None:
    status, body = ask("/api/health")
    health = json.loads(body)
    assert (status, health["service"], health["mode"]) == (200, "mami-ai", "CORE")
    assert health["database"] == health["redis"] == health["elasticsearch"] == "ok"
    assert health["neo4j"] == health["qdrant"] == "disabled"
    for path in ("/", "/images", "/status"):
        status, body = ask(path)
        assert status == 200
        assert '<div id="root">' in body
    # Inside, and not through the edge.
    assert ask("/metrics")[1] == ask("/")[1]
    assert "mami_http_requests_total" in inside("mami-worker", "curl -fsS mami-ai:8000/metrics")
    top = lab.ssh(HOST, f"docker top {lab.containers(HOST, 'mami')['mami-ai']}")
    assert "worker_local" not in top


@pytest.mark.requirement("G14.2", "G14.3", "G14.4")
def test_services_run_as_users_without_rights_and_are_healthy() -> None:
    found = lab.containers(HOST, "mami")
    assert found.keys() >= SERVICES
    for service, name in found.items():
        if service == "migrate":
            continue
        seen = lab.inspect(HOST, name)
        assert seen["State"]["Health"]["Status"] == "healthy", service
        assert seen["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", service
        assert not seen["HostConfig"]["PortBindings"], service
        users = lab.ssh(HOST, f"docker top {name} -eo uid").split()[1:]
        assert "0" not in users, service
        names = {line.partition("=")[0] for line in seen["Config"]["Env"]}
        assert not names & {"INTERNAL_UPLOAD_TOKEN", "REDIS_PASSWORD", "ELASTIC_PASSWORD"}
    assert inside("mami-ai", "id -un").strip() == "mami"


@pytest.mark.requirement("G1.5", "G1.3", "G8.2", "G8.4")
def test_the_image_holds_what_it_needs_and_no_cache(image: str) -> None:
    shown = lab.ssh(HOST, f"docker image inspect -f '{{{{.Config.User}}}} {{{{.Size}}}}' {image}")
    user, size = shown.split()
    assert user == "mami"
    assert int(size) <= 450_000_000
    assert inside("mami-ai", "id").startswith("uid=1000(mami)")
    assert once(image, python=WALK).split() == ["rc=0"], "something is said, or cannot be imported"
    names = "import sqlmodel, neo4j, qdrant_client, redis, groq, google.genai"
    assert once(image, python=names).split() == ["rc=0"]
    caches = "sh -c 'test ! -d ~/.cache/pip && test ! -d /root/.cache/pip'"
    assert once(image, end=caches).split() == ["rc=0"]


@pytest.mark.requirement("G2.2", "G2.3")
def test_settings_have_defaults_and_wrong_ones_end_the_program(image: str) -> None:
    started = time.monotonic()
    said = once(image, "-e", "REDIS_PORT=abc")
    assert time.monotonic() - started < 30
    assert "REDIS_PORT: Input should be a valid integer" in said
    assert "rc=1" in said
    code = "from app.config import settings; print(settings.REDIS_PORT, settings.DATABASE_URL)"
    assert once(image, python=code).split()[:2] == ["6379", "sqlite:///data/app.db"]


@pytest.mark.requirement("G3.2", "G6.1", "G6.5")
def test_services_find_each_other_on_their_network() -> None:
    shown = lab.ssh(HOST, "docker network inspect mami-network")
    network = json.loads(shown)[0]
    assert (network["Name"], network["Driver"]) == ("mami-network", "bridge")
    name = lab.containers(HOST, "mami")["mami-ai"]
    ours = next(one for one in network["Containers"].values() if one["Name"] == name)
    assert (
        inside("mami-worker", "curl -fsS -o /dev/null -w '%{http_code}' http://mami-ai:8000/health")
        == "200"
    )
    assert ours["IPv4Address"].split("/")[0] in inside("mami-ui", "getent hosts mami-ai")


@pytest.mark.requirement("G15.2", "G15.3", "G15.4", "G15.5")
def test_an_image_goes_to_the_worker_and_comes_back(image: str) -> None:
    lab.ssh(HOST, f"echo {picture().hex()} | xxd -r -p > /tmp/a.png")
    status, body = ask("/api/images", "-F", "file=@/tmp/a.png", "-F", "operation=palette")
    assert status == 202, body
    job: dict[str, Any] = json.loads(body)
    deadline = time.monotonic() + 20
    while job["status"] == "queued" and time.monotonic() < deadline:
        time.sleep(0.5)
        job = json.loads(ask(f"/api/images/{job['id']}")[1])
    assert job["status"] == "done", job
    assert ask(job["result"], "-o", "/tmp/result.png")[0] == 200
    assert inside("mami-ai", f"ls data/images/{job['id']}").split() == ["result.png", "source"]
    # By the worker, from its address, with the token.
    worker = facts("mami-worker")
    assert worker["Config"]["Cmd"] == ["python", "-m", "app.image.worker_local"]
    address = worker["NetworkSettings"]["Networks"]["mami-network"]["IPAddress"]
    log = lab.ssh(HOST, f"docker logs {lab.containers(HOST, 'mami')['mami-ai']} 2>/dev/null")
    assert f"the worker at {address} uploaded the result of the image {job['id']}" in log
    for login, expected in (("", 401), ("-H 'Authorization: Bearer no'", 403)):
        path = f"/api/internal/images/{job['id']}/result"
        assert ask(path, "-X", "POST", login)[0] == expected
    again = f"{UPLOAD}/{job['id']}"
    get, put = f"{TOKEN} -o /tmp/a {again}/source", f"{TOKEN} --data-binary @/tmp/a {again}/result"
    code = script("mami-worker", f"curl -fsS {get}; curl -s -o /dev/null -w '%{{http_code}}' {put}")
    assert code == "201"
    # Nothing listens at 8000 (hexadecimal 1F40, state 0A) in the worker; another mode is refused.
    assert not re.search(r":1F40 \S+ 0A ", inside("mami-worker", "cat /proc/net/tcp"))
    assert "NODE_MODE" in once(image, "-e", "NODE_MODE=BOTH")


def test_chat_without_a_provider_says_why() -> None:
    words = ("-H", "'Content-Type: application/json'", "-d", """'{"message": "Hello"}'""")
    status, body = ask("/api/chat", *words)
    assert status == 503
    assert [item["model"].split(":")[0] for item in json.loads(body)["failures"]] == [
        "groq",
        "gemini",
        "ollama",
    ]


def stored(path: str) -> Any:
    """What Elasticsearch answers."""
    login = '-u "elastic:$(cat /run/secrets/elastic_password)"'
    return json.loads(script("mami-ai", f"curl -fsS {login} 'http://elasticsearch:9200{path}'"))


@pytest.mark.requirement("G10.4")
def test_a_line_is_found_in_the_log_store_by_its_request() -> None:
    ident = f"test-{time.time_ns()}"
    assert ask("/api/images/none", "-H", f"'X-Request-ID: {ident}'")[0] == 404
    deadline = time.monotonic() + 10
    hits: list[dict[str, Any]] = []
    while not hits and time.monotonic() < deadline:
        time.sleep(0.5)
        hits = stored(f"/mami-logs-*/_search?q=request_id:{ident}")["hits"]["hits"]
    line = hits[0]["_source"]
    assert (line["service"], line["level"], line["status"]) == ("mami-ai", "info", 404)
    assert line["timestamp"]
    refused = inside("mami-ai", "curl -s -o /dev/null -w '%{http_code}' elasticsearch:9200")
    assert refused.strip() == "401"


@pytest.mark.requirement("G4.3", "G5.2", "G10.1", "G10.3")
def test_elasticsearch_is_one_node_with_its_heap_and_volume() -> None:
    seen = facts("elasticsearch")
    assert "discovery.type=single-node" in seen["Config"]["Env"]
    assert "_cluster/health" in " ".join(seen["Config"]["Healthcheck"]["Test"])
    assert seen["State"]["Health"]["Status"] == "healthy"
    health = stored("/_cluster/health")
    assert health["status"] in ("green", "yellow")
    assert health["number_of_nodes"] == 1
    assert "volume:elasticsearch_data" in [f"{m['Type']}:{m.get('Name')}" for m in seen["Mounts"]]
    assert inside("elasticsearch", "printenv ES_JAVA_OPTS").strip() == "-Xms512m -Xmx512m"
    nodes = stored("/_nodes/stats/jvm")["nodes"].values()
    assert [node["jvm"]["mem"]["heap_max_in_bytes"] for node in nodes] == [536870912]
    assert seen["HostConfig"]["Memory"] >= 1 << 30


@pytest.mark.requirement("G4.4", "G5.3", "G11.3")
def test_prometheus_scrapes_the_api_and_keeps_a_month() -> None:
    got = inside("prometheus", "curl -fsS 'http://127.0.0.1:9090/api/v1/query?query=up'")
    values = {item["metric"]["job"]: item["value"][1] for item in json.loads(got)["data"]["result"]}
    assert values["mami-ai"] == "1"
    inside("prometheus", "promtool check config /etc/prometheus/prometheus.yml")
    answer = inside("prometheus", "curl -fsS http://127.0.0.1:9090/api/v1/status/flags")
    assert json.loads(answer)["data"]["storage.tsdb.retention.time"] == "30d"
    inside("prometheus", "curl -fsS http://127.0.0.1:9090/-/healthy")
    seen = facts("prometheus")
    assert "/-/healthy" in " ".join(seen["Config"]["Healthcheck"]["Test"])
    assert seen["State"]["Health"]["Status"] == "healthy"
    mounts = {m["Destination"]: m.get("Name") for m in seen["Mounts"]}
    assert mounts["/prometheus"] == "prometheus_data"


def test_nothing_to_do_changes_nothing_and_a_new_version_what_it_must() -> None:
    assert deploy("v1").ok().changed(HOST) == [0]
    before = lab.containers(HOST, "mami")
    deploy("v2").ok()
    after = lab.containers(HOST, "mami")
    assert {name for name in after if after[name] == before[name]} - {"migrate"} == KEPT
    assert json.loads(ask("/api/health")[1])["version"] == "v2"
