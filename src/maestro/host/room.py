"""Room kept on the disk while a release goes in, so that a full disk cannot bar the way back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..errors import MaestroError
from .layout import Layout

# For the files of routes and the Engine's files of a few containers.
SIZE = 4 * 1024 * 1024  # bytes


def keep(layout: Layout) -> None:
    """Take the room; `MaestroError` when the disk has none, and then nothing was changed."""
    path = _file(layout)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
    except OSError as error:
        path.unlink()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise MaestroError(
            f"the disk has less than {SIZE // 1024**2} MiB of room: a failed release could "
            "not be put back",
            where=str(layout.home),
            fix="on the host: docker system df, then docker image prune",
        ) from error
    finally:
        os.close(descriptor)


def give(layout: Layout) -> None:
    """Let others have the room: what goes back needs it now, or nobody does any more."""
    _file(layout).unlink(missing_ok=True)


def _file(layout: Layout) -> Path:
    return layout.home / ".room"
