"""A tag names one content: what `make images` refuses to replace, and to leave as it is."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest
from e2e import lab

VERSION = f"t{secrets.token_hex(3)}"
COMPOSE = """
services:
  app:
    build: {context: app}
  store:
    image: ${REGISTRY:-registry.test:5000}/twice-store:TAG
    build: {context: store, args: {LEVEL: "${LEVEL:-1}"}}
""".replace("TAG", VERSION)
DOCKERFILE = "FROM debian:trixie-slim\nARG LEVEL=1\nCOPY text /text\n"


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory, lab_made: None) -> Path:
    home = tmp_path_factory.mktemp("stacks")
    for name in ("app", "store"):
        folder = home / "twice" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "text").write_text(f"{name} first")
    (home / "twice/docker-compose.yml").write_text(COMPOSE)
    return home


def images(stacks: Path, *words: str) -> lab.Run:
    return lab.run("make", "images", f"VERSION={VERSION}", "STACK=twice", f"STACKS_DIR={stacks}",
                   *words)  # fmt: skip


def digest(run: lab.Run, name: str) -> str:
    (line,) = [line for line in run.out.splitlines() if f"/{name}:{VERSION}@" in line]
    return line.strip().partition("@")[2].split()[0]


def in_registry(name: str, tag: str) -> str:
    """The digest of a tag; nothing where there is no such tag."""
    asked = f"docker buildx imagetools inspect registry.test:5000/{name}:{tag}"
    found = re.search(
        r"^Digest: +(sha256:\S+)", lab.ssh("registry", asked, check=False), re.MULTILINE
    )
    return found[1] if found else ""


@pytest.mark.requirement("R4.2", "D33")
def test_a_tag_keeps_its_content(stacks: Path) -> None:
    images(stacks, "PUSH=no").ok()
    assert not in_registry("twice-app", VERSION), "it was only built"
    first = images(stacks, "LATEST=yes").ok()
    assert in_registry("twice-app", VERSION) == in_registry("twice-app", "latest")
    assert in_registry("twice-app", VERSION) == digest(first, "twice-app")
    assert images(stacks).ok().changed("registry") == [0]
    (stacks / "twice/app/text").write_text("app second")
    refused = " ".join(images(stacks).failed().out.split())
    assert f"The registry has registry.test:5000/twice-app:{VERSION} with other contents" in refused
    assert "Nothing was pushed" in refused
    (stacks / "twice/app/text").write_text("app first")
    again = images(stacks).ok()
    assert digest(again, "twice-app") == digest(first, "twice-app"), "nothing was pushed"
    (stacks / "twice/app/text").write_text("app second")
    assert digest(images(stacks, "OVERWRITE=yes").ok(), "twice-app") != digest(first, "twice-app")


def test_an_image_without_a_version_is_not_left_behind_its_sources(stacks: Path) -> None:
    (stacks / "twice/store/text").write_text("store second")
    refused = " ".join(images(stacks).failed().out.split())
    assert f"The sources of registry.test:5000/twice-store:{VERSION} changed" in refused
    assert "Give it a new tag in twice/docker-compose.yml" in refused
    (stacks / "twice/store/text").write_text("store first")
    images(stacks).ok()
