"""What a first deploy leaves on the host, before and after a broken version was tried."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ssh://app"]


def test_the_stack_serves(host: Host) -> None:
    answer = json.loads(host.check_output("curl -fsS http://127.0.0.1:8000/"))
    assert answer["version"] == "v1"
    assert answer["status"] == "counting"
    # That of a broken version runs before it fails.
    tried = host.file("/root/tried-a-broken-version").exists
    assert 1 <= answer["migrations"] <= 1 + tried
    health = "docker inspect -f '{{.State.Health.Status}}' counter-web-1"
    assert host.check_output(health) == "healthy"


def test_the_release_is_recorded(host: Host) -> None:
    release = host.file("/opt/maestro/counter/current")
    assert release.is_symlink
    manifest = json.loads(host.file("/opt/maestro/counter/current/release.json").content_string)
    assert release.linked_to.endswith(manifest["id"])
    running = host.check_output("docker inspect -f '{{.Config.Image}}' counter-web-1")
    assert running == manifest["services"]["web"]["image"]


def test_no_trace_of_a_failed_release_is_left(host: Host) -> None:
    releases = host.check_output("ls /opt/maestro/counter/releases").split()
    assert len(releases) == 1
    manifest = json.loads(host.file("/opt/maestro/counter/current/release.json").content_string)
    assert manifest["id"] == releases[0]
    assert host.check_output("ls /opt/maestro/counter/secrets/app_token") == releases[0]


def test_the_secret_is_for_its_reader_only(host: Host) -> None:
    stat = host.check_output("docker exec counter-web-1 stat -c '%a %u' /run/secrets/app_token")
    assert stat == "400 1000"
    assert host.file("/opt/maestro/counter/secrets").mode == 0o700
    assert "sentinel" not in host.check_output("docker inspect counter-web-1")
