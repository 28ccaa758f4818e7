"""Verified twice, before and after the broken version was tried: nothing may differ."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ssh://app"]


def test_the_good_version_serves(host: Host) -> None:
    answer = json.loads(host.check_output("curl -fsS http://127.0.0.1:8000/"))
    assert answer["version"] == "v1"
    health = "docker inspect -f '{{.State.Health.Status}}' counter-web-1"
    assert host.check_output(health) == "healthy"


def test_no_trace_of_a_failed_release_is_left(host: Host) -> None:
    releases = host.check_output("ls /opt/maestro/counter/releases").split()
    assert len(releases) == 1
    manifest = json.loads(host.file("/opt/maestro/counter/current/release.json").content_string)
    assert manifest["id"] == releases[0]
    assert host.check_output("ls /opt/maestro/counter/secrets/app_token") == releases[0]
