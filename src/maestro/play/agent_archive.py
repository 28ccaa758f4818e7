"""The host's program as one file: what `host.agent` needs, in an archive Python runs."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
_PARTS = ("__init__.py", "errors.py", "host/*.py", "redaction/*.py")
# What only modules of `library/` use, which bring it along themselves.
_OF_MODULES = (
    *("daemon.py", "daemon_containers.py", "daemon_unit.py"),
    *("edge_image.py", "provisioning.py"),
)
_MAIN = """\
import sys
from pathlib import Path

IDENTITY = "{identity}"
# The same modules, compiled: `maestro.host.agent.unpack` puts them there.
sys.path.insert(0, str(Path(sys.argv[0]).with_name(IDENTITY)))

from maestro.host.agent import main

sys.exit(main(program=IDENTITY))
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a zip file knows


@functools.cache
def build() -> bytes:
    """The archive; the same bytes for the same sources and the same zlib.

    Format: https://docs.python.org/3/library/zipapp.html
    """
    found = {**_sources(), "__main__.py": _MAIN.format(identity=identity()).encode()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(found.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return b"#!/usr/bin/env python3\n" + stream.getvalue()


@functools.cache
def identity() -> str:
    """What tells one build from another: SHA-256 of its sources, in hex.

    Not of the archive: another zlib packs the same sources into other bytes.
    """
    said = hashlib.sha256(_MAIN.encode())
    for name, content in sorted(_sources().items()):
        said.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return said.hexdigest()


@functools.cache
def digest() -> str:
    """SHA-256 of the archive, in hex."""
    return hashlib.sha256(build()).hexdigest()


@functools.cache
def _sources() -> Mapping[str, bytes]:
    return {
        f"maestro/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for pattern in _PARTS
        for path in PACKAGE.glob(pattern)
        if path.name not in _OF_MODULES
    }
