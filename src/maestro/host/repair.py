"""Put containers right that Compose cannot go on with: paused, dead, or half-renamed ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable

from ..errors import MaestroError
from .containers import of_stack
from .engine import Engine
from .labels import SERVICE

# While Compose replaces a container, the new one has the short id of the old one before its name.
# One that was interrupted leaves it so. (Compose, pkg/compose/convergence.go: recreateContainer.)
_HALF = re.compile(r"^[0-9a-f]{12}_(?P<name>.+)\Z")
_GONE = ("dead", "removing")


def ready(engine: Engine, stack: str, services: Iterable[str]) -> list[str]:
    """Make the containers of these services what Compose can replace or start.

    A paused one goes on, for it must hear that it has to stop; what is dead is removed. A
    half-renamed one gets its name, and is removed where the one it was to replace still has it:
    it never ran. Returns what was done, in words.
    """
    wanted = set(services)
    listed = of_stack(engine, stack)
    names = {_name(item["Names"]) for item in listed}
    done = []
    for item in listed:
        if item["Labels"].get(SERVICE) not in wanted:
            continue
        container, name = str(item["Id"]), _name(item["Names"])
        half = _HALF.match(name)
        if item["State"] == "paused":
            engine.unpause(container)
            done.append(f"unpaused {name}")
        elif item["State"] in _GONE or (
            half and half["name"] in names and item["State"] == "created"
        ):
            engine.remove(container)
            done.append(f"removed {name}")
        elif half and half["name"] not in names:
            with contextlib.suppress(MaestroError):  # Compose works with the wrong name as well
                engine.rename(container, half["name"])
                done.append(f"renamed {name}")
    return done


def _name(names: Iterable[str]) -> str:
    return next(iter(names), "").lstrip("/")
