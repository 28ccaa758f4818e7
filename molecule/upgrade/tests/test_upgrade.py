"""What an upgrade replaced, and what it kept."""

from __future__ import annotations

import json

from testinfra.host import Host

testinfra_hosts = ["ssh://app"]


def test_the_new_version_serves(host: Host) -> None:
    answer = json.loads(host.check_output("curl -fsS http://127.0.0.1:8000/"))
    assert answer["version"] == "v2"
    assert answer["migrations"] == 2


def test_the_store_and_its_data_stayed(host: Host) -> None:
    before = host.file("/root/store-before").content_string.strip()
    assert host.check_output("docker inspect -f '{{.Id}}' counter-redis-1") == before
    assert host.check_output("docker exec counter-redis-1 redis-cli get kept") == "by-upgrade"


def test_the_old_release_is_kept(host: Host) -> None:
    manifest = json.loads(host.file("/opt/maestro/counter/current/release.json").content_string)
    old = f"/opt/maestro/counter/releases/{manifest['previous']}/release.json"
    assert json.loads(host.file(old).content_string)["version"] == "v1"
