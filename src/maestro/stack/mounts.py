"""Files of the stack's directory that services mount to read: they go along with the release.

Each becomes a config, so that a changed file replaces its readers and going back brings it back.
What a service could write to stays refused: a release's files are nobody's data.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..host.files import File
from ..host.folder import Folder
from . import program_text

if TYPE_CHECKING:
    from ..records import Compose, Definition, Entry, FileFacts, Service
    from .compose_tree import Part
    from .directory import Sources

FILE, FOLDER, LARGE = "file", "folder", "large"  # what may be at a path, see `kinds`
_PARTS = 3  # of `SOURCE:TARGET:OPTIONS`


def read_only(part: Part, service: Service) -> Iterator[str]:
    """The paths, as they are written, that a service of a Compose file mounts to read.

    Of paths in the stack's directory; short and long form. Source:
    https://docs.docker.com/reference/compose-file/services/#volumes
    """
    entries = service.get("volumes")
    for entry in entries if isinstance(entries, list) else []:
        source = _short(part, entry) if isinstance(entry, str) else _long(part, entry)
        if source:
            yield source


def _short(part: Part, entry: str) -> str | None:
    source, *rest = (part.filled(entry) or "").split(":")
    options = rest[1].split(",") if len(rest) == _PARTS - 1 else []
    return source if source.startswith(".") and "ro" in options else None


def _long(part: Part, entry: Entry) -> str | None:
    if not isinstance(entry, dict) or entry.get("type") != "bind":
        return None
    source = part.filled(entry.get("source", "")) or ""
    if str(part.filled(entry.get("read_only", ""))).lower() != "true":
        return None
    return None if posixpath.isabs(source) or source.startswith("~") else source


def kinds(parts: Iterable[Part], sources: Sources) -> dict[str, str]:
    """What is at the paths of the stack's directory that services mount: of those that are there.

    A file or a directory that could go along, or something larger. An empty directory is no more
    than the place of a container's data.
    """
    found = {path: sources.kind(path) for path in _inside(parts)}
    return {path: kind for path, kind in sorted(found.items()) if kind}


def code(parts: Iterable[Part], sources: Sources) -> dict[str, str]:
    """Which of these paths have source code, as `program_text.kind` says."""
    found = {path: program_text.kind(sources.directory / path) for path in _inside(parts)}
    return {path: kind for path, kind in sorted(found.items()) if kind}


def _inside(parts: Iterable[Part]) -> Iterator[str]:
    """The paths of the stack's directory that services mount."""
    for part in parts:
        for service in part.services.values():
            entries = service.get("volumes")
            for entry in entries if isinstance(entries, list) else []:
                said = entry.get("source") if isinstance(entry, dict) else entry
                source = (part.filled(said or "") or "").split(":")[0]
                path = posixpath.normpath(posixpath.join(part.home, source or "/"))
                if not posixpath.isabs(path) and not path.startswith(("~", "..")):
                    yield path


def take(sources: Sources, path: str, where: str) -> None:
    """Let a mounted file or directory go along; one that is not there is refused by its readers."""
    if sources.there(path) and (sources.directory / path).is_dir():
        sources.folder(path, where)
    elif sources.there(path):
        sources.read(path, where)


def refusal(
    source: str, target: str, files: Collection[str], *, read_only: bool
) -> Iterator[tuple[str, str]]:
    """Why a path of Compose's reading (``./conf.d``) cannot be mounted, and what to do.

    ``files`` are the paths that go along with the release.
    """
    if source.startswith("./~"):
        fix = f"use a named volume: `NAME:{target}`, or an absolute path"
        yield f"found {source[2:]}: a host has no home directory of yours", fix
    elif not read_only:
        fix = f"for configuration: `{source}:{target}:ro`, it goes along with the release; "
        fix += "for data: a named volume; for source code: compose.development.yaml"
        yield f"found {source}: a mount of the stack's directory that can be written", fix
    elif posixpath.normpath(source) == ".":
        yield (
            "found a mount of the stack's whole directory",
            "mount the file or the directory in it that the service reads",
        )
    elif not _below(source, files):
        yield (
            f"found {source}: the stack's directory has no such file, and no directory with files",
            "create it, or correct the path",
        )


def _below(source: str, files: Collection[str]) -> dict[str, str]:
    """The files at or below a path, by their path below it; empty text for the path itself."""
    path = posixpath.normpath(source)
    if path in files:
        return {path: ""}
    if path == ".":
        return {}
    return {name: name[len(path) + 1 :] for name in files if name.startswith(path + "/")}


def as_configs(model: Compose, files: Collection[str]) -> Compose:
    """The model with a config for each of these mounts; ``files`` are those of the release."""
    configs = dict(model.get("configs") or {})
    services = {}
    for name, service in model["services"].items():
        kept, moved = [], []
        for mount in service.get("volumes") or []:
            source = str(mount.get("source") or "")
            inside = mount.get("type") == "bind" and not posixpath.isabs(source)
            if not (inside and mount.get("read_only") and _below(source, files)):
                kept.append(mount)
                continue
            config = _name(source, configs)
            configs[config] = {"file": source}
            moved.append({"source": config, "target": str(mount["target"])})
        read = [*(service.get("configs") or []), *moved]
        services[name] = {**service, "volumes": kept, "configs": read} if moved else service
    return {**model, "services": services, **({"configs": configs} if configs else {})}


def _name(source: str, configs: Mapping[str, Definition]) -> str:
    """A config's name for a path, which no other one has."""
    name = posixpath.normpath(source).replace("/", "--")
    while name in configs and configs[name].get("file") != source:
        name += "-mount"
    return name


def content(path: str, files: Mapping[str, FileFacts]) -> File | Folder | None:
    """What is at a path of the stack's directory, of the files that travel."""
    below = _below(path, files)
    if "" in below.values():
        return File.from_json(files[posixpath.normpath(path)])
    found = {inside: File.from_json(files[name]) for name, inside in below.items()}
    return Folder(found) if found else None
