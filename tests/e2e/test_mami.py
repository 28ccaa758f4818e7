"""Mami on a host of the lab: its page, its chat, its worker, its log, and what a new version costs.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from e2e import lab

pytestmark = pytest.mark.long

HOST = "staging-2"
NAME = "localhost"
KEPT = {"redis", "elasticsearch", "prometheus"}  # by a new version of Mami
SECRETS = (".venv/bin/maestro-secrets", "{}", "--environment", "staging", "--stack", "mami")


def picture() -> bytes:
    """A PNG of 8 by 8 pixels, half red and half blue."""
    rows = b"".join(b"\0" + b"\xff\0\0" * 4 + b"\0\0\xff" * 4 for _ in range(8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def deploy(version: str, *extra: str) -> lab.Run:
    """A deploy of the stack, as the docs write it."""
    given = ("-l", HOST, "-e", "stack=mami", "-e", f"version={version}", *extra)
    return lab.playbook("deploy.yml", *given)


def ask(path: str, *curl: str) -> tuple[int, str]:
    """What the edge of the host answers: status and body."""
    words = ["curl", "-sk", "-w", "'\\n%{http_code}'", "--resolve", f"{NAME}:443:127.0.0.1", *curl]
    out = lab.ssh(HOST, f"{' '.join(words)} https://{NAME}{path}", check=False)
    body, _, status = out.rpartition("\n")
    return int(status or 0), body


def container(service: str, command: str, *, check: bool = True) -> str:
    """What a command writes in the container of a service."""
    name = lab.containers(HOST, "mami")[service]
    return lab.ssh(HOST, f"docker exec {name} {command}", check=check)


@pytest.fixture(scope="module")
def mami(lab_made: None) -> Iterator[None]:
    """The stack, built and deployed."""
    init = [word.format("init") for word in SECRETS]
    lab.run(*init).ok()
    for version in ("v1", "v2"):
        lab.run("make", "images", "STACK=mami", f"VERSION={version}", timeout=3600).ok()
    deploy("v1").ok()
    yield
    lab.playbook("playbooks/remove.yml", "-l", HOST, "-e", "stack=mami").ok()


@pytest.mark.usefixtures("mami")
def test_it_serves_page_and_api_at_its_own_name() -> None:
    status, body = ask("/api/health")
    health = json.loads(body)
    assert (status, health["service"], health["version"]) == (200, "mami-ai", "v1")
    assert health["database"] == health["redis"] == health["elasticsearch"] == "ok"
    assert health["neo4j"] == health["qdrant"] == "disabled"
    for path in ("/", "/images", "/status"):
        status, body = ask(path)
        assert status == 200
        assert '<div id="root">' in body
    # Inside, and not through the edge.
    assert ask("/metrics")[1] == ask("/")[1]
    assert "mami_http_requests_total" in container("mami-worker", "curl -fsS mami-ai:8000/metrics")


@pytest.mark.usefixtures("mami")
def test_nothing_to_do_changes_nothing() -> None:
    assert deploy("v1").ok().changed(HOST) == [0]


@pytest.mark.usefixtures("mami")
def test_services_run_as_users_without_rights_and_are_healthy() -> None:
    found = lab.containers(HOST, "mami")
    assert found.keys() >= {"mami-ai", "mami-worker", "mami-ui", *KEPT}
    for service, name in found.items():
        facts = lab.inspect(HOST, name)
        assert facts["State"]["Health"]["Status"] == "healthy", service
        assert facts["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", service
        assert not facts["HostConfig"]["PortBindings"], service
        users = lab.ssh(HOST, f"docker top {name} -eo uid").split()[1:]
        assert "0" not in users, service
        names = {line.partition("=")[0] for line in facts["Config"]["Env"]}
        assert not names & {"INTERNAL_UPLOAD_TOKEN", "REDIS_PASSWORD", "ELASTIC_PASSWORD"}
    assert container("mami-ai", "id").startswith("uid=1000(mami)")
    assert container("mami-ui", "getent hosts mami-ai").split()


@pytest.mark.usefixtures("mami")
def test_an_image_goes_to_the_worker_and_comes_back() -> None:
    lab.ssh(HOST, f"echo {picture().hex()} | xxd -r -p > /tmp/a.png")
    status, body = ask("/api/images", "-F", "file=@/tmp/a.png", "-F", "operation=palette")
    assert status == 202, body
    job: dict[str, Any] = json.loads(body)
    deadline = time.monotonic() + 20
    while job["status"] == "queued" and time.monotonic() < deadline:
        time.sleep(0.5)
        job = json.loads(ask(f"/api/images/{job['id']}")[1])
    assert job["status"] == "done", job
    assert container("mami-ai", f"ls data/images/{job['id']}").split() == ["result.png", "source"]
    for login, expected in (("", 401), ("-H 'Authorization: Bearer no'", 403)):
        path = f"/api/internal/images/{job['id']}/result"
        assert ask(path, "-X", "POST", login)[0] == expected


@pytest.mark.usefixtures("mami")
def test_chat_without_a_provider_says_why() -> None:
    words = ("-H", "'Content-Type: application/json'", "-d", """'{"message": "Hello"}'""")
    status, body = ask("/api/chat", *words)
    assert status == 503
    assert [item["model"].split(":")[0] for item in json.loads(body)["failures"]] == [
        "groq",
        "gemini",
        "ollama",
    ]


@pytest.mark.usefixtures("mami")
def test_a_line_is_found_in_the_log_store_by_its_request() -> None:
    ident = f"test-{time.time_ns()}"
    assert ask("/api/images/none", "-H", f"'X-Request-ID: {ident}'")[0] == 404
    query = (
        'sh -c \'curl -fsS -u "elastic:$(cat /run/secrets/elastic_password)" '
        f'"http://elasticsearch:9200/mami-logs-*/_search?q=request_id:{ident}"\''
    )
    deadline = time.monotonic() + 10
    hits: list[dict[str, Any]] = []
    while not hits and time.monotonic() < deadline:
        time.sleep(0.5)
        hits = json.loads(container("mami-ai", query))["hits"]["hits"]
    line = hits[0]["_source"]
    assert (line["service"], line["level"], line["status"]) == ("mami-ai", "info", 404)
    refused = container("mami-ai", "curl -s -o /dev/null -w '%{http_code}' elasticsearch:9200")
    assert refused.strip() == "401"


@pytest.mark.usefixtures("mami")
def test_prometheus_scrapes_the_api_with_rules_that_pass_their_tests() -> None:
    got = container("prometheus", "curl -fsS 'http://127.0.0.1:9090/api/v1/query?query=up'")
    values = {item["metric"]["job"]: item["value"][1] for item in json.loads(got)["data"]["result"]}
    assert values["mami-ai"] == "1"
    container("prometheus", "promtool check config /etc/prometheus/prometheus.yml")
    flags = json.loads(
        container("prometheus", "curl -fsS http://127.0.0.1:9090/api/v1/status/flags")
    )
    assert flags["data"]["storage.tsdb.retention.time"] == "30d"


@pytest.mark.usefixtures("mami")
def test_a_new_version_and_its_rollback_replace_what_changed() -> None:
    before = lab.containers(HOST, "mami")
    deploy("v2").ok()
    after = lab.containers(HOST, "mami")
    assert {name for name in after if after[name] == before[name]} == KEPT
    assert json.loads(ask("/api/health")[1])["version"] == "v2"
    back = ("-l", HOST, "-e", "stack=mami")
    lab.playbook("playbooks/rollback.yml", *back).ok()
    assert json.loads(ask("/api/health")[1])["version"] == "v1"
