"""One trace of a request through Jessy's programs and its database, in a real Jaeger.

It builds Jaeger, which takes many minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import secrets
import shlex
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from e2e import lab
from watching_stack import HOST, OURS, STACK, VERSION, deploy, play, until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "traced")]

JESSY = "jessy"
PORT = 16686  # Jaeger's page and API, on the host
OTLP = ("10DD", "10DE")  # 4317 and 4318 as the kernel lists ports


def words(name: str, value: Any) -> tuple[str, str]:
    """A variable for one run of a playbook."""
    return "-e", json.dumps({name: value})


def jessy(enabled: str) -> None:
    """Deploy Jessy with its spans on or off."""
    variables = words("maestro_stack_variables", {JESSY: {"JAEGER_ENABLED": enabled}})
    deploy(*variables, stack=JESSY).ok()


@pytest.fixture(scope="module")
def traced(watching: None) -> Iterator[None]:
    """Jessy, and Jaeger in its network, on one host."""
    if OURS:
        given = ("--environment", "production", "--stack", JESSY)
        lab.run(".venv/bin/maestro", "secrets", "init", *given).ok()
    for stack, more in ((STACK, ("PROFILES=tracing",)), (JESSY, ())):
        lab.run("make", "images", f"STACK={stack}", f"VERSION={VERSION}", *more, timeout=7200).ok()
    assert "jaeger" not in lab.containers(HOST, STACK)
    jessy("true")
    deploy(*words("maestro_stack_profiles", {STACK: ["tracing"]})).ok()
    yield
    deploy().ok()
    assert "jaeger" not in lab.containers(HOST, STACK)
    if OURS:
        volumes = "jessy_db_data,mmap-data"
        play("playbooks/remove.yml", "-e", f"volumes={volumes}", stack=JESSY).ok()


def ask(path: str, trace: str, parent: str = "b7ad6b7169203331") -> tuple[int, float]:
    """A client's request in a trace of its own: status and seconds."""
    header = shlex.quote(f"traceparent: 00-{trace}-{parent}-01")
    form = "-o /dev/null -w '%{http_code} %{time_total}'"
    said = lab.ssh(HOST, f"curl -sk {form} -H {header} {shlex.quote('https://127.0.0.1' + path)}")
    code, seconds = said.split()
    return int(code), float(seconds)


def stored(path: str) -> list[dict[str, Any]]:
    """What Jaeger answers."""
    url = shlex.quote(f"http://127.0.0.1:{PORT}{path}")
    answer = lab.ssh(HOST, f"curl -sS {url}")
    found: list[dict[str, Any]] = json.loads(answer)["data"] or []
    return found


