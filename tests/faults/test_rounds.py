"""A rotation of two secrets whose second round fails: the first stays, the rest is as before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import yaml
from e2e import lab

VAULT = "secrets/staging/jessy.yml"
DIRECTORY = "/opt/maestro/jessy/secrets/db_password"
KEPT = "/run/kept"


def values() -> dict[str, str]:
    """The stack's secrets, as the vault has them."""
    found: dict[str, str] = yaml.safe_load(
        lab.run(".venv/bin/ansible-vault", "view", VAULT).ok().out
    )
    return found


@contextlib.contextmanager
def no_room(host: str, directory: str) -> Iterator[None]:
    """A file system of its own for a directory, with what is there and room for nothing else."""
    lab.ssh(
        host,
        f"mkdir {KEPT} && cp -a {directory}/. {KEPT} && "
        f"mount -t tmpfs -o mode=$(stat -c %a {directory}) tmpfs {directory} && "
        f"cp -a {KEPT}/. {directory} && "
        f"mount -o remount,nr_inodes=$(find {directory} | wc -l) {directory}",
    )
    try:
        yield
    finally:
        lab.ssh(host, f"umount -l {directory}; rm -r {KEPT}")


@pytest.mark.long
def test_a_round_that_fails_leaves_those_before_it_rotated(demo: lab.Run) -> None:
    old = values()
    other = lab.STAGING[1]
    with no_room(other, DIRECTORY):
        run = lab.playbook("playbooks/rotate_secrets.yml", "-l", "staging").failed(
            other, "No space"
        )
    new = values()
    assert new["api_token"] != old["api_token"]
    assert new == {**old, "api_token": new["api_token"]}
    assert not [value for value in {*old.values(), *new.values()} if value in run.out]
    served = [lab.manifest(host, "jessy") for host in lab.STAGING]
    assert [manifest["rotated"] for manifest in served] == [["api_token"], ["api_token"]]
    settled = lab.playbook("deploy.yml", "-l", "staging").ok()
    assert settled.changed(*lab.STAGING) == [0, 0]
    # What is left to do goes through once nothing stands in its way.
    lab.playbook("playbooks/rotate_secrets.yml", "-l", "staging", "-e", "secret=db_password").ok()
    assert values()["db_password"] != old["db_password"]
