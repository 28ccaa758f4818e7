"""Files on a host: layout, secrets and releases, on a real directory."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import mask, release, secrets
from maestro.host.layout import Layout, point, write_atomically

UID = os.getuid()
root_only = pytest.mark.skipif(UID != 0, reason="only root gives files away")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "maestro", "shop")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(layout: Layout) -> dict[str, str]:
    """Every file and link below the stack, with its content."""
    found = {}
    for path in sorted(layout.home.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(layout.home))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(layout.home))] = path.read_text()
    return found


# Layout


def test_where_things_stand() -> None:
    layout = Layout(Path("/opt/maestro"), "shop")
    assert str(layout.home) == "/opt/maestro/shop"
    assert str(layout.current) == "/opt/maestro/shop/current"
    assert str(layout.secrets) == "/opt/maestro/shop/secrets"
    assert str(layout.configs) == "/opt/maestro/shop/configs"
    assert str(layout.release("r1")) == "/opt/maestro/shop/releases/r1"
    assert str(layout.compose_file("r1")) == "/opt/maestro/shop/releases/r1/compose.yaml"


def test_a_host_without_releases(layout: Layout) -> None:
    assert layout.current_id() == ""
    assert layout.manifest("r1") == {}


@pytest.mark.parametrize("text", ["", "{", "not json", '{"a": ', "[]", "null"])
def test_a_damaged_manifest_says_where_it_is(layout: Layout, text: str) -> None:
    layout.release("r1").mkdir(parents=True)
    (layout.release("r1") / "release.json").write_text(text)
    with pytest.raises(MaestroError) as caught:
        layout.manifest("r1")
    assert caught.value.where.endswith("shop/releases/r1/release.json")
    assert "damaged" in caught.value.what
    assert str(layout.release("r1")) in caught.value.fix


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_file_is_whole_and_has_its_mode(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a" / "b" / "file"
    before = os.umask(umask)
    try:
        write_atomically(path, "one ü\n", 0o600)
        assert mode(path) == 0o600
        write_atomically(path, "two", 0o644)
    finally:
        os.umask(before)
    assert path.read_text() == "two"
    assert mode(path) == 0o644
    assert os.listdir(path.parent) == ["file"]


def test_what_an_interrupted_write_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / ".file.new").write_text("half of")
    write_atomically(tmp_path / "file", "all of it", 0o644)
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old", 0o644)
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800", 0o644)
    assert path.read_text() == "old"


def test_a_link_moves_in_one_step_and_is_relative(layout: Layout) -> None:
    layout.releases.mkdir(parents=True)
    (layout.home / ".current.new").symlink_to("left over")
    for name in ("r1", "r2"):
        layout.release(name).mkdir()
        (layout.release(name) / "release.json").write_text("{}")
        point(layout.current, layout.release(name))
        assert os.readlink(layout.current) == f"releases/{name}"
        assert layout.current_id() == name
    assert sorted(os.listdir(layout.home)) == ["current", "releases"]


# Secrets


def wanted(name: str = "token", version: str = "r1", uid: int = UID) -> dict[str, object]:
    return {"name": name, "version": version, "uid": uid}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_secret_s_file_is_for_its_reader_alone(layout: Layout, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert secrets.write(layout, [wanted()], {"token": "swordfish ü\n"}) == ["token"]
    finally:
        os.umask(before)
    path = layout.secrets / "token" / "r1" / str(UID)
    assert path.read_bytes() == "swordfish ü\n".encode()
    assert mode(path) == 0o400
    assert (path.stat().st_uid, path.stat().st_gid) == (UID, UID)
    for directory in (layout.secrets, layout.secrets / "token", path.parent):
        assert mode(directory) == 0o700
    assert os.listdir(path.parent) == [str(UID)]


@root_only
def test_a_secret_s_file_belongs_to_its_uid(layout: Layout) -> None:
    files = [wanted(uid=1000), wanted(uid=999), wanted("other", uid=1000)]
    assert secrets.write(layout, files, {"token": "a", "other": "b"}) == ["other", "token"]
    for name, uid in (("token", 1000), ("token", 999), ("other", 1000)):
        found = (layout.secrets / name / "r1" / str(uid)).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (uid, uid, 0o400)


def test_a_version_never_changes_its_value(layout: Layout) -> None:
    secrets.write(layout, [wanted()], {"token": "one"})
    path = layout.secrets / "token" / "r1" / str(UID)
    before = path.stat()
    assert secrets.write(layout, [wanted()], {"token": "two"}) == []
    assert path.read_text() == "one"
    assert path.stat().st_ino == before.st_ino
    assert secrets.write(layout, [wanted(version="r2")], {"token": "two"}) == ["token"]
    assert path.read_text() == "one"


def test_an_interrupted_write_is_done_again(layout: Layout) -> None:
    directory = layout.secrets / "token" / "r1"
    directory.mkdir(parents=True)
    (directory / f".{UID}.new").write_text("half")
    assert secrets.write(layout, [wanted()], {"token": "whole"}) == ["token"]
    assert os.listdir(directory) == [str(UID)]


def test_a_directory_somebody_opened_is_closed_again(layout: Layout) -> None:
    secrets.write(layout, [wanted()], {"token": "one"})
    os.chmod(layout.secrets, 0o755)
    secrets.write(layout, [wanted()], {"token": "one"})
    assert mode(layout.secrets) == 0o700


@pytest.mark.parametrize(
    ("value", "recorded", "found"),
    [
        ("one", "r1", "r1"),
        ("two", "r1", ""),
        ("one\n", "r1", ""),
        ("", "r1", ""),
        ("one", "", ""),
        ("one", "r0", ""),
    ],
)
def test_which_version_holds_a_value(layout: Layout, value: str, recorded: str, found: str) -> None:
    secrets.write(layout, [wanted()], {"token": "one"})
    assert secrets.version_of(layout, "token", value, recorded) == found


def test_a_file_that_was_edited_is_not_that_version_any_more(layout: Layout) -> None:
    secrets.write(layout, [wanted()], {"token": "one"})
    path = layout.secrets / "token" / "r1" / "77777"
    path.write_text("edited")
    assert secrets.version_of(layout, "token", "one", "r1") == ""
    path.rename(path.with_name(".77777.new"))
    assert secrets.version_of(layout, "token", "one", "r1") == "r1"


def test_versions_nobody_uses_go(layout: Layout) -> None:
    for name, version in (("a", "r1"), ("a", "r2"), ("b", "r1")):
        secrets.write(layout, [wanted(name, version)], {name: "x"})
    secrets.prune(layout, [("a", "r2")])
    assert [str(p.relative_to(layout.secrets)) for p in layout.secrets.glob("*/*")] == ["a/r2"]
    assert not (layout.secrets / "b").exists()
    secrets.discard_version(layout, "r2")
    assert os.listdir(layout.secrets) == []


def test_a_version_that_goes_is_overwritten_first(layout: Layout) -> None:
    secrets.write(layout, [wanted()], {"token": "swordfish"})
    # A second name for the same blocks shows what became of them.
    witness = layout.home / "witness"
    os.link(layout.secrets / "token" / "r1" / str(UID), witness)
    secrets.prune(layout, [])
    assert len(witness.read_bytes()) == len("swordfish")
    assert witness.read_bytes() != b"swordfish"
    assert os.listdir(layout.secrets) == []


def test_without_secrets_there_is_nothing_to_remove(layout: Layout) -> None:
    secrets.prune(layout, [])
    secrets.discard_version(layout, "r1")
    assert not layout.home.exists()


def test_what_a_host_reports_holds_no_version_of_a_secret(layout: Layout) -> None:
    for version, value in (("r1", "swordfish-1"), ("r2", "swordfish-2")):
        secrets.write(layout, [wanted(version=version)], {"token": value})
    text = mask.redactor(layout).text("old swordfish-1, new swordfish-2, else sworddance")
    assert "swordfish" not in text
    assert "sworddance" in text


# Releases


def stage(layout: Layout, name: str, version: str, config: str = "") -> dict[str, Any]:
    """What staging and writing secrets leave on a host; the manifest that would be committed."""
    write_atomically(layout.compose_file(name), f"# {name}\n", 0o644)
    secrets.write(layout, [wanted(version=version)], {"token": version})
    if config:
        write_atomically(layout.configs / "settings" / config, config, 0o644)
    return {
        "id": name,
        "secrets": {"token": version},
        "configs": {"settings": config} if config else {},
        "services": {"web": {"image": "r.test/web@sha256:same"}},
    }


def test_a_commit_is_one_step(layout: Layout) -> None:
    manifest = stage(layout, "r1", "r1", "c1")
    assert layout.current_id() == ""
    release.commit(layout, "r1", manifest)
    assert layout.current_id() == "r1"
    assert layout.manifest("r1") == manifest
    path = layout.release("r1") / "release.json"
    assert mode(path) == 0o640
    assert path.read_text() == json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    before = snapshot(layout)
    release.commit(layout, "r1", manifest)
    release.prune(layout, keep=5)
    assert snapshot(layout) == before


def test_only_the_last_releases_stay_with_what_they_need(layout: Layout) -> None:
    for number in range(1, 6):
        name = f"r{number}"
        version = "r1" if number < 4 else name
        manifest = stage(layout, name, version, f"c{min(number, 3)}")
        release.commit(layout, name, manifest)
        dropped = release.prune(layout, keep=3)
        assert dropped == ([f"r{number - 3}"] if number > 3 else [])
    assert sorted(os.listdir(layout.releases)) == ["r3", "r4", "r5"]
    assert sorted(os.listdir(layout.secrets / "token")) == ["r1", "r4", "r5"]
    assert sorted(os.listdir(layout.configs / "settings")) == ["c3"]
    assert layout.current_id() == "r5"


def test_what_was_replaced_stays_however_old_it_is(layout: Layout) -> None:
    """After going back, the release before is not the newest of the others."""
    for name in ("r1", "r2", "r3"):
        release.commit(layout, name, stage(layout, name, name))
    point(layout.current, layout.release("r1"))
    release.commit(layout, "r4", {**stage(layout, "r4", "r4"), "previous": "r1"})
    assert sorted(release.prune(layout, keep=2)) == ["r2", "r3"]


@pytest.mark.parametrize("keep", [0, 1])
def test_the_current_release_always_stays(layout: Layout, keep: int) -> None:
    for name in ("r1", "r2"):
        release.commit(layout, name, stage(layout, name, name))
        release.prune(layout, keep=5)
    point(layout.current, layout.release("r1"))
    assert release.prune(layout, keep) == ["r2"]
    assert os.listdir(layout.releases) == ["r1"]
    assert os.listdir(layout.secrets / "token") == ["r1"]


def test_a_rotation_ends_the_versions_before_it(layout: Layout) -> None:
    kept = {
        "r1": {"secrets": {"token": "r1", "other": "r1"}},
        "r2": {"secrets": {"token": "r2", "other": "r1"}, "rotated": ["token"]},
        "r3": {"secrets": {"token": "r3", "other": "r1"}},
    }
    for name, facts in kept.items():
        secrets.write(layout, [wanted(version=name)], {"token": name})
        write_atomically(layout.release(name) / "release.json", json.dumps(facts), 0o644)
    secrets.write(layout, [wanted("other")], {"other": "x"})
    point(layout.current, layout.release("r3"))
    release.prune(layout, 5)
    left = sorted(str(p.relative_to(layout.secrets)) for p in layout.secrets.glob("*/*"))
    assert left == ["other/r1", "token/r2", "token/r3"]


def test_a_discarded_release_leaves_no_trace(layout: Layout) -> None:
    release.commit(layout, "r1", stage(layout, "r1", "r1", "c1"))
    release.prune(layout, keep=5)
    before = snapshot(layout)
    stage(layout, "r2", "r2", "c2")
    assert snapshot(layout) != before
    release.discard(layout, "r2")
    assert snapshot(layout) == before
    release.discard(layout, "r2")
    assert snapshot(layout) == before


def test_a_discarded_first_release_leaves_nothing(layout: Layout) -> None:
    stage(layout, "r1", "r1", "c1")
    release.discard(layout, "r1")
    assert snapshot(layout) == {}


@pytest.mark.parametrize("name", ["r1", ""])
def test_what_serves_is_never_discarded(layout: Layout, name: str) -> None:
    release.commit(layout, "r1", stage(layout, "r1", "r1", "c1"))
    release.prune(layout, keep=5)
    before = snapshot(layout)
    release.discard(layout, name)
    assert snapshot(layout) == before


def test_nothing_to_discard_on_a_bare_host(layout: Layout) -> None:
    release.discard(layout, "r1")
    assert not layout.home.exists()


def test_a_damaged_old_release_keeps_no_new_one_out(layout: Layout) -> None:
    release.commit(layout, "r1", stage(layout, "r1", "r1"))
    release.prune(layout, keep=5)
    (layout.release("r1") / "release.json").write_text("{")
    release.commit(layout, "r2", stage(layout, "r2", "r2"))
    release.prune(layout, keep=5)
    assert layout.current_id() == "r2"
    assert os.listdir(layout.secrets / "token") == ["r2"]
