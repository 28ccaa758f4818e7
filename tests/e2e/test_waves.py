"""Hosts in waves: one that fails in the second takes the first back with it."""

from __future__ import annotations

import json

import pytest
from counter import Counter
from e2e import lab
from e2e.whole import look

FIRST, SECOND = lab.PRODUCTION
WAVES = ("-e", json.dumps({"maestro_waves": ["1", "100%"]}))
# The service is healthy and the host cannot reach it: its smoke check alone sees that.
CUT = "OUTPUT -o lo -p tcp --dport 8000 -j REJECT --reject-with tcp-reset"


@pytest.mark.usefixtures("production")
@pytest.mark.requirement("T3.2")
def test_a_failure_in_the_second_wave_puts_both_back(deployed: Counter) -> None:
    deployed.serve("v1")
    before = {host: lab.manifest(host, "counter") for host in lab.PRODUCTION}
    web = lab.containers(FIRST, "counter")["web"]
    lab.ssh(SECOND, f"iptables -w 5 -I {CUT}")
    try:
        run = deployed.deploy("-e", "version=v2", *WAVES)
    finally:
        lab.ssh(SECOND, f"iptables -w 5 -D {CUT}")
    run.failed(SECOND, "smoke checks failed", "Connection refused")
    assert "1 of" in run.out
    assert lab.containers(FIRST, "counter")["web"] != web, "the first wave was rolled"
    for host in lab.PRODUCTION:
        assert run.recap[host]["failed"] == 1
        assert lab.manifest(host, "counter") == before[host]
        assert f"release {before[host]['id']} is running" in run.out
        assert deployed.answer(host)["version"] == "v1"
        assert look(host).wrong == []
    assert deployed.deploy().ok().changed(*lab.PRODUCTION) == [0, 0]
