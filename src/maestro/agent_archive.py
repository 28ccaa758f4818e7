"""The host's program as one file: what `host.agent` needs, in an archive Python runs."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parent
_PARTS = ("__init__.py", "errors.py", "host/*.py", "redaction/*.py")
_MAIN = "import sys\n\nfrom maestro.host.agent import main\n\nsys.exit(main(program={program!r}))\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a zip file knows


@functools.cache
def build() -> bytes:
    """The archive; the same bytes for the same sources.

    Format: https://docs.python.org/3/library/zipapp.html
    """
    found = {"__main__.py": _MAIN.format(program=identity()), **_sources()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in sorted(found.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return b"#!/usr/bin/env python3\n" + stream.getvalue()


def checksum() -> str:
    """SHA-256 of the archive, in hex."""
    return hashlib.sha256(build()).hexdigest()


@functools.cache
def identity() -> str:
    """What tells one build from another, in hex; quicker to have than the archive."""
    digest = hashlib.sha256(_MAIN.encode())
    for name, text in sorted(_sources().items()):
        digest.update(f"{name} {len(text)}\n{text}".encode())
    return digest.hexdigest()


def _sources() -> dict[str, str]:
    return {
        f"maestro/{path.relative_to(PACKAGE).as_posix()}": path.read_text(encoding="utf-8")
        for pattern in _PARTS
        for path in PACKAGE.glob(pattern)
    }
