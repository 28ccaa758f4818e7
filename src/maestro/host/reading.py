"""What Compose made of a stack's files, kept in the release: the same files are not read again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import compose
from .layout import Layout, write_atomically

FILE = "reading.json"
# Raise it when `compose.canonical` or what `host.state` makes of its answer changes.
FORMAT = 3
# The values of variables stand in it, as in the Compose file beside it.
MODE = 0o600


@dataclass(frozen=True)
class Reading:
    """A stack as Compose reads it.

    ``key`` names all that it follows from: the files, the variables and Compose; empty where that
    cannot be said. ``compose`` is Compose's version.
    """

    key: str
    compose: str
    model: Mapping[str, Any]


def key(
    stack: str,
    files: Mapping[str, Mapping[str, Any]],
    compose_files: Sequence[str],
    variables: Mapping[str, str],
) -> str:
    """The key of what Compose on this host would make of these files."""
    try:
        program = Path(shutil.which(compose.program()[0]) or "")
        found = os.stat(program)
    except OSError:
        return ""
    if len(compose.program()) > 1:
        return ""  # Docker's own command finds the plugin, we do not know where
    parts: list[object] = [FORMAT, stack, files, compose_files, variables]
    parts += [str(program.resolve()), found.st_size, found.st_mtime_ns]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def kept(layout: Layout, release: str, wanted: str) -> Reading | None:
    """The reading that a release was made from, where its key is the wanted one."""
    if not release or not wanted:
        return None
    try:
        text = (layout.release(release) / FILE).read_text(encoding="utf-8")
        found = Reading(**json.loads(text))
    except (OSError, ValueError, TypeError, MaestroError):
        return None
    return found if found.key == wanted else None


def keep(layout: Layout, release: str, found: Mapping[str, Any]) -> None:
    """Keep a reading with a release that is staged; that of the running release without one."""
    path = layout.release(release) / FILE
    if found.get("key"):
        write_atomically(path, json.dumps(asdict(Reading(**found))), MODE)
        return
    before = layout.release(layout.current_id() or release) / FILE
    if before.is_file() and before != path:
        write_atomically(path, before.read_text(encoding="utf-8"), MODE)
