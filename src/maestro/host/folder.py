"""A directory that travels with a release whole: what a service mounts of its stack's files."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import files
from .files import DIGEST_LENGTH, File
from .userns import OFF, Remap

if TYPE_CHECKING:
    from ..records import FileFacts, FolderFacts

_MODE = 0o755  # of each directory: who may read what is said by its files


@dataclass(frozen=True)
class Folder:
    """Files by their path below the directory."""

    content: Mapping[str, File]

    @property
    def digest(self) -> str:
        """A name for all its paths and what each file is."""
        found = hashlib.sha256()
        for path, file in sorted(self.content.items()):
            found.update(f"{path}\0{file.digest}\n".encode())
        return found.hexdigest()[:DIGEST_LENGTH]

    def as_json(self) -> FolderFacts:
        """The directory as a request carries it."""
        return {"folder": {path: file.as_json() for path, file in sorted(self.content.items())}}

    def write(self, path: Path, remap: Remap = OFF) -> None:
        """Write it so that a reader sees nothing or the whole of it."""
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        for name, file in self.content.items():
            file.write(temporary / files.checked_path(name), remap)
        for directory in (temporary, *temporary.rglob("*")):
            if directory.is_dir():
                directory.chmod(_MODE)
                if os.geteuid() == 0:
                    os.chown(directory, *remap.owner(0, 0))
        os.replace(temporary, path)

    @classmethod
    def on_disk(cls, path: Path, remap: Remap = OFF) -> Folder:
        """The directory at a path; raises `OSError`."""
        found = (item for item in path.rglob("*") if not item.is_dir())
        return cls({str(item.relative_to(path)): File.on_disk(item, remap) for item in found})

    def named(self, digest: str) -> Folder | None:
        """This directory, as one whose name is ``digest``; ``None`` where it is another one."""
        # Those of one owner, see `release.render`.
        private = {
            path: replace(file, host=bool(file.uid or not files.for_all(file.mode)))
            for path, file in self.content.items()
        }
        both = (self, Folder(private))
        return next((folder for folder in both if folder.digest == digest), None)


def from_json(found: Mapping[str, Any]) -> File | Folder:
    """What `File.as_json` or `Folder.as_json` wrote down; `MaestroError` when it is neither."""
    if "folder" in found:
        return Folder({path: File.from_json(file) for path, file in found["folder"].items()})
    return File.from_json(cast("FileFacts", found))


def on_disk(path: Path, remap: Remap = OFF) -> File | Folder:
    """What lies at a path; raises `OSError`."""
    return Folder.on_disk(path, remap) if path.is_dir() else File.on_disk(path, remap)


def remove(path: Path) -> None:
    """Remove one or the other."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def each(found: FileFacts | FolderFacts) -> Iterator[FileFacts]:
    """The files of one or the other, as a request carries them."""
    if "folder" in found:
        yield from cast("FolderFacts", found)["folder"].values()
    else:
        yield found
