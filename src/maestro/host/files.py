"""Files that travel with a release: their bytes, mode and owner, and the name these give them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from .userns import OFF, Remap

if TYPE_CHECKING:
    from ..records import FileFacts

DIGEST_LENGTH = 16
PLAIN = 0o644  # what a file has that nothing is said about


@dataclass(frozen=True)
class File:
    """One file: what is in it, who may read it (``0o644``), and whose it is in a container.

    With ``host`` that container is in the host's user namespace, see `userns.Remap`.
    """

    content: bytes
    mode: int = PLAIN
    uid: int = 0
    gid: int = 0
    host: bool = False

    @property
    def digest(self) -> str:
        """A name for content, mode and owner; that of the content alone where they are usual."""
        found = hashlib.sha256(self.content)
        if (self.mode, self.uid, self.gid) != (PLAIN, 0, 0):
            found.update(f"\0{self.mode:04o} {self.uid} {self.gid}".encode())
        if self.host:
            found.update(b" host")
        return found.hexdigest()[:DIGEST_LENGTH]

    def as_json(self) -> FileFacts:
        """The file as a request carries it."""
        found: FileFacts = {
            "base64": base64.b64encode(self.content).decode("ascii"),
            "mode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }
        if self.host:
            found["host"] = True
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> File:
        """The file that `as_json` wrote down; `MaestroError` when it is not one."""
        try:
            content = base64.b64decode(str(found["base64"]), validate=True)
            mode, uid, gid = (
                int(found.get(key, PLAIN if key == "mode" else 0)) for key in _NUMBERS
            )
        except (KeyError, ValueError, binascii.Error) as error:
            raise MaestroError("a file of the request is damaged", fix="deploy again") from error
        return cls(content, mode, uid, gid, host=bool(found.get("host")))

    @classmethod
    def on_disk(cls, path: Path, remap: Remap = OFF) -> File:
        """The file at a path; raises `OSError`. Whoever runs this stands for root."""
        found = path.stat()
        uid = 0 if found.st_uid == os.geteuid() else remap.uids.inside(found.st_uid)
        gid = 0 if found.st_gid == os.getegid() else remap.gids.inside(found.st_gid)
        return cls(path.read_bytes(), stat.S_IMODE(found.st_mode), uid, gid)

    def named(self, digest: str) -> File | None:
        """This file, as one whose name is ``digest``; ``None`` where it is another one."""
        both = (self, replace(self, host=True))
        return next((file for file in both if file.digest == digest), None)

    def write(self, path: Path, remap: Remap = OFF) -> None:
        """Write it so that a reader sees no file or the whole one, under its owner."""
        owner = remap.owner(self.uid, self.gid, host=self.host)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self.content)
            stream.flush()
            if os.geteuid() == 0:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, self.mode)
            os.fsync(descriptor)
        os.replace(temporary, path)


def for_all(mode: int) -> bool:
    """Whether everybody may do what the owner may do, writing apart."""
    return (mode >> 6) & 0o5 == mode & 0o5


_NUMBERS = ("mode", "uid", "gid")


def unpack(directory: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the files of a request below a directory; `MaestroError` for one that would leave it.

    Their owner is whoever runs this: the directory passes, only its reader needs them.
    """
    for name, found in files.items():
        file = File.from_json(found)
        path = directory / checked_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode | stat.S_IRUSR)


def checked_path(name: str) -> str:
    """A path below a directory, by its parts alone; `MaestroError` for any other."""
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise MaestroError(
            f"the path {name} leads out of the stack's directory",
            fix="name a file below the stack's directory",
        )
    return name


def checked_name(name: str) -> str:
    """One part of a path, such as a config's name; `MaestroError` for any other."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise MaestroError(f"{name!r} cannot name a file", fix="give it another name")
    return name


def digests(configs: Mapping[str, str | Iterable[str]]) -> set[tuple[str, str]]:
    """Names and digests of the configuration files that a manifest records.

    One name may have several: services read it with different modes. A manifest of an earlier
    version of Maestro has one digest, as text.
    """
    return {
        (name, digest)
        for name, found in configs.items()
        for digest in ([found] if isinstance(found, str) else found)
    }
