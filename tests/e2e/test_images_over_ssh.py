"""Images of this machine's Engine on a host that asks no registry: `maestro_images: ssh`."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from e2e import lab

HOST = os.environ.get("MAESTRO_TEST_HOST", lab.STAGING[1]).split(",")[0]
OURS = "MAESTRO_TEST_HOST" not in os.environ
INVENTORY = () if OURS else ("-i", ".cache/dev/hosts.yml")
STACK = "over-ssh"
IMAGE = f"localhost/{STACK}-web"
GALLERY = "registry.test:5000/gallery:1"
COMPOSE = {
    "services": {
        "web": {
            "build": ".",
            "command": ["/busybox", "httpd", "-f", "-p", "8000", "-h", "/www"],
            "stop_grace_period": "1s",
            "healthcheck": {
                "test": ["CMD", "/busybox", "wget", "-qO-", "127.0.0.1:8000/page"],
                "interval": "1s",
            },
        }
    }
}


def docker(*words: str, content: bytes | None = None) -> bytes:
    return subprocess.run(["docker", *words], input=content, capture_output=True, check=True).stdout


def build(version: str, busybox: bytes) -> None:
    """One layer of two megabytes that all versions have, and a small one of its own."""
    said = {
        "Dockerfile": b"FROM scratch\nCOPY busybox /busybox\nCOPY page /www/page\n",
        "busybox": busybox,
        "page": version.encode(),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as context:
        for name, content in said.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            context.addfile(entry, io.BytesIO(content))
    docker("build", "--quiet", "-t", f"{IMAGE}:{version}", "-", content=stream.getvalue())


class Shop:
    """The stack, and what is typed for it."""

    def __init__(self, home: Path) -> None:
        (home / STACK).mkdir()
        (home / STACK / "compose.yaml").write_text(yaml.safe_dump(COMPOSE))
        self.variables = {
            "maestro_stacks_dir": str(home),
            "maestro_images": "ssh",
            "maestro_registry": "",
            "maestro_registry_username": "",
            "maestro_secrets": {"source": "environment"},
        }

    def play(self, playbook: str, *words: str) -> lab.Run:
        said = ("-e", yaml.safe_dump(self.variables, default_flow_style=True, width=10000))
        return lab.playbook(*INVENTORY, playbook, "-l", HOST, "-e", f"stack={STACK}", *said, *words)

    def page(self) -> str:
        name = f"$(docker ps -qf label=com.docker.compose.project={STACK})"
        return lab.ssh(HOST, f"docker exec {name} /busybox cat /www/page").strip()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.play("playbooks/remove.yml")
    subprocess.run(
        ["docker", "image", "rm", "--force", *(f"{IMAGE}:v{number}" for number in (1, 2))],
        capture_output=True,
        check=False,
    )


def test_a_stack_without_any_registry(shop: Shop) -> None:
    shop.play("playbooks/plan.yml", "-e", "version=v1").failed(f"has no image {IMAGE}:v1")
    run = "docker run --rm --network none --entrypoint cat"
    command = f"{run} {GALLERY} /bin/busybox 2>/dev/null | base64"
    busybox = subprocess.run(
        ["base64", "-d"], input=lab.ssh(HOST, command).encode(), capture_output=True, check=True
    ).stdout
    build("v1", busybox)
    build("v2", busybox)
    assert ", over SSH)" in shop.play("deploy.yml", "-e", "version=v1").ok().out
    assert shop.page() == "v1"
    image = lab.manifest(HOST, STACK)["services"]["web"]["image"]
    assert re.fullmatch(rf"127\.0\.0\.1:29147/{STACK}-web@sha256:[0-9a-f]{{64}}", image)
    assert lab.ssh(HOST, "ls /var/lib/maestro/incoming").strip() == ""

    again = shop.play("deploy.yml", "-e", "version=v1").ok()
    assert again.changed(HOST) == [0]

    # The layer that both have is not sent again.
    second = shop.play("deploy.yml", "-e", "version=v2", "-v").ok()
    assert re.search(r"layers_there: 1\b", second.out)
    assert shop.page() == "v2"

    # Back without this machine's image.
    docker("image", "rm", "--force", f"{IMAGE}:v1")
    shop.play("playbooks/rollback.yml").ok()
    assert shop.page() == "v1"
