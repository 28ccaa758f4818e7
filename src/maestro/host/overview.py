"""What a host runs, and what somebody changed about it by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from . import edge, history
from .drift import facts
from .engine import Engine
from .layout import Layout


def read(layout: Layout, engine: Engine | None = None) -> dict[str, Any]:
    """The answer of `history.read`, and how every container and file is now.

    Each container has ``facts`` (see `drift.facts`). ``edited_configs`` are names of changed
    configuration files.
    """
    engine = engine or Engine()
    found = history.read(layout, engine=engine)
    for container in found["containers"]:
        container["facts"] = facts(engine, container["id"])
    return {
        **found,
        "edited_configs": _edited_configs(layout, found["release"]),
        "maintenance": edge.under_maintenance(layout),
    }


def _edited_configs(layout: Layout, manifest: Mapping[str, Any]) -> list[str]:
    """Configuration files that are not any more what their name says."""
    edited = []
    for name, digest in sorted(manifest.get("configs", {}).items()):
        try:
            found = hashlib.sha256((layout.configs / name / digest).read_bytes()).hexdigest()
        except OSError:
            found = ""
        if not found.startswith(digest):
            edited.append(name)
    return edited
