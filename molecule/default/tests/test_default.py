"""What a first deploy leaves on the host."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ssh://app"]


def test_the_stack_serves(host: Host) -> None:
    answer = json.loads(host.check_output("curl -fsS http://127.0.0.1:8000/"))
    assert answer["version"] == "v1"
    assert answer["status"] == "counting"
    assert answer["migrations"] == 1


def test_the_release_is_recorded(host: Host) -> None:
    release = host.file("/opt/maestro/counter/current")
    assert release.is_symlink
    manifest = json.loads(host.file("/opt/maestro/counter/current/release.json").content_string)
    assert release.linked_to.endswith(manifest["id"])
    running = host.check_output("docker inspect -f '{{.Config.Image}}' counter-web-1")
    assert running == manifest["services"]["web"]["image"]


def test_the_secret_is_for_its_reader_only(host: Host) -> None:
    stat = host.check_output("docker exec counter-web-1 stat -c '%a %u' /run/secrets/app_token")
    assert stat == "400 1000"
    assert host.file("/opt/maestro/counter/secrets").mode == 0o700
    assert "sentinel" not in host.check_output("docker inspect counter-web-1")
