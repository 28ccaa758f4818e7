"""Mami's services freeze, and the host's watchdog starts them again.

It waits for checks that come every 30 seconds, so it is part of the long runs alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from e2e import lab
from mami_stack import HOST, ask, container, facts, history, inside, script

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "mami")]

FROZEN = ("mami-ai", "mami-worker", "mami-ui", "elasticsearch", "prometheus")
# Three checks every 30 seconds, each of which ends after 10, and 15 seconds; twice that where the
# host is busy, and the time that a program takes to start.
LIMIT = 2 * (3 * (30 + 10) + 15)
START = 300


def freeze(service: str) -> None:
    """Stop every process of a service but its init, which is told nothing."""
    main = facts(service)["State"]["Pid"]
    shown = lab.ssh(HOST, f"docker top {container(service)} -eo pid,args").splitlines()[1:]
    pids = [line.split()[0] for line in shown if line.split()[0] != str(main)]
    lab.ssh(HOST, f"kill -STOP {' '.join(pids)}")


@pytest.mark.requirement("G10.5", "G11.5", "M4")
def test_what_is_frozen_is_found_unhealthy_and_started_again(
    show: Callable[[str, str], None],
) -> None:
    """Without the watchdog it would stay as it is: tests/e2e/test_watchdog.py shows that."""
    before = {service: facts(service)["State"]["StartedAt"] for service in FROZEN}
    known = len(history())
    for service in FROZEN:
        freeze(service)
    began = time.monotonic()
    took: dict[str, float] = {}
    while len(took) < len(FROZEN) and time.monotonic() - began < LIMIT:
        for service in set(FROZEN) - took.keys():
            if facts(service)["State"]["StartedAt"] != before[service]:
                took[service] = time.monotonic() - began
        time.sleep(1)
    show(
        "watchdog: Mami",
        ", ".join(f"{name} after {seconds:.0f} s" for name, seconds in took.items()),
    )
    assert took.keys() == set(FROZEN)
    events = [event for event in history()[known:] if event["what"].startswith("restart of ")]
    assert {event["what"].removeprefix("restart of ") for event in events} == set(FROZEN)
    assert {event["by"] for event in events} == {"the watchdog"}
    log = lab.ssh(HOST, "journalctl -u maestro-agent --since -15min -o cat")
    assert all(f"watchdog: mami/{service} " in log for service in FROZEN)
    deadline = time.monotonic() + START
    waiting = set(FROZEN)
    while waiting and time.monotonic() < deadline:
        time.sleep(2)
        waiting = {one for one in waiting if facts(one)["State"]["Health"]["Status"] != "healthy"}
    assert not waiting
    assert ask("/api/health")[0] == ask("/healthz")[0] == 200


def prometheus(path: str) -> dict[str, Any]:
    """What Mami's Prometheus answers."""
    found: dict[str, Any] = json.loads(
        inside("prometheus", f"curl -fsS 'http://127.0.0.1:9090/api/v1/{path}'")
    )["data"]
    return found


@pytest.mark.requirement("G11.2")
def test_the_alert_of_an_api_that_stands_still_fires() -> None:
    inside("prometheus", "promtool check rules /etc/prometheus/alert_rules.yml")
    tests = (lab.PROJECT / "docker/mami/prometheus/alert_rules_test.yml").read_text()
    there = f"cd /tmp; cp /etc/prometheus/alert_rules.yml .; cat >tests.yml <<'E'\n{tests}\nE\n"
    script("prometheus", f"{there}promtool test rules tests.yml")
    written = yaml.safe_load((lab.PROJECT / "docker/mami/prometheus/alert_rules.yml").read_text())
    wanted = {rule["alert"] for group in written["groups"] for rule in group["rules"]}
    loaded = {rule["name"] for group in prometheus("rules")["groups"] for rule in group["rules"]}
    assert loaded == wanted

    def firing() -> set[str]:
        alerts = prometheus("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    assert "MamiApiDown" not in firing()
    stopped = container("mami-ai")
    lab.ssh(HOST, f"docker stop {stopped}")
    try:
        deadline = time.monotonic() + 300  # it waits for a minute
        while "MamiApiDown" not in firing():
            assert time.monotonic() < deadline
            time.sleep(2)
    finally:
        lab.ssh(HOST, f"docker start {stopped}")
