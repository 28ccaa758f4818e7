"""Networks that are removed so that Compose makes them as a release's file says.

Compose 2.26 leaves a network as it is, whatever the file says; newer ones try to replace it and
fail where another service is on it. So the containers on it go first, then the network itself.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MaestroError
from .containers import of_stack
from .engine import Engine
from .labels import PROJECT, SERVICE
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import Manifest

Stop = Callable[[Sequence[str]], None]


def clear(layout: Layout, engine: Engine, names: Iterable[str], stop: Stop) -> None:
    """Remove networks of the stack, and its containers that are on them.

    ``stop`` stops and removes all containers of services. What is to be removed is noted
    before, with the ids there are now, so that `undo` knows what was made since.
    """
    wanted = set(names)
    found = {str(item["Name"]): str(item["Id"]) for item in engine.networks()}
    doomed = {name: found[name] for name in sorted(wanted & set(found))}
    if not doomed:
        return
    note = _note(layout)
    write_atomically(note, json.dumps({**doomed, **_read(note)}) + "\n", 0o644)
    _remove(layout, engine, doomed, stop)


def undo(layout: Layout, engine: Engine, stop: Stop) -> None:
    """Remove the networks that were made anew since `clear` noted them, as `clear` does."""
    note = _note(layout)
    before = _read(note)
    if not before:
        return
    found = {str(item["Name"]): str(item["Id"]) for item in engine.networks()}
    made = {
        name: found[name] for name, old in before.items() if name in found and found[name] != old
    }
    _remove(layout, engine, made, stop)
    forget(layout)


def as_they_are(layout: Layout, release: str, networks: Mapping[str, str]) -> tuple[str, ...]:
    """Options by which Compose takes networks (key to name) as they are, whatever the file says.

    A newer Compose would try to replace them, with what serves still on them.
    """
    if not networks:
        return ()
    lines = [
        f"  {json.dumps(key)}: !override {json.dumps({'external': True, 'name': name})}"
        for key, name in sorted(networks.items())
    ]
    path = layout.release(release) / "networks.yaml"
    write_atomically(path, "\n".join(["networks:", *lines]) + "\n", 0o644)
    return ("--file", str(path))


def forget(layout: Layout) -> None:
    """What was made anew stays."""
    _note(layout).unlink(missing_ok=True)


def tidy(layout: Layout, engine: Engine, kept: Mapping[str, Manifest]) -> list[str]:
    """Remove networks that a kept release had and the current one has not; the names removed.

    ``kept`` are manifests by id. One that somebody still uses stays: the Engine refuses.
    """
    current = kept.get(layout.current_id()) or {}
    if "names" not in current:
        return []
    known = {name for item in kept.values() for name in _networks(item)}
    unused = known - set(_networks(current))
    removed = []
    for item in engine.networks() if unused else ():
        ours = (item.get("Labels") or {}).get(PROJECT) == layout.stack
        if ours and str(item["Name"]) in unused:
            with contextlib.suppress(MaestroError):
                engine.remove_network(str(item["Id"]))
                removed.append(str(item["Name"]))
    return removed


def _networks(manifest: Manifest) -> list[str]:
    return [str(name) for name in (manifest.get("names") or {}).get("networks") or []]


def _remove(layout: Layout, engine: Engine, doomed: Mapping[str, str], stop: Stop) -> None:
    if not doomed:
        return
    services = {
        str(item["Labels"].get(SERVICE, ""))
        for item in of_stack(engine, layout.stack)
        if set(doomed) & set((item.get("NetworkSettings") or {}).get("Networks") or {})
    }
    stop(sorted(services))
    for network in doomed.values():
        engine.remove_network(network)


def _note(layout: Layout) -> Path:
    return layout.home / ".networks.json"


def _read(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
