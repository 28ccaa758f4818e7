"""The stack that watches the others: numbers, alerts, and what happens to a broken file.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from e2e import lab
from watching_stack import HOST, STACK, VERSION, copy, deploy, get, inside, query, until, value

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "watching")]

CONFIG = Path(lab.PROJECT / "docker" / STACK / "config")
SERVICES = {"prometheus", "alertmanager", "node-exporter", "blackbox-exporter"}


RECEIVER = """
import http.server, json, time
class Take(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        for alert in body["alerts"]:
            if alert["status"] == "firing":
                print(json.dumps({"at": time.time(), **alert["labels"]}), flush=True)
http.server.HTTPServer(("", 9999), Take).serve_forever()
"""
# Seconds until an alert is due: twice its `for`, after what it is about is so.
DUE = {"TargetDown": 2 * 60, "EdgeDown": 2 * 60, "AgentSilent": 60 + 2 * 60}


def alerts() -> set[str]:
    """The names of the alerts in the stack's files."""
    documents = [yaml.safe_load(path.read_text()) for path in CONFIG.glob("prometheus/alerts/*")]
    return {
        str(rule["alert"])
        for document in documents
        for group in document["groups"]
        for rule in group["rules"]
    }


@pytest.fixture
def received() -> Iterator[Callable[[], dict[str, float]]]:
    """When a webhook got which alert for the first time, of those that fire."""
    image = lab.inspect(HOST, lab.containers(HOST, STACK)["prometheus"])["Config"]["Image"]
    # With the host's own Python.
    run = f"docker run -d --name receiver --network {STACK} -v /usr:/usr:ro --entrypoint python3"
    lab.ssh(HOST, f"docker rm -f receiver; {run} {image} -c {shlex.quote(RECEIVER)}")

    def times() -> dict[str, float]:
        lines = lab.ssh(HOST, "docker logs receiver").splitlines()
        notes = [json.loads(line) for line in lines if line.startswith("{")]
        return {note["alertname"]: note["at"] for note in reversed(notes)}

    yield times
    lab.ssh(HOST, "docker rm -f receiver", check=False)


@pytest.fixture
def silent() -> Iterator[None]:
    """A container that should show numbers, and does not."""
    image = lab.inspect(HOST, lab.containers(HOST, STACK)["prometheus"])["Config"]["Image"]
    labels = "-l prometheus.io/port=9 -l com.docker.compose.project=silent"
    lab.ssh(HOST, f"docker run -d --name silent {labels} {image} sleep 3600")
    yield
    lab.ssh(HOST, "docker rm -f silent", check=False)


def test_every_program_is_healthy_and_answers_on_the_host_alone() -> None:
    found = lab.containers(HOST, STACK)
    assert found.keys() >= SERVICES
    for service in SERVICES:
        seen = lab.inspect(HOST, found[service])
        assert seen["State"]["Health"]["Status"] == "healthy", service
        assert not seen["HostConfig"]["Privileged"], service
        assert seen["HostConfig"]["ReadonlyRootfs"], service
        assert "docker.sock" not in str(seen["Mounts"]), service
        for bound in (seen["HostConfig"]["PortBindings"] or {}).values():
            assert [one["HostIp"] for one in bound] == ["127.0.0.1"], service
    listening = lab.ssh(HOST, "ss -Hltn | awk '{print $4}'").split()
    for port in (9090, 9093, 9100, 9115):
        assert [one for one in listening if one.endswith(f":{port}")] == [f"127.0.0.1:{port}"]
    again = deploy().ok()
    assert again.recap[HOST]["changed"] == 0


def test_what_it_reads_is_there() -> None:
    jobs = {"prometheus", "alertmanager", "node", "blackbox"}
    until(lambda: {series["metric"]["job"] for series in query("up")} >= jobs)
    until(lambda: not query("up == 0"))


@pytest.mark.requirement("R8.1")
def test_every_container_has_its_numbers() -> None:
    def names() -> bool:
        running = lab.ssh(HOST, "docker ps -q | wc -l")
        found = query("count(count by (name) (container_memory_usage_bytes))")
        return bool(found) and float(found[0]["value"][1]) == float(running)

    until(names)
    until(lambda: not query("up == 0"))
    # The limits of this stack are numbers of its own file.
    limit = 'container_spec_memory_limit_bytes{service="alertmanager"}'
    assert value(limit) == 64 * 1024**2
    for name in ("cpu_usage_seconds_total", "memory_working_set_bytes", "threads"):
        assert len(query(f'container_{name}{{stack="{STACK}"}}')) == len(SERVICES)
    assert query('container_network_receive_bytes_total{service="alertmanager"} > 0')
    assert query("node_memory_MemAvailable_bytes > 0")
    assert query("node_filesystem_size_bytes > 0")
    assert query("traefik_config_reloads_total")


@pytest.mark.requirement("G11.1", "T8.4")
def test_a_broken_rule_fails_the_deploy_and_the_old_version_serves(tmp_path: Path) -> None:
    before = lab.containers(HOST, STACK)["prometheus"]
    stack = copy(tmp_path)
    rules = stack / "config/prometheus/alerts/host.yml"
    rules.write_text(rules.read_text().replace("expr: up == 0", "expr: up = = 0"))
    run = deploy("-e", f"maestro_stacks_dir={tmp_path}")
    assert run.rc != 0
    assert "could not parse expression" in run.out
    assert lab.containers(HOST, STACK)["prometheus"] == before
    assert get(9090, "/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"]
    assert inside("prometheus", "promtool check config /etc/prometheus/prometheus.yml")
    loaded = yaml.safe_load(get(9090, "/api/v1/status/config")["data"]["yaml"])
    written = yaml.safe_load((CONFIG / "prometheus/prometheus.yml").read_text())
    assert loaded["global"].items() >= written["global"].items()
    assert [one["job_name"] for one in loaded["scrape_configs"]] == [
        one["job_name"] for one in written["scrape_configs"]
    ]
    assert loaded["rule_files"] == ["/etc/prometheus/alerts/*.yml"]
    assert inside("prometheus", "sh -c 'promtool test rules /etc/prometheus/tests/*.yml'")
    names = {
        rule["name"]
        for group in get(9090, "/api/v1/rules")["data"]["groups"]
        for rule in group["rules"]
    }
    assert names == alerts()


def test_what_maestro_does_is_a_number() -> None:
    """After the deploy that failed."""
    (info,) = until(lambda: query(f'maestro_release_info{{stack="{STACK}"}}'))
    assert info["metric"]["version"] == VERSION
    for result in ("failed", "put back"):
        changed = f'{{stack="{STACK}", kind="deploy", result="{result}"}}'
        until(partial(query, f"maestro_change_duration_seconds{changed} > 0"))
        assert value(f"maestro_change_timestamp_seconds{changed}") > 1.7e9
    drift = f'maestro_drift{{stack="{STACK}"}}'
    assert value(drift) == 0
    other = lab.containers(HOST, STACK)["blackbox-exporter"]
    lab.ssh(HOST, f"docker stop {other}")
    try:
        until(lambda: value(drift) == 1)
    finally:
        lab.ssh(HOST, f"docker start {other}")
    until(lambda: value(drift) == 0)


@pytest.mark.requirement("R8.2")
@pytest.mark.parametrize("name", ["hosts", "containers", "edge", "deploys"])
def test_every_panel_has_data(name: str) -> None:
    lab.ssh(HOST, "for n in $(seq 20); do curl -sk -o /dev/null https://127.0.0.1/; done")
    board = json.loads((CONFIG / f"grafana/dashboards/{name}.json").read_text())
    titles = {panel["title"] for panel in board["panels"]}
    if name == "containers":
        assert titles >= {"CPU", "Memory", "Network"}
    for panel in board["panels"]:
        for target in panel["targets"]:
            until(partial(query, target["expr"]))


def test_three_alerts_reach_the_webhook_in_time(
    received: Callable[[], dict[str, float]],
    silent: None,
    show: Callable[[str, str], None],
) -> None:
    """Each within twice its `for`."""
    until(lambda: not query('ALERTS{alertname=~"EdgeDown|AgentSilent"}'))
    until(lambda: query('up{name="silent"} == 0'))
    began = float(lab.ssh(HOST, "date +%s.%N"))
    lab.ssh(HOST, "systemctl stop maestro-agent; docker stop maestro-edge")
    stopped = float(lab.ssh(HOST, "date +%s.%N"))
    try:
        until(lambda: received().keys() >= DUE.keys(), 600)
        took = {name: received()[name] - began for name in DUE}
    finally:
        lab.ssh(HOST, "docker start maestro-edge; systemctl start maestro-agent")
    show("alerts at the webhook", ", ".join(f"{name} after {took[name]:.0f} s" for name in DUE))
    for name, due in DUE.items():
        assert took[name] <= due + stopped - began, name


@pytest.mark.requirement("G11.5")
def test_a_prometheus_that_hangs_is_restarted() -> None:
    container = lab.containers(HOST, STACK)["prometheus"]
    before = lab.inspect(HOST, container)["State"]["StartedAt"]
    find = f"docker top {container} -eo pid,comm | awk '$2 == \"prometheus\" {{print $1}}'"
    lab.ssh(HOST, f"kill -STOP $({find})")
    until(lambda: lab.inspect(HOST, container)["State"]["StartedAt"] != before, 600)
    until(lambda: lab.inspect(HOST, container)["State"]["Health"]["Status"] == "healthy", 300)
    restarts = f'maestro_watchdog_restarts_total{{stack="{STACK}", service="prometheus"}} > 0'
    until(partial(query, restarts))


def test_it_costs_little() -> None:
    """At most 5 % of two cores and 500 MiB, measured by itself."""
    ours = f'{{stack="{STACK}"}}'
    cpu = f"sum(rate(container_cpu_usage_seconds_total{ours}[5m])) / 2"
    until(partial(query, cpu))
    share, memory = value(cpu), value(f"sum(container_memory_working_set_bytes{ours})")
    print(f"{share:.2%} of two cores, {memory / 2**20:.0f} MiB")
    assert share <= 0.05
    assert memory <= 500 * 2**20
