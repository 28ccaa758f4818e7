"""The host's program as one file: what `host.agent` needs, in an archive Python runs."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
_PARTS = ("__init__.py", "errors.py", "host/*.py", "redaction/*.py")
# What only modules of `library/` use, which bring it along themselves.
_OF_MODULES = (
    *("daemon.py", "daemon_containers.py", "daemon_unit.py"),
    *("edge_image.py", "provisioning.py"),
)
_MAIN = """\
import hashlib
import sys
from pathlib import Path

program = Path(sys.argv[0])
identity = hashlib.sha256(program.read_bytes()).hexdigest()
# The same modules, compiled: `maestro.host.agent.unpack` puts them there.
sys.path.insert(0, str(program.with_name(identity)))

from maestro.host.agent import main

sys.exit(main(program=identity))
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first day a zip file knows


@functools.cache
def build() -> bytes:
    """The archive; the same bytes for the same sources.

    Format: https://docs.python.org/3/library/zipapp.html
    """
    found = {"__main__.py": _MAIN}
    for pattern in _PARTS:
        for path in PACKAGE.glob(pattern):
            if path.name in _OF_MODULES:
                continue
            found[f"maestro/{path.relative_to(PACKAGE).as_posix()}"] = path.read_text("utf-8")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in sorted(found.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return b"#!/usr/bin/env python3\n" + stream.getvalue()


@functools.cache
def identity() -> str:
    """What tells one build from another: SHA-256 of the archive, in hex."""
    return hashlib.sha256(build()).hexdigest()
