"""Rotating secrets: only their readers are replaced, and the old value goes for good."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from counter import Counter, write_secret
from e2e import lab
from e2e.test_secrecy import PLACES, forms, search

pytestmark = pytest.mark.usefixtures("production")

PLAYBOOK = "playbooks/rotate_secrets.yml"


def rotate(stack: Counter, *extra: str) -> lab.Run:
    """Run rotate_secrets.yml for the second stack."""
    return stack.play(PLAYBOOK, *stack.arguments(*extra))


def holders(host: str, value: str) -> list[str]:
    """Files below the stack's directory that hold the value."""
    found = search(host, value, "cat >/dev/shm/p; grep -rlF -f /dev/shm/p /opt/maestro/counter; "
                   "rm /dev/shm/p")  # fmt: skip
    return found.split()


@pytest.fixture(scope="module", autouse=True)
def settled(production_hosts: None, deployed: Counter) -> Iterator[None]:
    """What served before serves again afterwards."""
    yield
    with deployed.alone():
        deployed.deploy("-e", "version=v1").ok()


@pytest.fixture
def one(deployed: Counter) -> Counter:
    """The stack on one host: what holds there holds on the other."""
    return deployed.on(deployed.hosts[0])


@pytest.fixture
def token(deployed: Counter) -> Iterator[Path]:
    """Where the stack's secret stands; it holds the same afterwards."""
    path = deployed.token_file
    yield path
    write_secret(path, deployed.token)


def test_the_new_value_reaches_its_readers_and_no_other_service(one: Counter, token: Path) -> None:
    before = {host: lab.containers(host, "counter") for host in one.hosts}
    old = {host: lab.manifest(host, "counter") for host in one.hosts}
    value = f"rotated-{secrets.token_hex(12)}"
    write_secret(token, value)
    planned = rotate(one, "--check").ok()
    assert planned.changed(*one.hosts) == [1]
    assert [lab.manifest(host, "counter") for host in one.hosts] == list(old.values())
    run = rotate(one, "-e", "secret=app_token", "-vvv", "--diff").ok()
    for host in one.hosts:
        after = lab.containers(host, "counter")
        assert after["redis"] == before[host]["redis"]
        assert after["web"] != before[host]["web"]
        assert one.answer(host, "/token", "-H", f"X-Token: {value}") == {"same": True}
        manifest = lab.manifest(host, "counter")
        assert manifest["rotated"] == ["app_token"]
        assert manifest["previous"] == old[host]["id"]
        assert manifest["version"] == old[host]["version"]
        assert len(holders(host, value)) == 1
        assert holders(host, one.token) == [], "no version with the old value is left"
        for place, command in PLACES.items():
            assert search(host, (value, one.token), command) == "", f"{place} on {host}"
    for sentinel in (value, one.token):
        assert not [form for form in forms(sentinel) if form in run.out]
    same = rotate(one).ok()
    assert same.changed(*one.hosts) == [0]
    rotate(one, "-e", "secret=app_token").failed("app_token has no new value")
    # The release before needs the value that was destroyed: it comes back with the newest.
    back = one.play("playbooks/rollback.yml", *one.arguments()).ok()
    assert "the old one was destroyed when it was rotated" in back.out
    for host in one.hosts:
        manifest = lab.manifest(host, "counter")
        assert manifest["rolled_back_to"] == old[host]["id"]
        assert one.answer(host, "/token", "-H", f"X-Token: {value}") == {"same": True}
    settled = one.deploy().ok()
    assert settled.changed(*one.hosts) == [0]


def test_a_name_that_is_no_secret_of_the_stack(deployed: Counter) -> None:
    run = rotate(deployed, "-e", "secret=nonsense").failed("no service of the stack reads nonsense")
    assert "its secrets are: app_token" in run.out


def vault(deployed: Counter) -> tuple[list[str], Path]:
    """The arguments for the same stack with a vault, which holds the value that runs."""
    home = deployed.secrets / "vault"
    variables = {
        **deployed.variables(),
        "maestro_secrets": {"source": "vault", "path": str(home)},
    }
    words = ["-e", "stack=counter", "-e", json.dumps(variables)]
    command = [".venv/bin/maestro", "secrets", "set", "--path", str(home), "--environment"]
    command.append(deployed.environment)
    registry = (lab.PROJECT / ".lab" / "registry_password").read_text().strip()
    made = secrets.token_hex(32)
    for name, value, stack in (
        ("app_token", made, "counter"),
        ("registry_password", registry, "common"),
    ):
        words_ = [*command, name, "--stack", stack]
        lab.run("bash", "-c", f'printf %s "$VALUE" | {" ".join(words_)}', env={"VALUE": value}).ok()
    return words, home / deployed.environment / "counter.yml"


def shown(path: Path) -> str:
    return lab.run(".venv/bin/ansible-vault", "view", str(path)).ok().out


def test_all_of_a_vault_is_rotated_at_once(one: Counter, token: Path) -> None:
    words, path = vault(one)
    one.play("deploy.yml", *words).ok()
    before, old = path.read_bytes(), shown(path)
    planned = one.play(PLAYBOOK, *words, "--check").ok()
    assert planned.changed(*one.hosts) == [1]
    assert path.read_bytes() == before
    run = one.play(PLAYBOOK, *words, "-vvv").ok()
    new = shown(path)
    assert new != old
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []
    values = [text.split(": ")[1].strip().strip('"') for text in (old, new)]
    assert not [form for value in values for form in forms(value) if form in run.out]
    for host in one.hosts:
        assert one.answer(host, "/token", "-H", f"X-Token: {values[1]}") == {"same": True}


def test_a_rotation_that_fails_leaves_the_old_values_everywhere(
    deployed: Counter, token: Path
) -> None:
    words, path = vault(deployed)
    deployed.play("deploy.yml", *words).ok()
    before = path.read_bytes()
    serving = {host: lab.manifest(host, "counter")["id"] for host in deployed.hosts}
    directory = "/opt/maestro/counter/secrets/app_token"
    other = deployed.hosts[1]
    lab.ssh(
        other,
        f"mount --bind {directory} {directory} && mount -o remount,bind,ro {directory}",
    )
    try:
        deployed.play(PLAYBOOK, *words).failed(other)
    finally:
        lab.ssh(other, f"umount {directory}")
    assert path.read_bytes() == before
    for host in deployed.hosts:
        assert lab.manifest(host, "counter")["id"] == serving[host]
        value = shown(path).split(": ")[1].strip().strip('"')
        assert deployed.answer(host, "/token", "-H", f"X-Token: {value}") == {"same": True}
