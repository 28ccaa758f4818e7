"""A canary judged by a query to Prometheus, which reads the metrics of the host's edge."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import shutil
import ssl
import threading
import time
from collections import Counter as Count
from collections.abc import Iterator

import pytest
import yaml
from counter import write_secret
from e2e import lab, programs
from lanes import in_turn
from relay import REMOVE, Relay

HOST = "production-1"
AUTHORITY = lab.PROJECT / ".lab/ca.crt"
PROMETHEUS = "prometheus=2.53.*"
URL = "http://127.0.0.1:9090"
SCRAPES = {
    "global": {"scrape_interval": "1s"},
    "scrape_configs": [
        {
            "job_name": "edge",
            "static_configs": [{"targets": ["127.0.0.1:8079"]}],
            "basic_auth": {
                "username": "maestro",
                "password_file": "/etc/maestro/edge/api-token",
            },
        },
        {"job_name": "itself", "static_configs": [{"targets": ["127.0.0.1:9090"]}]},
    ],
}
REQUESTS = "traefik_service_requests_total"
# The share of the stack's requests that were answered well in the last seconds.
QUERY = (
    f"sum(rate({REQUESTS}{{service=~'relay-.*',code='200'}}[5s]))"
    f" / sum(rate({REQUESTS}{{service=~'relay-.*'}}[5s]))"
)
LIMIT = 0.9
DURATION = 12
MOST = 4000  # requests a client makes at most

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production")]


@pytest.fixture(scope="module")
def watched(
    relay_in_production: Relay, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Relay]:
    """The stack in v1 on one host; from now on half of the requests try a new version first."""
    stacks = tmp_path_factory.mktemp("stacks")
    shutil.copytree(lab.PROJECT / "tests/stacks/relay", stacks / "relay")
    file = stacks / "relay/compose.yaml"
    said = yaml.safe_load(file.read_text())
    check = {"prometheus": {"url": URL, "query": QUERY, "above": LIMIT}}
    said["x-maestro"]["routes"][0]["canary"] = {
        "weight": 50,
        "duration": DURATION,
        "checks": [check],
    }
    file.write_text(yaml.safe_dump(said))
    found = dataclasses.replace(relay_in_production, stacks=str(stacks))
    with in_turn("production"):
        found.deploy("v1", limit=HOST).ok()
    yield found
    with in_turn("production"):
        lab.ssh(HOST, REMOVE)


@pytest.fixture
def prometheus(watched: Relay) -> Iterator[None]:
    """Prometheus on the host, which has read the edge's metrics."""
    files = {"prometheus.yml": json.dumps(SCRAPES)}
    options = ("--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:9090")
    with programs.running(HOST, PROMETHEUS, files, *options):
        deadline = time.monotonic() + 60
        while value("up{job='edge'}") != 1:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield


def value(query: str) -> float | None:
    """What Prometheus answers; None where it has no series, or does not answer."""
    said = lab.ssh(
        HOST,
        f'curl -sS --get --data-urlencode "query={query}" {URL}/api/v1/query',
        check=False,
    )
    try:
        result = json.loads(said)["data"]["result"]
    except ValueError:
        return None
    return float(result[0]["value"][1]) if result else None


@contextlib.contextmanager
def asked_with(key: str) -> Iterator[Count[tuple[str, int]]]:
    """A client asks all the time and shows its key; how often each version answered how."""
    settings = lab.settings()
    port = int(settings["ports"][HOST]["https"])
    context = ssl.create_default_context(cafile=AUTHORITY)
    seen: Count[tuple[str, int]] = Count()
    stop = threading.Event()

    def ask() -> tuple[str, int]:
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/key", headers={"Host": "relay.test", "X-Key": key})
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get("X-Version", ""), answer.status

    def client() -> None:
        for _ in range(MOST):
            if stop.wait(0.05):
                return
            try:
                seen[ask()] += 1
            except (OSError, http.client.HTTPException) as error:
                seen[repr(error), 0] += 1

    thread = threading.Thread(target=client)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def serves(version: str, key: str) -> None:
    """Only this version answers, and well."""
    with asked_with(key) as seen:
        time.sleep(2)
    assert set(seen) == {(version, 200)}


@pytest.mark.usefixtures("prometheus")
def test_a_canary_within_its_limit_goes_in(watched: Relay) -> None:
    # Prometheus counts what it is asked: the canary does so about once a second.
    questions = "prometheus_http_requests_total{handler='/api/v1/query'}"
    before = value(questions) or 0
    with asked_with(watched.key) as seen:
        watched.deploy("v2", limit=HOST).ok()
        assert (value(questions) or 0) - before >= DURATION / 2
        assert value(QUERY) == 1
    assert {status for _, status in seen} == {200}
    assert min(seen["v1", 200], seen["v2", 200]) > 20
    serves("v2", watched.key)


@pytest.mark.usefixtures("prometheus")
def test_a_canary_beyond_its_limit_is_put_back(watched: Relay) -> None:
    """The new version has another key: it refuses the clients, and is healthy all the same."""
    before, key = lab.manifest(HOST, "relay"), watched.key
    watched.new_key()
    try:
        with asked_with(key) as seen:
            run = watched.deploy("v1", limit=HOST)
    finally:
        watched.key = key
        write_secret(watched.secrets / "production/relay/relay_key", key)
    run.failed(HOST, "service web: canary: ", f"{QUERY} is 0.", f", not above {LIMIT:g}")
    assert f"release {before['id']} is running" in run.out
    assert seen["v1", 403] > 0, "the canary had requests"
    assert lab.manifest(HOST, "relay") == before
    serves("v2", key)


def test_a_canary_that_nobody_judges_is_put_back(watched: Relay, prometheus: None) -> None:
    before = lab.manifest(HOST, "relay")
    programs.stop(HOST, PROMETHEUS)
    run = watched.deploy("v1", limit=HOST)
    run.failed(HOST, f"service web: canary: the query {QUERY} got no answer", "Connection refused")
    assert f"release {before['id']} is running" in run.out
    assert lab.manifest(HOST, "relay") == before
    serves(before["version"], watched.key)
