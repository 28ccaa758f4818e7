"""Images of the Engine on the controller: what they are, and archives that hosts get of them.

An image has the digest of a manifest that is made here of its configuration and its layers as
`docker save` writes them: the same image always has the same one. To know a layer's size takes a
save, so what an image is made of is kept by its id.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.incoming import MANIFEST
from ..host.reference import SENT, Reference

if TYPE_CHECKING:
    from ..records import Image, State

SSH = "ssh"  # of `maestro_images`
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Made:
    """What an image is made of; ``layers`` are digests of the files, ``plain`` of their content."""

    id: str
    manifest: str
    layers: list[str]
    plain: list[str]

    @property
    def digest(self) -> str:
        """Of the manifest: what the image is pinned by."""
        return _digest(self.manifest.encode())


def resolved(states: Mapping[str, State]) -> dict[str, State]:
    """The states, with what this machine's Engine has of the images that the stack names."""
    references = {
        str(service["image"])
        for state in states.values()
        for service in (state["model"] or {}).get("services", {}).values()
        if service.get("image")
    }
    known: dict[str, Image] = {}
    refused: dict[str, str] = {}
    for reference in sorted(references):
        try:
            known[reference] = find(reference)
        except MaestroError as problem:
            refused[reference] = str(problem)
    return {host: {**state, **_of(state, known, refused)} for host, state in states.items()}  # type: ignore[typeddict-item]


def _of(state: State, known: Mapping[str, Image], refused: Mapping[str, str]) -> dict[str, Any]:
    """What a release without a new version keeps counts first."""
    kept = dict(state["resolved"])
    return {
        "resolved": {**known, **kept},
        "refused": {name: text for name, text in refused.items() if name not in kept},
    }


def find(reference: str) -> Image:
    """An image as a registry would tell it; `MaestroError` where this machine has none."""
    facts = _inspect(reference)
    if not facts:
        raise MaestroError(
            f"the Engine of this machine has no image {reference}",
            where="maestro_images: ssh",
            fix=f"docker build -t {reference} DIRECTORY, or docker pull {reference}",
        )
    made = _made(str(facts["Id"]))
    config = facts.get("Config") or {}
    test = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    layers = json.loads(made.manifest)["layers"]
    return {
        "digest": made.digest,
        "name": f"{SENT}/{Reference.checked(reference).repository}",
        "user": str(config.get("User") or ""),
        "size": sum(int(layer["size"]) for layer in layers),
        "checked": test[0] != "NONE",
        "volumes": sorted(config.get("Volumes") or {}),
    }


def pack(digest: str, there: Collection[tuple[str, ...]], out: Path) -> int:
    """Write the archive of an image without the layers that a host has; how many it has.

    ``there`` are the layers of images that came to the host in this way, by their content's
    digests: the Engine takes a layer from them where all below it are the same. Raises
    `MaestroError` where this machine has no such image.
    """
    made = next((one for one in _kept() if one.digest == digest), None)
    if made is None or not _inspect(made.id):
        raise MaestroError(
            f"the Engine of this machine has no image of the digest {digest[:19]}",
            where="maestro_images: ssh",
            fix="deploy a version whose images it has",
        )
    left = max((_common(made.plain, other) for other in there), default=0)
    config = json.loads(made.manifest)["config"]["digest"]
    wanted = {config, *made.layers[left:]}
    with tarfile.open(out, "w") as archive, _saved(made.id) as saved:
        _add(archive, digest, io.BytesIO(made.manifest.encode()), len(made.manifest.encode()))
        names = _names(saved)
        for name, blob in zip([names[0], *names[1]], [config, *made.layers], strict=True):
            if blob in wanted:
                wanted.remove(blob)
                member = saved.getmember(name)
                _add(archive, blob, _stream(saved, name), member.size)
    return left


def _common(one: list[str], other: tuple[str, ...]) -> int:
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    archive.addfile(entry, stream)


def _made(image: str) -> Made:
    found = next((one for one in _kept() if one.id == image), None)
    if found is None:
        found = _look(image)
        home = _home()
        home.mkdir(parents=True, exist_ok=True)
        file = home / f"{image.partition(':')[2]}.json"
        file.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def _kept() -> list[Made]:
    found = []
    for path in sorted(_home().glob("*.json")):
        try:
            found.append(Made(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError, OSError):
            continue  # half written, or of another version: it is made anew
    return found


def _home() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "maestro/images"


def _look(image: str) -> Made:
    with _saved(image) as saved:
        config, layers = _names(saved)
        text = _stream(saved, config).read()
        entries = []
        for name in layers:
            stream = _stream(saved, name)
            start = stream.read(2)
            found = hashlib.sha256(start)
            while piece := stream.read(1 << 20):
                found.update(piece)
            kind = f"{_LAYER}+gzip" if start == _GZIP else _LAYER
            size = saved.getmember(name).size
            entries.append(
                {"mediaType": kind, "size": size, "digest": f"sha256:{found.hexdigest()}"}
            )
    said = {"mediaType": _CONFIG, "size": len(text), "digest": _digest(text)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": said, "layers": entries}
    return Made(
        image,
        json.dumps(manifest, sort_keys=True, separators=(",", ":")),
        [str(entry["digest"]) for entry in entries],
        list(json.loads(text)["rootfs"]["diff_ids"]),
    )


def _names(saved: tarfile.TarFile) -> tuple[str, list[str]]:
    """The files of the configuration and the layers, the lowest first."""
    (first, *_) = json.loads(_stream(saved, "manifest.json").read())
    return str(first["Config"]), [str(name) for name in first["Layers"]]


def _stream(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = saved.extractfile(name)
    if stream is None:
        raise MaestroError(f"the saved image has no {name}", fix="docker image inspect shows it")
    return stream


class _saved:  # noqa: N801 -- used as a function, like `open`
    """What `docker save` writes, as an open archive in a temporary file."""

    def __init__(self, image: str) -> None:
        self._file = tempfile.TemporaryFile(prefix="maestro-image-")  # noqa: SIM115 -- see exit
        done = _docker("save", image, out=self._file)
        if done.returncode != 0:
            self._file.close()
            raise MaestroError(f"the image cannot be saved: {_text(done.stderr)}", where=image)
        self._file.seek(0)
        self._tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115

    def __enter__(self) -> tarfile.TarFile:
        return self._tar

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._file.close()


def _inspect(name: str) -> dict[str, Any]:
    done = _docker("image", "inspect", name)
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return found
    said = _text(done.stderr)
    if "no such image" in said.lower():
        return {}
    raise MaestroError(
        f"the Engine of this machine does not answer: {said}",
        where="maestro_images: ssh",
        fix="start it, set DOCKER_HOST, or use a registry (maestro_images: registry)",
    )


def _docker(*words: str, out: Any = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 -- an argument list, no shell
            ["docker", *words],  # noqa: S607 -- docker as the user has it
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    except OSError as error:
        raise MaestroError(
            f"docker cannot be run: {error.strerror}",
            where="maestro_images: ssh",
            fix="install Docker on this machine, or use a registry (maestro_images: registry)",
        ) from error


def _text(said: bytes) -> str:
    return said.decode(errors="replace").strip()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
