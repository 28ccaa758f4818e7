"""The images of the next release are brought to a host before its window, beside what runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from counter import registry_password, write_secret
from direct import IMAGE, ROOT, Direct
from e2e import lab

pytestmark = pytest.mark.long  # it builds an image of its own
STACK = "fetched"
NEXT = f"{IMAGE.rpartition(':')[0]}:fetched"


def compose(image: str) -> dict[str, object]:
    web = {"image": image, "command": ["busybox", "sleep", "1000"], "init": True}
    return {"services": {"web": web}}


def test_images_come_before_the_deploy_and_nothing_else_changes(
    direct: Direct, tmp_path: Path
) -> None:
    recipe = f"FROM {IMAGE}\nLABEL next=release\n"
    build = f"docker build --quiet --tag {NEXT} - && docker push --quiet {NEXT}"
    lab.run("bash", "-c", f"ssh -F .lab/ssh_config registry '{build}' <<<'{recipe}'").ok()
    at = str(direct.inventory(tmp_path / "hosts.yml", {"fetches": "staging"}))
    write_secret(tmp_path / "secrets/staging/common/registry_password", registry_password())

    def play(name: str, *words: str) -> lab.Run:
        arguments = (name, "-i", at, "-l", "staging", "-e", f"stack={STACK}", *words)
        return lab.run(".venv/bin/ansible-playbook", *arguments)

    def there() -> str:
        """What of the stack is on the host, and whether the next image is."""
        seen = f"ls {ROOT}/{STACK}/releases; docker ps -aq --no-trunc --filter name={STACK}"
        return lab.ssh(direct.host, seen)

    def has_it() -> bool:
        label = "docker images -q --filter label=next=release"
        return bool(lab.ssh(direct.host, label).strip())

    direct.write(STACK, compose(IMAGE))
    assert direct.deploy(STACK, "v1")
    try:
        direct.write(STACK, compose(NEXT))
        before = there()
        run = play("playbooks/fetch.yml", "-e", "version=v2", "--check").ok()
        assert "changed=0" in run.out
        assert not has_it()
        run = play("playbooks/fetch.yml", "-e", "version=v2").ok()
        assert "changed=1" in run.out
        assert has_it()
        assert there() == before, "nothing of the stack changed"
        run = play("playbooks/fetch.yml", "-e", "version=v2").ok()
        assert "changed=0" in run.out
        # The registry is not needed any more for the images themselves.
        run = play("deploy.yml", "-e", "version=v2").ok()
        assert "pull" not in run.out
        assert there() != before
    finally:
        lab.ssh(
            direct.host,
            f"docker rm -f $(docker ps -aq --filter name={STACK}); rm -rf {ROOT}/{STACK}; "
            f"docker rmi -f $(docker images -q --filter label=next=release)",
            check=False,
        )
