"""Secret files on a host: versioned, read-only, one per reader.

A secret's file is ``secrets/NAME/VERSION/UID``, mode 0400, owned by the uid that
reads it; where a service asks for another group or mode, ``UID.GID.MODE``. These are the
container's numbers: where the Engine has user namespaces, the file's owner is what they are on the
host (`userns.Remap`), so that no name and no release depends on it. VERSION is
the id of the release that brought the value in, so it says nothing about the value, and
a new value gives every reader a new file name.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MaestroError
from . import naming
from .layout import Layout
from .secret_files import USUAL_MODE, SecretFile, is_file
from .userns import OFF, Remap

if TYPE_CHECKING:
    from ..records import SecretFileFacts

DIRECTORY_MODE = 0o700


def version_of(layout: Layout, name: str, value: str, recorded: str) -> str:
    """The version on this host that holds ``value``, or an empty string.

    Only the version the current release records is compared: an older one with
    the same value belongs to an older release.
    """
    if not recorded:
        return ""
    wanted = value.encode()
    files = _files(layout, name, recorded)
    same = [hmac.compare_digest(path.read_bytes(), wanted) for path in files]
    # One reader's file that was edited by hand is reason enough for a new version.
    return recorded if same and all(same) else ""


def _files(layout: Layout, name: str, version: str) -> list[Path]:
    directory = layout.secrets / name / version
    try:
        return [path for path in sorted(directory.iterdir()) if is_file(path.name)]
    except OSError:
        return []


def write(
    layout: Layout,
    wanted: Iterable[SecretFileFacts],
    values: Mapping[str, str],
    remap: Remap = OFF,
) -> list[str]:
    """Make sure every ``{name, version, uid}`` of ``wanted`` is there; say what was written.

    A file that exists is left as it is: a version never changes its value.
    """
    written = []
    for item in wanted:
        file = SecretFile.from_json(item)
        naming.part(file.name, "a secret")
        naming.part(file.version, "a version of a secret")
        owner = remap.owner(file.uid, file.group, host=file.host)
        path = layout.secrets / file.path
        directory = path.parent
        layout.make_home()
        for level in (layout.secrets, directory.parent, directory):
            level.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            os.chmod(level, DIRECTORY_MODE)
        if path.exists():
            continue
        # The value goes only into a file nobody else can open, under its final owner.
        temporary = directory / f".{file.owner}.new"
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, USUAL_MODE)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), USUAL_MODE if file.mode is None else file.mode)
            stream.write(values[file.name].encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        written.append(file.name)
    return sorted(set(written))


def complete(layout: Layout, wanted: Iterable[SecretFileFacts], remap: Remap = OFF) -> None:
    """Give readers that have no file of a version one, with the value another reader has."""
    for item in wanted:
        files = _files(layout, str(item["name"]), str(item["version"]))
        if not files:
            raise MaestroError(
                f"version {item['version']} of the secret {item['name']} is not on the host",
                where=f"stack {layout.stack}",
                fix="deploy again",
            )
        write(layout, [item], {str(item["name"]): files[0].read_bytes().decode()}, remap)


def discard_version(layout: Layout, version: str) -> None:
    """Remove every file of a version that no release uses."""
    _remove(layout, lambda pair: pair[1] == version)


def prune(layout: Layout, used: Iterable[tuple[str, str]]) -> None:
    """Keep only the ``(name, version)`` pairs that some kept release uses."""
    keep = set(used)
    _remove(layout, lambda pair: pair not in keep)


def _remove(layout: Layout, condemned: Callable[[tuple[str, str]], bool]) -> None:
    if not layout.secrets.is_dir():
        return
    for name in sorted(layout.secrets.iterdir()):
        for version in sorted(name.iterdir()):
            if condemned((name.name, version.name)):
                _destroy(version)
        if not any(name.iterdir()):
            name.rmdir()


def _destroy(directory: Path) -> None:
    """Overwrite every file of a directory before it is removed.

    What that is worth depends on the file system: one that copies on write, or a disk that
    spreads its writes, may keep the old blocks for a while.
    """
    for path in sorted(directory.iterdir()):
        os.chmod(path, 0o600)
        with open(path, "r+b", buffering=0) as stream:
            stream.write(os.urandom(os.fstat(stream.fileno()).st_size))
            os.fsync(stream.fileno())
        path.unlink()
    directory.rmdir()
