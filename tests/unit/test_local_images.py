"""Images of the controller's Engine: a digest for each, and archives without what is there."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.host import images, incoming
from maestro.host.reference import SENT, pinned
from maestro.play import local_images

# An Engine's command: what `docker save` writes, and what it says of an image.
DOCKER = """#!/bin/sh
case "$1 $2 $3" in
  "image inspect "*) file="{home}/$(basename "$3").json"
    if test -e "$file"; then cat "$file"; else echo "Error: No such image: $3" >&2; exit 1; fi;;
  "save "*) cat "{home}/$(basename "$2").tar";;
esac
"""


class Here:
    """A machine with images."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def image(self, name: str, *layers: bytes, **config: Any) -> str:
        """Have one; its id."""
        plain = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        text = json.dumps({"config": config, "rootfs": {"diff_ids": plain}}).encode()
        own = f"sha256:{hashlib.sha256(text).hexdigest()}"
        files = {f"{number}/layer.tar": layer for number, layer in enumerate(layers)}
        listed = [{"Config": "c.json", "Layers": list(files)}]
        with tarfile.open(self.home / f"{own}.tar", "w") as saved:
            for path, content in {
                "c.json": text,
                **files,
                "manifest.json": json.dumps(listed).encode(),
            }.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                saved.addfile(entry, io.BytesIO(content))
        facts = json.dumps([{"Id": own, "Config": config}])
        for each in (name.rpartition("/")[2], own):
            (self.home / f"{each}.json").write_text(facts)
        return own


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    home = tmp_path / "engine"
    home.mkdir()
    program = home / "docker"
    program.write_text(DOCKER.format(home=home))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Here(home)


def packed(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {item.name: archive.extractfile(item).read() for item in archive}  # type: ignore[union-attr]


def test_an_image_is_found_as_a_registry_would_tell_it(here: Here) -> None:
    here.image("localhost/web:v1", b"base", b"one", User="7", Volumes={"/data": {}})
    found = local_images.find("localhost/web:v1")
    assert found == {
        "digest": found["digest"],
        "name": f"{SENT}/web",
        "user": "7",
        "size": 7,
        "checked": False,
        "volumes": ["/data"],
    }
    assert pinned("localhost/web:v1", found) == f"{SENT}/web@{found['digest']}"
    assert pinned("r.test/web:v1", {"digest": "sha256:1"}) == "r.test/web@sha256:1"
    # From what is kept: nothing is saved again.
    (next(here.home.glob("sha256*.tar"))).unlink()
    assert local_images.find("localhost/web:v1") == found


def test_an_image_that_is_not_here_says_how_to_get_it(here: Here) -> None:
    with pytest.raises(MaestroError, match="has no image localhost/web:v2") as refused:
        local_images.find("localhost/web:v2")
    assert "docker build -t localhost/web:v2" in refused.value.fix
    state: Any = {
        "model": {"services": {"web": {"image": "localhost/web:v2"}, "db": {"image": "kept:1"}}},
        "resolved": {"kept:1": {"digest": "sha256:1"}},
        "refused": {},
    }
    found = local_images.resolved({"a": state})["a"]
    assert list(found["refused"]) == ["localhost/web:v2"]
    assert found["resolved"] == {"kept:1": {"digest": "sha256:1"}}


def test_without_docker_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MaestroError, match="docker cannot be run"):
        local_images.find("a:1")


@pytest.mark.parametrize(
    ("there", "left", "sent"),
    [
        ([], 0, {b"base", b"one"}),
        ([(b"base",)], 1, {b"one"}),
        ([(b"base", b"other"), (b"one",)], 1, {b"one"}),
        ([(b"base", b"one")], 2, set()),
        ([(b"other", b"base")], 0, {b"base", b"one"}),
    ],
)
def test_only_what_a_host_lacks_is_packed(
    here: Here, tmp_path: Path, there: list[Any], left: int, sent: set[bytes]
) -> None:
    here.image("web:v1", b"base", b"one")
    digest = local_images.find("web:v1")["digest"]
    known = [
        tuple(f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in each) for each in there
    ]
    out = tmp_path / "image.tar"
    assert local_images.pack(digest, known, out) == left
    found = packed(out)
    assert {
        name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in found.items()
    } == {name: name for name in found}
    assert set(found.values()) & {b"base", b"one"} == sent
    assert len(found) == 2 + len(sent)
    with pytest.raises(MaestroError, match="no image of the digest"):
        local_images.pack(f"sha256:{'0' * 64}", [], out)


def test_the_engine_is_answered_from_the_archive(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "HOME", tmp_path / "incoming")
    monkeypatch.setattr(incoming, "_PORT", 0)
    here.image("web:v1", b"base", b"one")
    found = local_images.find("web:v1")
    image = pinned("web:v1", found)
    with pytest.raises(MaestroError, match="did not come over SSH"), incoming.serving(image):
        pass
    incoming.HOME.mkdir()
    file = incoming.archive(found["digest"])
    local_images.pack(found["digest"], [], file)
    ports = []
    real = incoming._server

    def server(*given: Any) -> Any:
        made = real(*given)
        ports.append(made.server_address[1])
        return made

    monkeypatch.setattr(incoming, "_server", server)
    with incoming.serving(image):
        base = f"http://127.0.0.1:{ports[0]}/v2"
        assert urllib.request.urlopen(f"{base}/").read() == b"{}"
        with urllib.request.urlopen(f"{base}/web/manifests/{found['digest']}") as answer:
            assert answer.headers["Content-Type"] == incoming.MANIFEST
            layers = json.loads(answer.read())["layers"]
        blob = urllib.request.urlopen(f"{base}/web/blobs/{layers[1]['digest']}").read()
        assert blob == b"one"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{base}/web/manifests/latest")
    assert not file.exists()


def test_a_pull_takes_each_image_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Engine:
        def repo_digests(self) -> set[str]:
            return {"r.test/there@sha256:1"}

        def pull(self, image: str, auth: object = None) -> None:
            asked.append(image)

    class Serving:
        def __init__(self, image: str) -> None:
            asked.append(f"serving {image}")

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(images, "Engine", Engine)
    monkeypatch.setattr(incoming, "serving", Serving)
    sent = f"{SENT}/web@sha256:2"
    assert images.pull(["r.test/there@sha256:1", "r.test/a@sha256:3", sent], None) == [
        sent,
        "r.test/a@sha256:3",
    ]
    assert asked == ["r.test/a@sha256:3", f"serving {sent}", sent]
