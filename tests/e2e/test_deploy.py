"""A second stack, deployed for real: what a good deploy does, and that it does nothing twice."""

from __future__ import annotations

import json
import re

import pytest
from counter import Counter, write_secret
from e2e import lab


@pytest.mark.requirement("C6")
def test_the_stack_serves_after_its_first_deploy(deployed: Counter) -> None:
    for host in lab.STAGING:
        answer = deployed.answer(host)
        assert answer["service"] == "counter-web"
        assert answer["version"] == "v1"
        assert answer["migrations"] == 1, "a host's own database is migrated once"


@pytest.mark.requirement("R9.3", "C4")
def test_a_secret_is_a_read_only_file_of_its_reader(deployed: Counter) -> None:
    for host in lab.STAGING:
        web = lab.containers(host, "counter")["web"]
        seen = lab.ssh(host, f"docker exec {web} stat -c '%a %u %g' /run/secrets/app_token")
        assert seen.split() == ["400", "1000", "1000"]
        denied = lab.ssh(
            host,
            f"docker exec -u 0 {web} sh -c 'echo x >> /run/secrets/app_token'",
            check=False,
        )
        assert "Read-only file system" in denied
        mounts = {m["Destination"]: m["RW"] for m in lab.inspect(host, web)["Mounts"]}
        assert mounts["/run/secrets/app_token"] is False
        assert deployed.answer(host, "/token", "-H", f"X-Token: {deployed.token}")["same"] is True
        closed = lab.ssh(host, "stat -c %a /opt/maestro/counter/secrets").strip()
        assert closed == "700"


def test_nothing_to_do_changes_nothing(deployed: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in lab.STAGING]
    for extra in ((), ("-e", "version=v1")):
        run = deployed.deploy(*extra).ok()
        assert run.changed(*lab.STAGING) == [0, 0]
    assert [lab.footprint(host, "counter") for host in lab.STAGING] == before


@pytest.mark.requirement("C3")
def test_check_shows_the_plan_and_changes_nothing(deployed: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in lab.STAGING]
    run = deployed.deploy("-e", "version=v2", "--check", "--diff").ok()
    assert run.changed(*lab.STAGING) == [1, 1]
    assert "v1 -> v2" in run.out
    assert re.search(r"replace\s+web\s+image v1", run.out)
    assert re.search(r"keep\s+redis", run.out)
    assert re.search(r"^\+.*counter-web@sha256", run.out, re.MULTILINE), "no diff"
    assert [lab.footprint(host, "counter") for host in lab.STAGING] == before


@pytest.mark.requirement("C5")
def test_a_new_version_replaces_what_changed_and_keeps_the_rest(deployed: Counter) -> None:
    before = {host: lab.containers(host, "counter") for host in lab.STAGING}
    hits = {host: deployed.answer(host)["hits"] for host in lab.STAGING}
    deployed.deploy("-e", "version=v2").ok()
    for host in lab.STAGING:
        after = lab.containers(host, "counter")
        assert after["redis"] == before[host]["redis"]
        assert after["web"] != before[host]["web"]
        answer = deployed.answer(host)
        assert answer["version"] == "v2"
        assert answer["hits"] == hits[host] + 2, "one by the smoke check, one by this test"
        recorded = lab.manifest(host, "counter")
        running = lab.inspect(host, after["web"])["Config"]["Image"]
        assert running == recorded["services"]["web"]["image"]
        assert recorded["version"] == "v2"
        assert recorded["services"]["web"]["digest"].startswith("sha256:")
        assert len(recorded["git_commit"].removesuffix("-dirty")) == 40
        assert re.fullmatch(r"\S+@\S+", recorded["by"])
    digests = {lab.manifest(host, "counter")["services"]["web"]["digest"] for host in lab.STAGING}
    assert len(digests) == 1


def test_a_changed_value_replaces_only_its_readers(deployed: Counter) -> None:
    host = lab.STAGING[0]
    before = lab.containers(host, "counter")
    token = deployed.token_file
    write_secret(token, "another-sentinel-0123456789")
    try:
        run = deployed.deploy(limit=host).ok()
        assert "app_token (changed)" in run.out
        assert "another-sentinel" not in run.out
        after = lab.containers(host, "counter")
        assert after["redis"] == before["redis"]
        assert after["web"] != before["web"]
        same = deployed.answer(host, "/token", "-H", "X-Token: another-sentinel-0123456789")
        assert same == {"same": True}
    finally:
        # The next deploy brings it back.
        write_secret(token, deployed.token)


