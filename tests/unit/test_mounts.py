"""Files of the stack's directory that services mount to read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import stack_models as models

from maestro.errors import MaestroError
from maestro.host import folder
from maestro.host.files import File
from maestro.host.folder import Folder
from maestro.host.userns import Ids, Remap
from maestro.stack import directory, files, mounts


def load(home: Path, text: str) -> files.Stack:
    (home / "shop").mkdir(exist_ok=True)
    (home / "shop/compose.yaml").write_text(text)
    return files.load(home, "shop", "staging", {})


def test_what_is_mounted_to_read_goes_along(tmp_path: Path) -> None:
    for name in (
        "nginx.conf",
        "conf.d/a.conf",
        "conf.d/deep/b.conf",
        "long/c",
        "src/d",
        "theirs/e",
    ):
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    loaded = load(
        tmp_path,
        """
        services:
          web:
            image: r.test/web:1
            volumes:
              - ./nginx.conf:/etc/nginx/nginx.conf:ro
              - ./${WHERE:-conf.d}/:/etc/nginx/conf.d:ro,z
              - {type: bind, source: long, target: /long, read_only: true}
              - ./src:/src
              - {type: bind, source: ./src, target: /other}
              - theirs:/theirs:ro
              - /theirs:/absolute:ro
              - ./missing:/missing:ro
        volumes: {theirs: {}}
        """,
    )
    assert set(loaded.files) == {
        *("compose.yaml", "nginx.conf", "conf.d/a.conf", "conf.d/deep/b.conf", "long/c"),
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda home: (home / "conf/out").symlink_to("/etc/passwd"), "conf/out lies outside"),
        (
            lambda home: (home / "conf/big").write_bytes(b"0" * (directory.FILE_LIMIT + 1)),
            "more than 8 MiB",
        ),
        (
            lambda home: [(home / f"conf/{n}").touch() for n in range(directory.FOLDER_FILES + 1)],
            "has 501 files, more than 500",
        ),
    ],
)
def test_a_directory_that_cannot_go_along(tmp_path: Path, make: Any, said: str) -> None:
    home = tmp_path / "shop"
    (home / "conf").mkdir(parents=True)
    make(home)
    with pytest.raises(MaestroError) as caught:
        load(tmp_path, 'services: {web: {image: "r.test/web:1", volumes: ["./conf:/c:ro"]}}')
    assert said in str(caught.value)
    assert "services.web.volumes" in str(caught.value)


def mounted(source: str, **keys: Any) -> dict[str, Any]:
    keys = {"type": "bind", "target": "/conf", "read_only": True, **keys}
    return models.service("web:1", volumes=[{"source": source, **keys}])


FILES = {
    name: File(text, mode).as_json()
    for name, text, mode in (
        ("conf/a", b"a", 0o644),
        ("conf/deep/b", b"b", 0o755),
        ("conf-other", b"c", 0o644),
        ("conf/private", b"d", 0o600),
    )
}


def test_a_mount_becomes_a_config() -> None:
    model = {"name": "shop", "services": {"one": mounted("./conf"), "two": mounted("./conf-other")}}
    found = mounts.as_configs(model, FILES)
    assert found["configs"] == {"conf": {"file": "./conf"}, "conf-other": {"file": "./conf-other"}}
    for name, config in (("one", "conf"), ("two", "conf-other")):
        service = found["services"][name]
        assert service["configs"] == [{"source": config, "target": "/conf"}]
        assert service["volumes"] == []


@pytest.mark.parametrize(
    "mount",
    [
        mounted("./conf", read_only=False),
        mounted("/conf"),
        mounted("./nothing"),
        mounted("conf", type="volume"),
    ],
)
def test_another_mount_stays_one(mount: dict[str, Any]) -> None:
    model = {"name": "shop", "services": {"one": mount}}
    assert mounts.as_configs(model, FILES) == model


def test_a_config_of_another_file_keeps_its_name() -> None:
    model = {"services": {"one": mounted("./conf")}, "configs": {"conf": {"content": "mine"}}}
    found = mounts.as_configs(model, FILES)
    assert found["configs"] == {"conf": {"content": "mine"}, "conf-mount": {"file": "./conf"}}


def test_files_of_a_directory_have_their_readers() -> None:
    found = mounts.content("./conf/", FILES)
    assert found == Folder(
        {
            "a": File(b"a"),
            "deep/b": File(b"b", 0o755),
            "private": File(b"d", 0o600),
        }
    )
    assert mounts.content("./conf-other", FILES) == File(b"c")
    assert mounts.content(".", FILES) is None


def test_a_directory_lies_on_the_host_under_its_digest(tmp_path: Path) -> None:
    wanted = Folder({"a": File(b"a"), "deep/b": File(b"b", 0o755)})
    path = tmp_path / "conf" / wanted.digest
    folder.from_json(wanted.as_json()).write(path)
    assert folder.on_disk(path) == wanted
    assert wanted.named(wanted.digest) == wanted
    assert {
        str(item.relative_to(path)): item.stat().st_mode & 0o777 for item in path.rglob("*")
    } == {
        "a": 0o644,
        "deep": 0o755,
        "deep/b": 0o755,
    }
    for edited in (
        lambda: (path / "a").write_text("b"),
        lambda: (path / "new").write_text(""),
        lambda: (path / "deep/b").chmod(0o700),
    ):
        folder.remove(path)
        wanted.write(path)
        edited()
        assert folder.on_disk(path).named(wanted.digest) is None
    folder.remove(path)
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to others")
def test_a_directory_belongs_to_the_root_of_its_readers(tmp_path: Path) -> None:
    """With the Engine's user namespaces another root reads it: nothing there may be nobody's."""
    remap = Remap(Ids(((100000, 65536),)), Ids(((100000, 65536),)))
    wanted = Folder({"deep/a": File(b"a"), "deep/b": File(b"b", 0o600, 1234, 1234)})
    path = tmp_path / wanted.digest
    wanted.write(path, remap)
    owners = {str(item.relative_to(path)): item.stat().st_uid for item in (path, *path.rglob("*"))}
    assert owners == {".": 100000, "deep": 100000, "deep/a": 100000, "deep/b": 101234}
    assert folder.on_disk(path, remap) == wanted
