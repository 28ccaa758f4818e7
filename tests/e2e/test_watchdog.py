"""An unhealthy container is restarted on a real host, and what must not be touched is not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from direct import IMAGE, Direct
from e2e import lab

from maestro.report import status

LIMIT = 90  # seconds until a container is restarted: 18 on a machine with nothing else to do


def service(**keys: Any) -> dict[str, Any]:
    """One that is healthy while `/tmp/sick` is missing and its main process goes on."""
    beat = "while :; do touch /tmp/alive; sleep 0.2; done"
    fresh = "test ! -e /tmp/sick && test -n \"$(find /tmp/alive -newermt '-2 seconds')\""
    return {
        "image": IMAGE,
        "command": ["bash", "-c", beat],
        "restart": "unless-stopped",
        "healthcheck": {"test": ["CMD-SHELL", fresh], "interval": "1s", "retries": 3},
        **keys,
    }


def started(direct: Direct, name: str) -> str:
    return str(direct.container("guarded", name)["State"]["StartedAt"])


def freeze(direct: Direct, name: str, signal: str = "STOP") -> None:
    pid = f"$(docker inspect --format {{{{.State.Pid}}}} guarded-{name}-1)"
    lab.ssh(direct.host, f"kill -{signal} {pid}")


def test_what_hangs_is_restarted_and_what_says_so_is_left_alone(direct: Direct) -> None:
    # It would be given a minute to stop, which it does not hear.
    slow = service(stop_grace_period="60s")
    names = ("web", "left", "stopped")
    compose = {
        "x-maestro": {"watchdog": {"left": False}},
        "services": {"web": slow, **{name: service() for name in names[1:]}},
    }
    direct.write("guarded", compose)
    direct.timeout = LIMIT
    assert direct.deploy("guarded")
    before = {name: started(direct, name) for name in names}
    for name in ("web", "left"):
        freeze(direct, name)
    health = "docker inspect --format {{.State.Health.Status}} guarded-%s-1 | grep -x %s"
    direct.until(health % ("left", "unhealthy"), LIMIT)
    lab.ssh(direct.host, "docker stop -t 0 guarded-stopped-1")
    direct.until(f"docker inspect guarded-web-1 | grep StartedAt | grep -v {before['web']}", LIMIT)
    direct.until(health % ("web", "healthy"), LIMIT)
    assert started(direct, "left") == before["left"]
    assert direct.container("guarded", "left")["State"]["Health"]["Status"] == "unhealthy"
    assert direct.container("guarded", "stopped")["State"]["Status"] == "exited"
    seen = direct.step("overview", stack="guarded")
    assert "restarted 1 time by the watchdog" in status.table("guarded", {direct.host: seen}, {})
    events = direct.step("journal", stack="guarded")
    assert "restart of web" in str(events)
    metrics = lab.ssh(direct.host, "cat /var/lib/maestro/metrics/maestro.prom")
    assert 'maestro_watchdog_restarts_total{stack="guarded",service="web"}' in metrics
    freeze(direct, "left", "CONT")


@pytest.mark.long
@pytest.mark.requirement("M4")
def test_what_is_frozen_is_restarted_soon_and_what_stays_sick_as_often_as_it_may(
    direct: Direct, show: Callable[[str, str], None]
) -> None:
    """Within three checks and 15 seconds, at the best of three times: the host may be busy."""
    compose = {
        "x-maestro": {"watchdog": {"sick": {"restarts": 2}}},
        "services": {"web": service(init=True), "sick": service()},
    }
    direct.write("guarded", compose)
    direct.timeout = LIMIT
    assert direct.deploy("guarded")
    # Sick for ever, also after a restart.
    forever = "docker exec guarded-sick-1 touch /tmp/sick"
    took = []
    for _ in range(3):
        before = started(direct, "web")
        below = "$(pgrep -P $(docker inspect --format {{.State.Pid}} guarded-web-1))"
        lab.ssh(direct.host, f"kill -STOP {below}")
        began = time.monotonic()
        direct.until(f"docker inspect guarded-web-1 | grep StartedAt | grep -v {before}", 400)
        took.append(time.monotonic() - began)
        healthy = "docker inspect --format {{.State.Health.Status}} guarded-web-1 | grep -x healthy"
        direct.until(healthy, LIMIT)
    lab.ssh(direct.host, forever)
    given_up = 'grep -q "left as it is" /opt/maestro/.history/guarded.jsonl'
    direct.until(f"{forever}; {given_up}", 400)
    history = lab.ssh(direct.host, "cat /opt/maestro/.history/guarded.jsonl").splitlines()
    events = [one for one in map(json.loads, history) if one["what"] == "restart of sick"]
    show("watchdog", f"restarted after {', '.join(f'{one:.1f}' for one in took)} s")
    assert min(took) <= 3 + 15
    assert [one["result"] for one in events] == ["done", "done", "failed"]


def test_a_container_that_nobody_deployed_is_restarted_when_its_label_asks(direct: Direct) -> None:
    health = "--health-cmd 'test ! -e /tmp/sick' --health-interval 1s --health-retries 1"
    for name, label in (("asks", "--label autoheal=true"), ("silent", "")):
        lab.ssh(
            direct.host,
            f"docker run -d --init --name watchdog-{name} {label} {health} {IMAGE} "
            "sh -c 'rm -f /tmp/sick; sleep 1; touch /tmp/sick; exec sleep 600'",
        )
    try:
        direct.until("journalctl -u maestro-agent --since -1min | grep 'watchdog-asks: unhealthy'")
        direct.until("docker inspect --format {{.State.Health.Status}} watchdog-silent | grep un")
        log = lab.ssh(direct.host, "journalctl -u maestro-agent --since -1min")
        assert "watchdog-silent" not in log
    finally:
        lab.ssh(direct.host, "docker rm -f watchdog-asks watchdog-silent")
