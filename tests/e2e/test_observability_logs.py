"""The lines of all containers, the edge and the host's journal, in a real Elasticsearch.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from e2e import lab
from watching_stack import HOST, JESSY, STACK, VERSION, deploy, inside, panels, query, until, value

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "shipping")]

PROFILES = json.dumps({"maestro_stack_profiles": {STACK: ["logs", "elasticsearch"]}})
AWAY, LINES = 60, 3000  # seconds without the store, and lines that are written meanwhile


@pytest.fixture(scope="module")
def shipping(watched: None) -> Iterator[None]:
    """The stack with its log store, beside Jessy."""
    words = (f"STACK={STACK}", f"VERSION={VERSION}", "PROFILES=logs,elasticsearch")
    lab.run("make", "images", *words, timeout=3600).ok()
    deploy("-e", PROFILES).ok()
    yield
    # As other files of tests expect it.
    deploy().ok()


def store(path: str, body: dict[str, Any] | None = None) -> Any:
    """What Elasticsearch answers to the one who sends the lines."""
    sent = ["-d", json.dumps(body)] if body else []
    return json.loads(inside("logs", shlex.join(["ask-store", path, *sent])))


def documents() -> Iterator[dict[str, Any]]:
    """All that are stored."""
    page = store("/maestro-logs-*/_search?scroll=1m", {"size": 2000})
    while page["hits"]["hits"]:
        yield from page["hits"]["hits"]
        page = store("/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})


def found(**fields: str) -> list[dict[str, Any]]:
    """The documents that have these values; of ``message``, these words in this order."""
    asked = [
        {"match_phrase" if name == "message" else "term": {name: wanted}}
        for name, wanted in fields.items()
    ]
    body = {"size": 100, "query": {"bool": {"filter": asked}}, "sort": ["timestamp"]}
    answer = store("/maestro-logs-*/_search", body)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def write(name: str, script: str) -> None:
    """Run a container of a service that writes lines."""
    image = lab.inspect(HOST, lab.containers(HOST, STACK)["prometheus"])["Config"]["Image"]
    labels = f"-l com.docker.compose.project=writing -l com.docker.compose.service={name}"
    command = f"docker run -d --name {name} {labels} {image} bash -c {shlex.quote(script)}"
    lab.ssh(HOST, f"docker rm -f {name} >/dev/null 2>&1; {command}")


def state(container: str) -> str:
    """What the Engine says of a container's health."""
    return str(lab.inspect(HOST, container)["State"]["Health"]["Status"])