def test_a_setting_replaces_only_what_uses_it(deployed: Counter) -> None:
    before = lab.containers("staging-1", "counter")
    greeting = {"maestro_stack_variables": {"counter": {"WEB_PORT": "8000", "GREETING": "salut"}}}
    deployed.deploy("-e", json.dumps(greeting), limit="staging-1").ok()
    try:
        after = lab.containers("staging-1", "counter")
        assert after["redis"] == before["redis"]
        assert after["web"] != before["web"]
        assert deployed.answer("staging-1")["greeting"] == "salut"
    finally:
        deployed.deploy(limit="staging-1").ok()


def test_a_stopped_container_is_started_again(deployed: Counter) -> None:
    """Even where the host lost its own program: the modules go there, and bring a new one."""
    web = lab.containers("staging-2", "counter")["web"]
    version = deployed.answer("staging-2")["version"]
    program = "/usr/local/lib/maestro/agent.pyz"
    lab.ssh("staging-2", f"docker stop -t 1 {web}; rm {program}")
    run = deployed.deploy().ok()
    lab.ssh("staging-2", f"python3 {program} --help")
    assert "web  is exited" in re.sub(r" +", " ", run.out).replace("web is", "web  is")
    assert run.changed("staging-1") == [0]
    assert lab.containers("staging-2", "counter")["web"] == web
    assert deployed.answer("staging-2")["version"] == version


@pytest.mark.requirement("C6")
def test_a_shared_database_is_migrated_from_one_host(deployed: Counter) -> None:
    shared = {
        "maestro_stack_variables": {"counter": {"WEB_PORT": "8000", "MIGRATION_SCOPE": "shared"}}
    }
    counts = {host: deployed.answer(host)["migrations"] for host in lab.STAGING}
    version = "v1" if deployed.answer("staging-1")["version"] == "v2" else "v2"
    deployed.deploy("-e", f"version={version}", "-e", json.dumps(shared)).ok()
    grown = {host: deployed.answer(host)["migrations"] - counts[host] for host in lab.STAGING}
    assert grown == {"staging-1": 1, "staging-2": 0}


def test_a_removed_service_goes_and_only_that(deployed: Counter, tmp_path) -> None:
    source = lab.PROJECT / "tests" / "stacks" / "counter"
    home = tmp_path / "counter"
    (home / "config").mkdir(parents=True)
    (home / "config" / "settings.json").write_text('{"step": 1}\n')
    compose = (source / "compose.yaml").read_text()
    extra = (
        "services:\n  idle:\n    image: ${REGISTRY}/counter-redis:8-1\n"
        "    networks: [backend]\n    command: [sleep, '1000']\n"
    )
    (home / "compose.yaml").write_text(compose.replace("services:\n", extra, 1))
    stacks = ("-e", f"maestro_stacks_dir={tmp_path}")
    before = lab.containers("staging-1", "counter")
    deployed.deploy(*stacks, limit="staging-1").ok()
    assert set(lab.containers("staging-1", "counter")) == {"idle", "redis", "web"}
    run = deployed.deploy(limit="staging-1").ok()
    assert re.search(r"remove\s+idle", run.out)
    assert lab.containers("staging-1", "counter") == before


@pytest.mark.requirement("C3")
def test_the_rendered_file_is_valid_compose_and_names_digests(deployed: Counter) -> None:
    home = "/opt/maestro/counter/current"
    lab.ssh("staging-1", f"docker compose -f {home}/compose.yaml config -q")
    text = lab.ssh("staging-1", f"cat {home}/compose.yaml")
    assert text.count("@sha256:") == 3
    assert "build:" not in text
    assert deployed.token not in text


def test_old_releases_go_and_what_they_need_stays(deployed: Counter) -> None:
    keep = ("-e", "deploy_keep=2")
    assert len(lab.ssh("staging-1", "ls /opt/maestro/counter/releases").split()) > 2
    for version in ("v2", "v1"):
        deployed.deploy("-e", f"version={version}", *keep, limit="staging-1").ok()
    releases = lab.ssh("staging-1", "ls /opt/maestro/counter/releases").split()
    assert len(releases) == 2
    versions = lab.ssh("staging-1", "ls /opt/maestro/counter/secrets/app_token").split()
    recorded = {
        json.loads(lab.ssh("staging-1", f"cat /opt/maestro/counter/releases/{r}/release.json"))[
            "secrets"
        ]["app_token"]
        for r in releases
    }
    assert set(versions) == recorded
