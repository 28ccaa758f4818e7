"""What this host runs of a stack and has verified, for whoever promotes it to another environment.

A release counts as verified when it was committed: its containers were healthy and its smoke
checks passed. What happened to it since then counts against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import journal, lease, recovery
from .containers import of_stack
from .engine import Engine
from .layout import Layout
from .state import facts_of

if TYPE_CHECKING:
    from ..records import Manifest, VerifiedFacts


def read(layout: Layout, engine: Engine | None = None) -> VerifiedFacts:
    """The release that serves, when it was verified, and what is wrong with it now."""
    current = layout.current_id()
    manifest = layout.manifest(current) if current else {}
    return {
        "release": current,
        "environment": manifest.get("environment", ""),
        "version": manifest.get("version", ""),
        "images": manifest.get("images") or {},
        "made_of": manifest.get("made_of") or {},
        "at": _verified(layout, current),
        "problems": [*_problems(layout, manifest, engine or Engine())] if manifest else [],
    }


def _verified(layout: Layout, release: str) -> str:
    """When the release was last committed; empty where nothing says so."""
    if not release:
        return ""
    events = journal.read(layout, journal.ALL)
    done = [str(e["at"]) for e in events if (e["release"], e["result"]) == (release, journal.DONE)]
    return done[-1] if done else ""


def _problems(layout: Layout, manifest: Manifest, engine: Engine) -> Iterator[str]:
    held = lease.describe(layout)
    if held and (held["held"] or held["armed"]):
        yield f"it is being changed by {held['by']}"
    if recovery.describe(layout):
        yield "a failed change was not put back completely"
    found = facts_of(engine, of_stack(engine, layout.stack), layout)
    for name, facts in manifest["services"].items():
        mine = [each for each in found if each["service"] == name]
        if any(each["hash"] != facts["hash"] for each in mine):
            yield f"{name} is not as the release has it"
        elif facts.get("job"):
            continue
        elif sum(each["status"] == "running" for each in mine) < facts["replicas"]:
            yield f"{name} does not run"
        elif any(each["health"] not in ("none", "healthy") for each in mine):
            yield f"{name} is not healthy"
