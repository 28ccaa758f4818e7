"""What Compose made of a stack's files, kept with the release."""

from __future__ import annotations

import hashlib
import inspect
import os
from pathlib import Path
from typing import Any

import pytest

from maestro.host import built, compose, reading, state
from maestro.host.files import File
from maestro.host.layout import Layout, point

ONE: dict[str, Any] = {
    "stack": "shop",
    "files": {"compose.yaml": File(b"services: {}\n").as_json()},
    "compose_files": ["compose.yaml"],
    "variables": {"VERSION": "v1"},
}


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compose, as a file."""
    plugin = tmp_path / "plugins/docker-compose"
    plugin.parent.mkdir()
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    monkeypatch.setattr(compose, "PLUGINS", (plugin.parent,))
    return plugin


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "maestro", "shop")
    for release in ("r1", "r2"):
        found.release(release).mkdir(parents=True)
        (found.release(release) / "release.json").write_text("{}")
    point(found.current, found.release("r1"))
    return found


@pytest.mark.parametrize(
    "other",
    [
        {"stack": "shop2"},
        {"files": {"compose.yaml": File(b"services: {} \n").as_json()}},
        {"files": {**ONE["files"], ".env": File(b"A=b\n").as_json()}},
        {"compose_files": ["compose.yaml", "compose.staging.yaml"]},
        {"variables": {"VERSION": "v2"}},
        {"variables": {"VERSION": "v1", "LEVEL": ""}},
    ],
)
def test_another_input_has_another_key(other: dict[str, Any]) -> None:
    assert reading.key(**ONE) == reading.key(**ONE) != ""
    assert reading.key(**{**ONE, **other}) != reading.key(**ONE)


def test_another_compose_or_format_has_another_key(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reading.key(**ONE)
    os.utime(program, ns=(1, 1))
    second = reading.key(**ONE)
    monkeypatch.setattr(reading, "FORMAT", reading.FORMAT + 1)
    assert len({first, second, reading.key(**ONE)}) == 3


def test_what_makes_a_reading_is_that_of_its_format() -> None:
    """Where this fails, `reading.FORMAT` has to be raised: kept readings are of before."""
    sources = [compose.canonical, state._model, state._relative, built.named]
    text = "".join(inspect.getsource(each) for each in sources)
    assert (reading.FORMAT, hashlib.sha256(text.encode()).hexdigest()[:12]) == (3, "6338337c53cb")


def test_without_a_known_compose_nothing_is_kept(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "PLUGINS", ())
    assert reading.key(**ONE) == ""
    reading.keep(layout, "r1", {"key": "", "compose": "2.26.1", "model": {}})
    assert reading.kept(layout, "r1", "") is None
    assert not (layout.release("r1") / reading.FILE).exists()


def test_a_reading_comes_back_under_its_own_key_alone(layout: Layout) -> None:
    found = {"key": "k1", "compose": "2.26.1", "model": {"services": {"web": {}}}}
    reading.keep(layout, "r1", found)
    assert reading.kept(layout, "r1", "k1") == reading.Reading(**found)
    assert reading.kept(layout, "r1", "k2") is None
    assert reading.kept(layout, "", "k1") is None
    path = layout.release("r1") / reading.FILE
    assert path.stat().st_mode & 0o7777 == 0o600
    for damaged in ("", "[]", '{"key": "k1"}'):
        path.write_text(damaged)
        assert reading.kept(layout, "r1", "k1") is None


def test_a_release_of_the_same_files_keeps_the_reading_of_the_one_before(layout: Layout) -> None:
    reading.keep(layout, "r1", {"key": "k1", "compose": "2.26.1", "model": {}})
    reading.keep(layout, "r2", {})
    assert reading.kept(layout, "r2", "k1") == reading.Reading("k1", "2.26.1", {})
