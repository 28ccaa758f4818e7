"""One file of a secret: which value, whose it is, and the name all that gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import SecretFileFacts

USUAL_MODE = 0o400
_FILE = re.compile(r"^([0-9]+)(?:\.([0-9]+)\.([0-7]{4})(\.host)?)?\Z")


@dataclass(frozen=True)
class SecretFile:
    """A secret's value of one version, for the reader ``uid``.

    Without ``gid`` the group is that of the same number; without ``mode`` the reader alone
    reads it (0400). With ``host`` the reader is in the host's user namespace (`userns_mode`):
    its numbers are the host's, whatever the Engine makes of those of others.
    """

    name: str
    version: str
    uid: int
    gid: int | None = None
    mode: int | None = None
    host: bool = False

    @property
    def group(self) -> int:
        """The gid it has."""
        return self.uid if self.gid is None else self.gid

    @property
    def owner(self) -> str:
        """The file's name: ``UID``, or ``UID.GID.MODE`` where these are not the usual ones.

        ``UID.GID.MODE.host`` for a reader in the host's user namespace.
        """
        mode = USUAL_MODE if self.mode is None else self.mode
        if (self.group, mode, self.host) == (self.uid, USUAL_MODE, False):
            return str(self.uid)
        return f"{self.uid}.{self.group}.{mode:04o}{'.host' if self.host else ''}"

    @property
    def path(self) -> str:
        """Where it stands below the stack's secrets."""
        return f"{self.name}/{self.version}/{self.owner}"

    @property
    def source(self) -> str:
        """What the release's Compose file calls it."""
        return f"{self.name}-{self.version}-{self.owner}"

    def as_json(self) -> SecretFileFacts:
        """As the steps after the plan are told of it."""
        found: SecretFileFacts = {"name": self.name, "version": self.version, "uid": self.uid}
        if self.owner != str(self.uid):
            _, gid, mode, *_ = self.owner.split(".")
            found["gid"], found["mode"] = int(gid), int(mode, 8)
        if self.host:
            found["host"] = True
        return found

    @classmethod
    def from_json(cls, found: SecretFileFacts) -> SecretFile:
        """What `as_json` wrote down."""
        gid, mode = found.get("gid"), found.get("mode")
        return cls(
            str(found["name"]),
            str(found["version"]),
            int(found["uid"]),
            None if gid is None else int(gid),
            None if mode is None else int(mode),
            host=bool(found.get("host")),
        )

    @classmethod
    def at(cls, path: str) -> SecretFile:
        """The one at an absolute path; `ValueError` for any other path."""
        name, version, owner = PurePosixPath(path).parts[-3:]
        return cls(name, version, *owner_of(owner))


def owner_of(file: str) -> tuple[int, int | None, int | None, bool]:
    """uid, gid, mode and ``host`` by a file's name; `ValueError` when it is no secret's."""
    match = _FILE.match(file)
    if not match:
        raise ValueError(file)
    uid, gid, mode, host = match.groups()
    return (
        int(uid),
        None if gid is None else int(gid),
        None if mode is None else int(mode, 8),
        bool(host),
    )


def is_file(file: str) -> bool:
    """Whether a name is that of a secret's file, and not of one that is being written."""
    return _FILE.match(file) is not None
