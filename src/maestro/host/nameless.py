"""Volumes without a name: what was left of containers that are gone is removed with them.

An image (``VOLUME``) or a service (``volumes: [/data]``) asks for them, and the Engine gives each
a long name of its own. Compose hands them on when it replaces a container; nothing removes one
that was not handed on. They are noted while a container still has them, so that whoever ends a
change, this run or the host's own switch, knows which were the stack's.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ..errors import MaestroError
from .containers import of_stack
from .engine import Engine
from .holds import nameless
from .layout import Layout, write_atomically

# The Engine's mark on a volume that nobody named; one that Compose asked for has no label at all.
_ANONYMOUS = "com.docker.volume.anonymous"


def note(layout: Layout, engine: Engine) -> None:
    """Write down which volumes without a name the stack's containers have now."""
    there = {name for item in of_stack(engine, layout.stack) for name in nameless(item).values()}
    known = _noted(layout)
    if there - known:
        write_atomically(_file(layout), json.dumps(sorted(there | known)), 0o600)


def sweep(layout: Layout, engine: Engine) -> list[str]:
    """Remove those that were noted and that no container has any more; their names."""
    removed = []
    for name in sorted(_noted(layout)):
        # One in use is refused by the Engine, and goes on with its container.
        with contextlib.suppress(MaestroError):
            found = engine.volume(name)
            labels = found.get("Labels") or {}
            if found and not found.get("Options") and set(labels) <= {_ANONYMOUS}:
                engine.remove_volume(name)
                removed.append(name)
    _file(layout).unlink(missing_ok=True)
    return removed


def _noted(layout: Layout) -> set[str]:
    try:
        found = json.loads(_file(layout).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {str(name) for name in found} if isinstance(found, list) else set()


def _file(layout: Layout) -> Path:
    return layout.home / ".nameless.json"
