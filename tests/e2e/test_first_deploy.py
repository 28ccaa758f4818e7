"""A first deploy that fails, on hosts that never had the stack."""

from __future__ import annotations

import pytest
from counter import Counter
from e2e import lab


@pytest.mark.usefixtures("production", "measured")
def test_a_first_deploy_that_fails_leaves_nothing_behind(counter: Counter) -> None:
    host = counter.hosts[0]
    run = counter.deploy("-e", "version=unhealthy-1", limit=host)
    run.failed("no release is running: there was none before")
    assert lab.containers(host, "counter") == {}
    assert (
        lab.ssh(
            host,
            "ls -A /opt/maestro/counter/releases /opt/maestro/counter/secrets "
            "2>/dev/null | grep -v : || true",
        ).split()
        == []
    )
    assert "counter" not in lab.ssh(host, "docker network ls --format '{{.Name}}'")
