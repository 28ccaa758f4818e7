"""Mami on a host of the lab: its page, worker and log, its users, networks and ports.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from typing import Any

import pytest
from e2e import lab, pictures
from mami_stack import (
    FIRST,
    HOST,
    NAME,
    SERVICES,
    ask,
    container,
    deploy,
    environment,
    facts,
    inside,
    metric,
    script,
    stored,
    users,
)  # fmt: skip

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

UPLOAD = "http://mami-ai:8000/api/internal/images"
TOKEN = '-H "Authorization: Bearer $(cat /run/secrets/internal_upload_token)"'
# How many keys each provider has.
COUNT = (
    "from app.config import settings as s;"
    "print(len(s.get_groq_api_keys()), len(s.get_gemini_api_keys()))"
)


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
    assert "worker_local" not in lab.ssh(HOST, f"docker top {container('mami-ai')}")


@pytest.mark.requirement("G1.5", "G4.3", "G4.4", "G14.2", "G14.3", "G14.4")
def test_services_run_as_users_without_rights_and_are_healthy() -> None:
    found = lab.containers(HOST, "mami")
    assert found.keys() >= SERVICES
    for service in SERVICES:
        seen = facts(service)
        assert seen["State"]["Health"]["Status"] == "healthy", service
        assert seen["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", service
        assert not seen["HostConfig"]["PortBindings"], service
        assert "0" not in users(service), service
        assert seen["Config"]["Healthcheck"]["Retries"] == 3, service
        names = {line.partition("=")[0] for line in seen["Config"]["Env"]}
        assert not names & {"INTERNAL_UPLOAD_TOKEN", "REDIS_PASSWORD", "ELASTIC_PASSWORD"}
    assert "_cluster/health" in str(facts("elasticsearch")["Config"]["Healthcheck"]["Test"])
    assert "/-/healthy" in str(facts("prometheus")["Config"]["Healthcheck"]["Test"])
    inside("prometheus", "curl -fsS http://127.0.0.1:9090/-/healthy")
    image = facts("mami-ai")["Config"]["Image"]
    assert (
        lab.ssh(HOST, f"docker image inspect -f '{{{{.Config.User}}}}' {image}").strip() == "mami"
    )
    assert inside("mami-ai", "id").startswith("uid=1000(mami)")
    assert inside("mami-ai", "id -un").strip() == "mami"
    assert ask("/healthz")[0] == 200


@pytest.mark.requirement("G4.1")
def test_health_is_asked_every_thirty_seconds() -> None:
    check = facts("mami-ai")["Config"]["Healthcheck"]
    assert check["Interval"] == 30_000_000_000
    assert any("/health" in word for word in check["Test"])
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        log = facts("mami-ai")["State"]["Health"]["Log"]
        gaps = [clock(b["Start"]) - clock(a["End"]) for a, b in itertools.pairwise(log)]
        # Until the first good answer it is asked every second.
        if gaps and gaps[-1] > 5:
            assert 28 <= gaps[-1] <= 32
            return
        time.sleep(2)
    pytest.fail(f"never: {gaps}")


def clock(text: str) -> float:
    """Seconds of a day, of a time as the Engine writes it."""
    hours, minutes, seconds = text[11:29].rstrip("Z+").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.requirement("G14.1", "G19.4")
def test_the_programs_have_the_values_of_production() -> None:
    """The release has them in its Compose file, which nobody else may read."""
    home = "/opt/maestro/mami/current"
    assert lab.ssh(HOST, f"stat -L -c '%a %U' {home}/compose.yaml").split() == ["600", "root"]
    read = environment("mami-ai")
    assert read["ENVIRONMENT"] == "production"
    assert read["CORS_ORIGINS"] == f"https://{NAME}"
    assert read["LLM_TIMEOUT"] == "5", "what the inventory says"
    origin = ("-i", "-H", f"Origin: https://{NAME}")
    assert f"access-control-allow-origin: https://{NAME}" in ask("/api/health", *origin)[1].lower()
    others = ("-i", "-H", "Origin: http://localhost:5173")
    assert "access-control-allow-origin" not in ask("/api/health", *others)[1].lower()


@pytest.mark.requirement("G16.5")
def test_the_keys_of_the_providers_come_from_files() -> None:
    read = environment("mami-ai")
    for name in ("GROQ_API_KEY", "GEMINI_API_KEY"):
        assert name not in read
        assert read[f"{name}_FILE"].startswith("/run/secrets/")
    # As many as a developer's .env gives in test_mami_up.py.
    assert inside("mami-ai", f'python -c "{COUNT}"').split() == ["1", "1"]


@pytest.mark.requirement("G3.2", "G6.1", "G6.4", "G6.5", "M6")
def test_services_find_each_other_on_their_network_and_nobody_else_does() -> None:
    shown = lab.ssh(HOST, "docker network inspect mami-network")
    network = json.loads(shown)[0]
    assert (network["Name"], network["Driver"]) == ("mami-network", "bridge")
    name = container("mami-ai")
    ours = next(one for ident, one in network["Containers"].items() if ident == name)
    code = "-fsS -o /dev/null -w '%{http_code}'"
    assert inside("mami-worker", f"curl {code} http://mami-ai:8000/health") == "200"
    assert ours["IPv4Address"].split("/")[0] in inside("mami-ui", "getent hosts mami-ai")
    # Nothing is published, and a container of another network finds nobody.
    published = "docker ps --filter label=com.docker.compose.project=mami --format '{{.Ports}}'"
    assert "->" not in lab.ssh(HOST, published)
    image = facts("mami-ai")["Config"]["Image"]
    lost = "getent hosts mami-ai elasticsearch redis || echo lost"
    assert "lost" in lab.ssh(HOST, f'docker run --rm {image} sh -c "{lost}"')
    refused = inside("mami-ai", "curl -s -o /dev/null -w '%{http_code}' elasticsearch:9200")
    assert refused.strip() == "401", "it answers, and wants a password"


@pytest.mark.requirement("G15.2", "G15.3", "G15.4", "G15.5")
def test_an_image_goes_to_the_worker_and_comes_back() -> None:
    lab.ssh(HOST, f"echo {base64.b64encode(pictures.png()).decode()} | base64 -d >/tmp/a.png")
    status, body = ask("/api/images", "-F", "file=@/tmp/a.png", "-F", "operation=palette")
    assert status == 202, body
    job: dict[str, Any] = json.loads(body)
    deadline = time.monotonic() + 20
    while job["status"] == "queued" and time.monotonic() < deadline:
        time.sleep(0.5)
        job = json.loads(ask(f"/api/images/{job['id']}")[1])
    assert job["status"] == "done", job
    assert ask(job["result"], "-o", "/tmp/result.png")[0] == 200
    listed = inside("mami-ai", f"ls data/images/{job['id']}").split()
    assert listed == ["result.png", "source"]
    # By the worker, from its address, with the token.
    worker = facts("mami-worker")
    assert worker["Config"]["Cmd"] == ["python", "-m", "app.image.worker_local"]
    address = worker["NetworkSettings"]["Networks"]["mami-network"]["IPAddress"]
    log = lab.ssh(HOST, f"docker logs {container('mami-ai')} 2>/dev/null")
    assert f"the worker at {address} uploaded the result of the image {job['id']}" in log
    for login, expected in (((), 401), (("-H", "Authorization: Bearer no"), 403)):
        path = f"/api/internal/images/{job['id']}/result"
        assert ask(path, "-X", "POST", *login)[0] == expected
    again = f"{UPLOAD}/{job['id']}"
    get, put = f"{TOKEN} -o /tmp/a {again}/source", f"{TOKEN} --data-binary @/tmp/a {again}/result"
    code = script("mami-worker", f"curl -fsS {get}; curl -s -o /dev/null -w '%{{http_code}}' {put}")
    assert code == "201"
    # Nothing listens at 8000 (hexadecimal 1F40, state 0A) in the worker.
    assert not re.search(r":1F40 \S+ 0A ", inside("mami-worker", "cat /proc/net/tcp"))


def test_an_upload_that_is_too_large_or_no_image_is_refused_with_the_reason() -> None:
    lab.ssh(HOST, "head -c 11000000 /dev/zero >/tmp/large.png; echo text >/tmp/text.png")
    status, body = ask("/api/images", "-F", "file=@/tmp/large.png")
    assert (status, "10485760" in body) == (413, True), body
    status, body = ask("/api/images", "-F", "file=@/tmp/text.png")
    assert status == 422
    assert "detail" in body


@pytest.mark.requirement("G10.4", "G20.3")
def test_a_line_is_found_in_the_log_store_by_its_request() -> None:
    ident = f"test-{time.time_ns()}"
    assert ask("/api/images/none", "-H", f"X-Request-ID: {ident}")[0] == 404
    deadline = time.monotonic() + 10
    hits: list[dict[str, Any]] = []
    while not hits and time.monotonic() < deadline:
        time.sleep(0.5)
        hits = stored(f"/mami-logs-*/_search?q=request_id:{ident}")["hits"]["hits"]
    line = hits[0]["_source"]
    assert (line["service"], line["level"], line["status"]) == ("mami-ai", "info", 404)
    assert line["timestamp"]


@pytest.mark.requirement("G5.2", "G10.1", "G10.3")
def test_elasticsearch_is_one_node_with_its_heap_and_volume() -> None:
    seen = facts("elasticsearch")
    read = environment("elasticsearch")
    assert read["discovery.type"] == "single-node"
    assert read["xpack.security.enabled"] == "true"
    health = stored("/_cluster/health")
    assert health["status"] in ("green", "yellow")
    assert health["number_of_nodes"] == 1
    assert "volume:elasticsearch_data" in [f"{m['Type']}:{m.get('Name')}" for m in seen["Mounts"]]
    assert inside("elasticsearch", "printenv ES_JAVA_OPTS").strip() == "-Xms512m -Xmx512m"
    nodes = stored("/_nodes/stats/jvm")["nodes"].values()
    assert [node["jvm"]["mem"]["heap_max_in_bytes"] for node in nodes] == [536870912]
    assert seen["HostConfig"]["Memory"] >= 1 << 30


@pytest.mark.requirement("G5.3", "G11.3", "G11.4", "G20.5", "M8")
def test_prometheus_scrapes_the_api_and_keeps_a_month() -> None:
    got = inside("prometheus", "curl -fsS 'http://127.0.0.1:9090/api/v1/query?query=up'")
    values = {item["metric"]["job"]: item["value"][1] for item in json.loads(got)["data"]["result"]}
    assert values["mami-ai"] == "1"
    inside("prometheus", "promtool check config /etc/prometheus/prometheus.yml")
    answer = inside("prometheus", "curl -fsS http://127.0.0.1:9090/api/v1/status/flags")
    assert json.loads(answer)["data"]["storage.tsdb.retention.time"] == "30d"
    mounts = {m["Destination"]: m.get("Name") for m in facts("prometheus")["Mounts"]}
    assert mounts["/prometheus"] == "prometheus_data"
    checked = "curl -fsS http://mami-ai:8000/metrics | promtool check metrics"
    inside("prometheus", f"sh -c '{checked}'")
    shown = inside("prometheus", "curl -fsS http://mami-ai:8000/metrics")
    for name in ("requests_total counter", "request_duration_seconds histogram", "errors_total"):
        assert f"# TYPE mami_http_{name}" in shown
    name = 'mami_http_requests_total{method="GET",route="/api/images/{job}",status="404"}'
    before = metric(name)
    for _ in range(10):
        ask("/api/images/none")
    assert metric(name) == before + 10


def test_a_second_deploy_changes_nothing() -> None:
    before = lab.containers(HOST, "mami")
    assert deploy(FIRST).ok().changed(HOST) == [0]
    assert lab.containers(HOST, "mami") == before


@pytest.mark.requirement("G14.5")
def test_all_of_it_comes_back_with_the_engine_and_after_a_crash() -> None:
    assert lab.ssh(HOST, "systemctl is-enabled docker").strip() == "enabled"
    before = {service: facts(service)["State"] for service in SERVICES}
    lab.ssh(HOST, "systemctl restart docker")
    for service in ("mami-ui", "mami-worker", "redis"):
        lab.ssh(HOST, f"kill -9 {before[service]['Pid']}")
    deadline = time.monotonic() + 240
    waiting = set(SERVICES)
    while waiting and time.monotonic() < deadline:
        time.sleep(2)
        states = {one: facts(one)["State"] for one in waiting}
        waiting = {one for one in waiting if states[one]["Health"]["Status"] != "healthy"}
    assert not waiting
    for service in ("mami-ui", "mami-worker", "redis"):
        assert facts(service)["State"]["StartedAt"] > before[service]["StartedAt"]
    deadline = time.monotonic() + 30
    while ask("/api/health")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert ask("/api/health")[0] == ask("/healthz")[0] == 200