def spans(trace: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The spans of a trace of the API, by service and kind."""
    found = [one for one in stored("/api/traces?service=jessy-api") if one["traceID"] == trace]
    result = {}
    for one in found:
        for span in one["spans"]:
            tags = {tag["key"]: tag["value"] for tag in span["tags"]}
            service = one["processes"][span["processID"]]["serviceName"]
            parents = [
                link["spanID"] for link in span["references"] if link["refType"] == "CHILD_OF"
            ]
            result[service, tags["span.kind"]] = {
                "id": span["spanID"],
                "parents": parents,
                "tags": tags,
            }
    return result


EXPECTED = {
    ("jessy-api", "server"),
    ("jessy-api", "client"),
    ("jessy-core", "server"),
    ("jessy-core", "client"),
}


def whole(trace: str, expected: set[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """A trace once it has the spans that are expected."""

    def look() -> dict[tuple[str, str], dict[str, Any]]:
        seen = spans(trace)
        return seen if seen.keys() >= expected else {}

    return until(look)


@pytest.mark.requirement("R8.4", "T6.3")
def test_one_trace_has_the_spans_of_both_programs_and_the_database() -> None:
    trace = secrets.token_hex(16)
    assert ask("/api/notes?limit=1", trace)[0] == 200
    found = whole(trace, EXPECTED)
    server, client = found["jessy-api", "server"], found["jessy-api", "client"]
    core, query = found["jessy-core", "server"], found["jessy-core", "client"]
    assert client["parents"] == [server["id"]]
    assert core["parents"] == [client["id"]]
    assert query["parents"] == [core["id"]]
    assert query["tags"]["db.system.name"] == "postgresql"
    assert "SELECT" in query["tags"]["db.query.text"]
    assert core["tags"]["http.route"] == "/notes"
    assert "limit=1" not in json.dumps(list(found.values()))
    for service in ("jessy-api", "jessy-core"):
        container = lab.containers(HOST, JESSY)[service]
        assert trace in lab.ssh(HOST, f"docker logs {container} 2>&1")
    page = f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{PORT}/"
    assert lab.ssh(HOST, page) == "200"


def test_the_trace_begins_at_the_edge_where_it_is_asked_for() -> None:
    url = "http://127.0.0.1:4318/v1/traces"
    play("playbooks/provision.yml", "-e", f"edge_traces_endpoint={url}").ok()
    try:
        trace = secrets.token_hex(16)
        assert ask("/api/notes?limit=1", trace)[0] == 200
        expected = EXPECTED | {("maestro-edge", "server"), ("maestro-edge", "client")}
        found = whole(trace, expected)
    finally:
        play("playbooks/provision.yml").ok()
    server, client = found["maestro-edge", "server"], found["maestro-edge", "client"]
    assert client["parents"] == [server["id"]]
    assert found["jessy-api", "server"]["parents"] == [client["id"]]
    assert "limit=1" not in json.dumps(list(found.values()))


def test_the_store_has_no_rights_and_is_reached_on_the_host_alone() -> None:
    seen = lab.inspect(HOST, lab.containers(HOST, STACK)["jaeger"])
    assert seen["State"]["Health"]["Status"] == "healthy"
    assert not seen["HostConfig"]["Privileged"]
    assert seen["HostConfig"]["ReadonlyRootfs"]
    assert "docker.sock" not in str(seen["Mounts"])
    bound = [one for ports in seen["HostConfig"]["PortBindings"].values() for one in ports]
    assert {one["HostIp"] for one in bound} == {"127.0.0.1"}


def test_a_store_that_is_away_slows_nothing_down() -> None:
    store = lab.containers(HOST, STACK)["jaeger"]
    there = [ask("/api/notes?limit=1", secrets.token_hex(16)) for _ in range(15)]
    # It hangs, which is worse than a refused connection.
    lab.ssh(HOST, f"docker pause {store}")
    try:
        away = [ask("/api/notes?limit=1", secrets.token_hex(16)) for _ in range(15)]
    finally:
        lab.ssh(HOST, f"docker unpause {store}")
    assert {code for code, _ in (*there, *away)} == {200}
    before, after = (statistics.median(took for _, took in one) for one in (there, away))
    print(f"{before * 1000:.0f} ms with the store, {after * 1000:.0f} ms without")
    # Waiting for it would take the two seconds in which spans are given up.
    assert after < before + 1


@pytest.mark.requirement("R8.4")
def test_nothing_is_sent_where_it_is_off() -> None:
    jessy("false")
    trace = secrets.token_hex(16)
    assert ask("/api/notes?limit=1", trace)[0] == 200
    # Longer than spans wait for company.
    time.sleep(15)
    assert stored(f"/api/traces/{trace}") == []
    assert not spans(trace)
    for service in ("jessy-api", "jessy-core"):
        container = lab.containers(HOST, JESSY)[service]
        pid = lab.inspect(HOST, container)["State"]["Pid"]
        rows = lab.ssh(HOST, f"cat /proc/{pid}/net/tcp /proc/{pid}/net/tcp6").split()
        assert not [row for row in rows if row.endswith(tuple(f":{port}" for port in OTLP))]
        # The trace itself went through all the same.
        assert trace in lab.ssh(HOST, f"docker logs {container} 2>&1")
