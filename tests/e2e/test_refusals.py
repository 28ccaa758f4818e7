"""Bad input and broken surroundings: each has its own message, and nothing changes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from counter import Counter, registry_password, write_secret
from e2e import lab


@pytest.fixture
def untouched(deployed: Counter) -> Iterator[Counter]:
    """The deployed stack; afterwards nothing on any staging host may differ."""
    before = [lab.footprint(host, "counter") for host in lab.STAGING]
    yield deployed
    for host, found in zip(lab.STAGING, before, strict=True):
        assert lab.footprint(host, "counter") == found


@pytest.fixture
def copy(tmp_path):
    """A copy of the stack that a test may damage, and the arguments that name it."""
    source = lab.PROJECT / "tests" / "stacks" / "counter"
    shutil.copytree(source, tmp_path / "counter")
    return tmp_path / "counter" / "compose.yaml", ("-e", f"maestro_stacks_dir={tmp_path}")


def test_one_missing_secret(untouched: Counter) -> None:
    path = untouched.token_file
    path.rename(path.with_suffix(".away"))
    try:
        run = untouched.deploy().failed("missing secret: app_token", "app_token")
    finally:
        path.with_suffix(".away").rename(path)
    assert run.recap["staging-2"]["changed"] == 0


@pytest.mark.requirement("R9.2")
def test_three_missing_secrets_are_named_at_once(untouched: Counter, copy) -> None:
    compose, stacks = copy
    text = compose.read_text().replace("secrets: [app_token]", "secrets: [app_token, alpha, beta]")
    text = text.replace(
        "secrets:\n  app_token:", "secrets:\n  alpha: {file: a}\n  beta: {file: b}\n  app_token:"
    )
    compose.write_text(text)
    path = untouched.token_file
    path.rename(path.with_suffix(".away"))
    try:
        untouched.deploy(*stacks).failed("missing secrets: alpha, app_token, beta")
    finally:
        path.with_suffix(".away").rename(path)


def test_unknown_stack(untouched: Counter) -> None:
    untouched.deploy("-e", "stack=countr").failed(
        "unknown stack 'countr'", "did you mean `-e stack=counter`?"
    )


@pytest.mark.requirement("C5")
def test_unknown_version(untouched: Counter) -> None:
    untouched.deploy("-e", "version=v999").failed("has no counter-web:v999", "v1", "v2")


@pytest.mark.parametrize("version", ["latest", "no/such", "-v1"])
def test_impossible_version(untouched: Counter, version: str) -> None:
    untouched.deploy("-e", json.dumps({"version": version})).failed(
        f"{version!r} cannot be deployed as a version"
    )


def test_wrong_registry_password(untouched: Counter) -> None:
    path = untouched.secrets / "staging" / "common" / "registry_password"
    write_secret(path, "not-the-password-31415926")
    try:
        run = untouched.deploy("-e", "version=v2", "-vvv").failed(
            "refuses the user 'maestro'", "registry_password"
        )
    finally:
        write_secret(path, registry_password())
    assert "not-the-password-31415926" not in run.out


def test_registry_down(untouched: Counter) -> None:
    """Nothing answers on its port, as when it is stopped; other hosts go on using it."""
    rule = "OUTPUT -p tcp --dport 5000 -j REJECT --reject-with tcp-reset"
    for host in lab.STAGING:
        lab.ssh(host, f"iptables -I {rule}")
    try:
        untouched.deploy("-e", "version=v2").failed("registry.test:5000 cannot be reached")
        assert untouched.deploy().ok().changed(*lab.STAGING) == [0, 0], "a no-op needs no registry"
    finally:
        for host in lab.STAGING:
            lab.ssh(host, f"iptables -D {rule}")


def test_no_limit(untouched: Counter) -> None:
    lab.playbook("deploy.yml", *untouched.arguments()).failed(
        "no limit was given", "ansible-playbook deploy.yml -l staging"
    )


def test_two_environments_at_once(untouched: Counter) -> None:
    untouched.deploy(limit="staging,production").failed("not of one environment")


def test_an_approval_of_another_plan_is_refused(untouched: Counter) -> None:
    untouched.deploy("-e", "version=v2", "-e", "approved_plan=0123456789ab").failed(
        "the approval is for plan 0123456789ab"
    )


def test_malformed_compose_file(untouched: Counter, copy) -> None:
    compose, stacks = copy
    compose.write_text(compose.read_text().replace("services:\n", "services:\n  broken: [\n", 1))
    untouched.deploy(*stacks).failed("counter/compose.yaml:", "not valid YAML")


def test_compose_file_that_compose_refuses(untouched: Counter, copy) -> None:
    compose, stacks = copy
    compose.write_text(compose.read_text().replace("read_only: true", "read_only: maybe", 1))
    untouched.deploy(*stacks).failed("Compose cannot read the stack", "read_only")


def test_malformed_extension_shows_all_problems_at_once(untouched: Counter, copy) -> None:
    compose, stacks = copy
    text = (
        compose.read_text()
        .replace("  smoke:", "  smok:")
        .replace("migrate\n      data", "migrat\n      data")
    )
    compose.write_text(text)
    untouched.deploy(*stacks).failed("unknown key smok", "did you mean smoke?")
    compose.write_text(
        text.replace("  smok:", "  smoke:").replace("service: redis, port", "service: rediss, port")
    )
    untouched.deploy(*stacks).failed(
        "x-maestro.migrations[0].service: unknown service 'migrat'",
        "x-maestro.smoke[1].tcp.service: unknown service 'rediss'",
    )


def test_what_is_not_allowed_outside_development(untouched: Counter, copy) -> None:
    compose, stacks = copy
    text = compose.read_text()
    text = text.replace("counter-redis:8-1", "counter-redis:latest")
    text = text.replace("    init: true", "    privileged: true")
    text = text.replace(
        'volumes: ["redis-data:/data"]',
        'volumes: ["redis-data:/data", '
        '"/var/run/docker.sock:/var/run/docker.sock", "./config:/src"]\n'
        '    ports: ["${WEB_PORT}:6379"]',
    )
    compose.write_text(text)
    untouched.deploy(*stacks).failed(
        "services.redis.image",
        "latest",
        "services.web.privileged",
        "/var/run/docker.sock",
        "./config:/src:ro",
        "is published more than once on a host",
    )


def test_a_port_another_stack_has(untouched: Counter) -> None:
    untouched.deploy(limit="staging", port="80").failed("port 80/tcp of service web is taken by")


def test_no_room_on_disk(untouched: Counter) -> None:
    lab.ssh(
        "staging-2",
        "mkdir -p /mnt/small /mnt/kept && cp -a /opt/maestro/. /mnt/kept/ && "
        "mount -t tmpfs -o size=1m tmpfs /mnt/small && cp -a /mnt/kept/. /mnt/small/ && "
        "mount --bind /mnt/small /opt/maestro",
    )
    try:
        untouched.deploy("-e", "version=v2").failed("not enough disk space", "staging-2")
    finally:
        lab.ssh("staging-2", "umount /opt/maestro; umount /mnt/small; rm -rf /mnt/small /mnt/kept")
