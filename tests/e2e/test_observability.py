"""The stack that watches the others: numbers, alerts, and what happens to a broken file.

It builds images for minutes, so it is part of the long runs alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e import lab
from watching_stack import HOST, STACK, copy, deploy, get, inside, query, until

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("watching")]

CONFIG = Path(lab.PROJECT / "docker" / STACK / "config")
SERVICES = {"prometheus", "alertmanager", "node-exporter", "blackbox-exporter"}


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
    up = until(lambda: query("up"))
    jobs = {series["metric"]["job"] for series in up}
    assert jobs >= {"prometheus", "alertmanager", "node", "blackbox"}
    until(lambda: not query("up == 0"))


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
    names = {
        rule["name"]
        for group in get(9090, "/api/v1/rules")["data"]["groups"]
        for rule in group["rules"]
    }
    written = [
        line.split()[-1]
        for path in CONFIG.glob("prometheus/alerts/*.yml")
        for line in path.read_text().splitlines()
        if "- alert:" in line
    ]
    assert names == set(written)
