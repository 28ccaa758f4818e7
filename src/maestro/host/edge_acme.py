"""What Traefik shows a provider of DNS to prove a name: values of its own variables, as files.

Traefik's library reads ``NAME_FILE`` wherever it reads ``NAME``: the container's configuration has
paths alone. https://go-acme.github.io/lego/dns/
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import MaestroError
from .layout import write_atomically

_MODE = 0o440
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")


def home(directory: Path) -> Path:
    """Where the files stand; ``directory`` is the edge's, closed to all but root and the edge."""
    return directory / "acme-dns"


def configure(
    directory: Path, values: Mapping[str, str], uid: int, *, check: bool = False
) -> list[Path]:
    """Have a file for each of them and no other; those that were not as wanted."""
    for name in values:
        if not _NAME.match(name) or name.endswith("_FILE"):
            raise MaestroError(
                f"{name!r} is no variable of a DNS provider",
                where="edge_acme_dns_environment",
                fix="write NAME: value, as https://go-acme.github.io/lego/dns/ names them",
            )
    wanted = {home(directory) / name: str(value) for name, value in values.items()}
    there = set(home(directory).glob("[A-Z]*"))
    changed = [path for path in wanted if path not in there or path.read_text() != wanted[path]]
    changed += sorted(there - set(wanted))
    for path in () if check else changed:
        if path in wanted:
            write_atomically(path, wanted[path], _MODE)
            os.chown(path, -1, uid)
        else:
            path.unlink()
    return changed


def environment(directory: Path) -> list[str]:
    """What the container has: the paths of the files."""
    return [f"{path.name}_FILE={path}" for path in sorted(home(directory).glob("[A-Z]*"))]


def age(directory: Path) -> str:
    """What changes with their content, and says nothing about it."""
    return str([path.stat().st_mtime_ns for path in sorted(home(directory).glob("[A-Z]*"))])
