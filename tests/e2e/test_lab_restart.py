"""The registry's host restarts, beside nothing: everyone pulls from it."""

from __future__ import annotations

import time

import pytest
from e2e import lab


@pytest.mark.alone
def test_everything_survives_a_restart_of_a_host(demo: lab.Run) -> None:
    """The host that has an Engine and something to serve: systemd brings both back."""
    settings = lab.settings()
    lab.run("docker", "restart", f"{settings['name']}-registry").ok()
    ready = (
        "systemctl is-active --quiet docker docker-registry && docker info --format ok && "
        "curl -sS -o /dev/null -w '%{http_code}' https://registry.test:5000/v2/"
    )
    deadline = time.monotonic() + 60
    while (answer := lab.ssh("registry", ready, check=False).split()) != ["ok", "401"]:
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)
    # What another test runs there comes back as well.
    while lab.ssh("registry", "docker ps --quiet --filter health=starting"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert lab.ssh("registry", "getent hosts staging-1")
