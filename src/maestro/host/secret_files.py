"""One file of a secret: which value, whose it is, and the name all that gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

USUAL_MODE = 0o400
_FILE = re.compile(r"^([0-9]+)(?:\.([0-9]+)\.([0-7]{4}))?\Z")


@dataclass(frozen=True)
class SecretFile:
    """A secret's value of one version, for the reader ``uid``.

    Without ``gid`` the group is that of the same number; without ``mode`` the reader alone
    reads it (0400).
    """

    name: str
    version: str
    uid: int
    gid: int | None = None
    mode: int | None = None

    @property
    def owner(self) -> str:
        """The file's name: ``UID``, or ``UID.GID.MODE`` where these are not the usual ones."""
        gid = self.uid if self.gid is None else self.gid
        mode = USUAL_MODE if self.mode is None else self.mode
        usual = (gid, mode) == (self.uid, USUAL_MODE)
        return str(self.uid) if usual else f"{self.uid}.{gid}.{mode:04o}"

    @property
    def path(self) -> str:
        """Where it stands below the stack's secrets."""
        return f"{self.name}/{self.version}/{self.owner}"

    @property
    def source(self) -> str:
        """What the release's Compose file calls it."""
        return f"{self.name}-{self.version}-{self.owner}"

    def as_json(self) -> dict[str, Any]:
        """As the steps after the plan are told of it."""
        found: dict[str, Any] = {"name": self.name, "version": self.version, "uid": self.uid}
        if self.owner != str(self.uid):
            _, gid, mode = self.owner.split(".")
            found.update(gid=int(gid), mode=int(mode, 8))
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> SecretFile:
        """What `as_json` wrote down."""
        gid, mode = found.get("gid"), found.get("mode")
        return cls(
            str(found["name"]),
            str(found["version"]),
            int(found["uid"]),
            None if gid is None else int(gid),
            None if mode is None else int(mode),
        )

    @classmethod
    def at(cls, path: str) -> SecretFile:
        """The one at an absolute path; `ValueError` for any other path."""
        name, version, owner = PurePosixPath(path).parts[-3:]
        return cls(name, version, *owner_of(owner))


def owner_of(file: str) -> tuple[int, int | None, int | None]:
    """uid, gid and mode by a file's name; `ValueError` when it is no secret's."""
    match = _FILE.match(file)
    if not match:
        raise ValueError(file)
    uid, gid, mode = match.groups()
    return int(uid), None if gid is None else int(gid), None if mode is None else int(mode, 8)


def is_file(file: str) -> bool:
    """Whether a name is that of a secret's file, and not of one that is being written."""
    return _FILE.match(file) is not None
