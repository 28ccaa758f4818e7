"""The files of a stack on the controller: regular ones inside its directory, of a bounded size."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..errors import MaestroError
from ..host.files import File

MEBIBYTE = 1 << 20
# A Compose file of a hundred services has some 100 kB; a ConfigMap of Kubernetes may have 1 MiB.
COMPOSE_LIMIT = 1 * MEBIBYTE
FILE_LIMIT = 8 * MEBIBYTE
TOTAL_LIMIT = 32 * MEBIBYTE
FOLDER_FILES = 500  # of a directory that is mounted
# What umask 002 and umask 022 disagree about is nobody's wish: git keeps neither.
_NOT_KEPT = 0o022
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
}


@dataclass
class Sources:
    """What was read of one stack's directory, by its path there: everything a host needs.

    ``name`` is the stack's. Every method raises `MaestroError` with ``where``, the place that
    names the file.
    """

    directory: Path
    name: str
    files: dict[str, File] = field(default_factory=dict)

    def there(self, path: str) -> bool:
        """Whether something stands at a path, inside or outside."""
        try:
            return (self.directory / path).exists()
        except OSError:  # too long a name, no rights
            return False

    def stands(self, path: str) -> bool:
        """Whether something stands there, be it a link to nothing."""
        try:
            return self.there(path) or (self.directory / path).is_symlink()
        except OSError:
            return False

    def kind(self, path: str) -> str:
        """What is at a path: ``file``, ``folder``, ``large``, or nothing (an empty directory)."""
        target = self.directory / path
        if not self.there(path):
            return ""
        if target.is_file():
            return "file" if target.stat().st_size <= FILE_LIMIT else "large"
        if not target.is_dir() or climbs(path):
            return ""
        found = list(islice(target.rglob("*"), 2 * FOLDER_FILES))
        files = sum(1 for item in found if item.is_file())
        return ("folder" if len(found) <= FOLDER_FILES else "large") if files else ""

    def text(self, path: str, where: str = "") -> str:
        """A Compose file or another that is read as text, in UTF-8."""
        place = where or f"{self.name}/{path}"
        try:
            return self.read(path, where, COMPOSE_LIMIT).content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MaestroError(
                "cannot be read: it is not UTF-8 text" if not where else _no_text(path),
                where=place,
                fix="a Compose file must be readable UTF-8 text",
            ) from error

    def peek(self, path: str) -> str:
        """The text of a file that does not go along; what is no UTF-8 in it is replaced."""
        return self._read(path, f"{self.name}/{path}", COMPOSE_LIMIT).content.decode(
            "utf-8", errors="replace"
        )

    def read(self, path: str, where: str = "", limit: int = FILE_LIMIT) -> File:
        """A file of the stack; it goes along from now on."""
        key = posixpath.normpath(path)
        if key not in self.files:
            self.files[key] = self._read(path, where or f"{self.name}/{path}", limit)
            total = sum(len(file.content) for file in self.files.values())
            if total > TOTAL_LIMIT:
                raise MaestroError(
                    f"its files have more than {_size(TOTAL_LIMIT)} together",
                    where=f"{self.name}/",
                    fix="put large files into an image or a volume",
                )
        return self.files[key]

    def folder(self, path: str, where: str) -> None:
        """All files below a directory of the stack; they go along from now on."""
        home = self._inside(path, where)
        found = sorted(item for item in home.rglob("*") if not item.is_dir() or item.is_symlink())
        if len(found) > FOLDER_FILES:
            raise MaestroError(
                f"the directory {path} has {len(found)} files, more than {FOLDER_FILES}",
                where=where,
                fix="put them into an image or a volume",
            )
        for item in found:
            self.read(posixpath.join(path, str(item.relative_to(home))), where)

    def _read(self, path: str, where: str, limit: int) -> File:
        target = self._inside(path, where)
        try:
            # Without waiting: a named pipe that nobody writes to would never open.
            descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                with os.fdopen(descriptor, "rb") as stream:
                    content = stream.read(limit + 1)
            else:
                os.close(descriptor)
        except OSError as error:
            raise MaestroError(
                f"the file {path} cannot be read: {error.strerror}",
                where=where,
                fix="create it, or correct the path"
                if error.errno == errno.ENOENT
                else "look at its rights",
            ) from error
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no file")
            raise MaestroError(
                f"{path} is {kind}, not a file",
                where=where,
                fix="name a regular file: list each file of a directory separately",
            )
        if len(content) > limit:
            raise MaestroError(
                f"the file {path} has {_size(found.st_size)}, more than {_size(limit)}",
                where=where,
                fix="put large files into an image or a volume",
            )
        return File(content, stat.S_IMODE(found.st_mode) & 0o777 & ~_NOT_KEPT)

    def _inside(self, path: str, where: str) -> Path:
        home = self.directory.resolve()
        try:
            target = (self.directory / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise MaestroError(
                f"the file {path!r} cannot be read: {error}", where=where, fix="correct the path"
            ) from error
        if not target.is_relative_to(home) or climbs(path):
            raise MaestroError(
                f"the file {path} lies outside the stack's directory",
                where=where,
                fix=f"move it below {self.directory.name}/; a link may lead to what is there",
            )
        return target


def climbs(path: str) -> bool:
    """Whether a path leads out of the directory it begins in."""
    return posixpath.isabs(path) or posixpath.normpath(path).split("/")[0] == ".."


def _no_text(path: str) -> str:
    return f"the file {path} is not UTF-8 text"


def _size(count: int) -> str:
    return f"{count / MEBIBYTE:.0f} MiB" if count >= MEBIBYTE else f"{count} bytes"