def median_of_requests(seconds: float) -> float:
    """Of requests through the edge, one after the other for so long: seconds."""
    ask = "curl -sk -o /dev/null -w '%{time_total}\\n' https://127.0.0.1/api/health; sleep 0.2"
    shown = lab.ssh(HOST, f"end=$(($(date +%s) + {seconds:.0f})); "
                    f"while [ $(date +%s) -lt $end ]; do {ask}; done")  # fmt: skip
    times = sorted(float(line) for line in shown.splitlines())
    return times[len(times) // 2]


def test_a_line_is_found_by_service_level_and_request_id(show: Callable[[str, str], None]) -> None:
    request = uuid.uuid4().hex
    line = json.dumps({"level": "ERROR", "request_id": request, "message": "it broke"})
    write("writer", f"sleep 5; echo {shlex.quote(line)}; sleep 600")
    try:
        (document,) = until(lambda: found(service="writer", level="error", request_id=request))
        now = float(lab.ssh(HOST, "date +%s.%N"))
    finally:
        lab.ssh(HOST, "docker rm -f writer")
    took = now - datetime.fromisoformat(document["timestamp"][:26] + "+00:00").timestamp()
    show("log store", f"an error line was found {took:.1f} s after it was written")
    assert took <= 10
    assert document["message"] == "it broke"
    assert (document["stack"], document["container"]) == ("writing", "writer")
    assert document["fields"] == json.loads(line)
    assert document["host"] == lab.ssh(HOST, "hostname").strip()


@pytest.mark.requirement("R8.3")
def test_an_error_of_jessy_is_in_its_log_and_in_the_store() -> None:
    there = lab.containers(HOST, JESSY)
    lab.ssh(HOST, f"docker stop {there['jessy-core']}")
    try:
        lab.ssh(HOST, "curl -sk -o /dev/null https://127.0.0.1/api/notes")
    finally:
        lab.ssh(HOST, f"docker start {there['jessy-core']}")
    lines = map(json.loads, lab.ssh(HOST, f"docker logs {there['jessy-api']}").splitlines())
    *_, line = (line for line in lines if line["level"] == "error")
    assert line["service"] == "jessy-api"
    assert datetime.fromisoformat(line["timestamp"])
    asked = {"stack": JESSY, "service": "jessy-api", "level": "error"}
    until(lambda: line in [document["fields"] for document in found(**asked)])
    find = shlex.join(["find-lines", f"service:{line['service']} AND level:error"])
    shown = inside("logs", find)
    assert f"{line['service']} error {line['message']}" in shown


def test_the_edge_and_the_journal_are_there() -> None:
    word = uuid.uuid4().hex
    lab.ssh(HOST, f"curl -sk -o /dev/null https://127.0.0.1/api/{word}")
    lab.ssh(HOST, f"logger -t backup -p user.err 'disk {word}'")
    until(lambda: [one for one in found(message=word) if "ClientAddr" in one.get("fields", {})])
    (document,) = until(lambda: found(message=word, stream="journal"))
    assert document["level"] == "error"
    assert document["message"] == f"disk {word}"


def test_a_container_that_is_gone_at_once_is_named() -> None:
    word = uuid.uuid4().hex
    image = lab.inspect(HOST, lab.containers(HOST, STACK)["prometheus"])["Config"]["Image"]
    service = "-l com.docker.compose.service=once"
    lab.ssh(HOST, f"docker run --rm --name brief {service} {image} echo WARN {word}")
    (document,) = until(lambda: found(message=word))
    assert (document["service"], document["container"]) == ("once", "brief")
    assert document["level"] == "warning"


def test_no_secret_is_in_the_store() -> None:
    """None of the files that the host's containers have as secrets."""
    mounts = "{{range .Mounts}}{{println .Destination .Source}}{{end}}"
    shown = lab.ssh(HOST, f"docker inspect --format {shlex.quote(mounts)} $(docker ps -q)")
    pairs = (line.split() for line in shown.splitlines() if line)
    files = {source for place, source in pairs if place.startswith("/run/secrets/")}
    secrets = {lab.ssh(HOST, f"cat {shlex.quote(path)}").strip() for path in files}
    assert len(secrets) >= 3
    count = 0
    for document in documents():
        text = json.dumps(document, ensure_ascii=False)
        assert not any(secret in text for secret in secrets)
        count += 1
    assert count >= 100


def test_every_panel_has_data() -> None:
    for expression in panels("logs"):
        until(partial(query, expression))
    assert value('maestro_logs_lost_total{reason="no room"}') == 0


def test_a_store_that_is_away_costs_no_request_and_no_line(
    show: Callable[[str, str], None],
) -> None:
    there = lab.containers(HOST, STACK)
    before = median_of_requests(10)
    word = uuid.uuid4().hex
    script = f"for n in $(seq {LINES}); do echo {word} $n; done; sleep 600"
    lab.ssh(HOST, f"docker stop {there['elasticsearch']}")
    try:
        write("away", script)
        away = median_of_requests(AWAY)
        until(lambda: query(f"maestro_logs_waiting >= {LINES}"))
        # What waits survives a restart, and what is written afterwards waits as well.
        lab.ssh(HOST, f"docker restart {there['logs']}")
        write("away-2", script)
        until(lambda: query(f"maestro_logs_waiting >= {2 * LINES}"))
    finally:
        lab.ssh(HOST, f"docker start {there['elasticsearch']}")
    show("log store away", f"a request took {before * 1000:.0f} ms, and {away * 1000:.0f} ms")
    assert away <= before + 0.05

    def arrived() -> int:
        asked = shlex.join(["ask-store", f"/maestro-logs-*/_count?q=message:{word}"])
        # A store that has just started reads its indices first.
        shown = inside("logs", asked, check=False)
        return int(json.loads(shown)["count"]) if shown.startswith("{") else 0

    try:
        until(lambda: state(there["elasticsearch"]) == "healthy", 300)
        until(lambda: arrived() == 2 * LINES, 300)
    finally:
        lab.ssh(HOST, "docker rm -f away away-2")
    assert value("sum(maestro_logs_lost_total)") == 0


def test_it_costs_little(show: Callable[[str, str], None]) -> None:
    """At most 5 % of two cores and 500 MiB beside Elasticsearch."""
    ours = f'{{stack="{STACK}", service!="elasticsearch"}}'
    cpu = f"sum(rate(container_cpu_usage_seconds_total{ours}[5m])) / 2"
    until(partial(query, cpu))
    share, memory = value(cpu), value(f"sum(container_memory_working_set_bytes{ours})")
    show("observability", f"{share:.2%} of two cores, {memory / 2**20:.0f} MiB with the logs")
    assert share <= 0.05
    assert memory <= 500 * 2**20
