"""An account that may only look: what it is told, and what it does not get. By attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import samples
from direct import IMAGE, Direct
from e2e import lab

LOOKER = "looker"
LOOK = "sudo -n /usr/bin/python3 -I /usr/local/lib/maestro/agent.pyz --root /opt/maestro look"
SENTENCE = "an account that looks finds this line"
STACK = {
    "services": {
        "web": {
            "image": IMAGE,
            "command": ["sh", "-c", f"echo {SENTENCE}; exec sleep 600"],
            "stop_grace_period": "1s",
            "init": True,
        }
    }
}
NEW = f"""set -e; useradd --create-home --shell /bin/sh {LOOKER} || true
install -d -m 700 -o {LOOKER} /home/{LOOKER}/.ssh
install -m 600 -o {LOOKER} /root/.ssh/authorized_keys /home/{LOOKER}/.ssh/authorized_keys"""


def provision(host: str, *lookers: str) -> lab.Run:
    """Set the accounts that may only look, as an operator does who is root on the host."""
    return lab.playbook(
        *("-i", samples.inventory(), "playbooks/provision.yml", "-l", host),
        *("--tags", "host_agent", "-e", json.dumps({"host_agent_lookers": lookers})),
    )


@pytest.fixture(scope="module")
def looker(direct: Direct) -> Iterator[Direct]:
    """A host with a stack, and an account that may look there."""
    direct.write("looked", STACK)
    direct.deploy("looked")
    lab.ssh(direct.host, NEW)
    assert provision(direct.host, LOOKER).ok().changed(direct.host) == [1]
    yield direct
    provision(direct.host).ok()
    lab.ssh(
        direct.host, f"test ! -e /etc/sudoers.d/maestro-look && userdel -f -r {LOOKER} 2>/dev/null"
    )


def play(host: str, name: str) -> lab.Run:
    said = {"ansible_user": LOOKER, "look_only": True, "stack": "looked"}
    return lab.playbook(
        *("-i", samples.inventory(), f"playbooks/{name}.yml", "-l", host),
        *("-e", json.dumps(said)),
    )


def by_looker(host: str, command: str, text: str = "") -> str:
    return lab.ssh(f"{LOOKER}@{host}", f"printf %s '{text}' | {command} 2>&1", check=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("status", ["looked v1, release", "web", "running"]),
        ("history", ["looked", "deploy", "done"]),
        ("logs", [SENTENCE]),
    ],
)
def test_what_it_is_told(looker: Direct, name: str, words: list[str]) -> None:
    found = play(looker.host, name).ok()
    assert [word for word in words if word not in found.out] == []
    assert found.changed(looker.host) == [0]


@pytest.mark.parametrize(
    "command",
    [
        *("docker ps", "cat /opt/maestro/looked/current/release.json", "ls /opt/maestro/looked/"),
        *("sudo -n id", "sudo -n sh -c id", f"{LOOK} remove", f"{LOOK}up"),
        LOOK.replace("/opt/maestro look", "/home/looker look"),
        LOOK.replace(" look", " switch"),
        LOOK.replace("sudo -n", "sudo -n PYTHONPATH=/home/looker"),
        LOOK.replace("sudo -n", "sudo -n -u nobody"),
    ],
)
def test_what_it_does_not_get(looker: Direct, command: str) -> None:
    said = by_looker(looker.host, command)
    refused = ("ermission denied", "password is required", "not allowed to")
    assert any(word in said for word in refused), said


def test_it_changes_nothing_by_what_it_asks(looker: Direct) -> None:
    question = {"step": "remove", "program": "", "params": {"stack": "looked"}}
    assert "may only look" in by_looker(looker.host, LOOK, json.dumps(question))
    assert looker.container("looked", "web")["State"]["Running"]
