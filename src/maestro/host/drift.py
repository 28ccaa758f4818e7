"""How a container is, in the words of its release: what an edit by hand would change."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records import DriftFacts
    from .engine import Engine


def facts(engine: Engine, container: str) -> DriftFacts:
    """``env`` (names and digests of values), ``mounts``, and limits of one container.

    Values of the environment do not leave the host: a digest says whether they are the same.
    What the image brings along is left out, and so are volumes without a name.
    """
    detail = engine.inspect(container)
    brought = set(engine.image(str(detail["Image"])).get("Config", {}).get("Env") or [])
    host = detail["HostConfig"]
    return {
        "image": str(detail["Config"]["Image"]),
        "env": {
            name: digest(value)
            for name, _, value in (
                entry.partition("=")
                for entry in detail["Config"].get("Env") or []
                if entry not in brought
            )
        },
        "mounts": {
            str(mount["Destination"]): _mount(mount)
            for mount in detail.get("Mounts") or []
            if not _nameless(mount)
        },
        "memory": int(host.get("Memory") or 0),
        "cpus": int(host.get("NanoCpus") or 0),
        "restart": str((host.get("RestartPolicy") or {}).get("Name") or "no"),
    }


def digest(value: str) -> str:
    """A short name for a value that does not tell it."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


def _mount(mount: dict[str, Any]) -> str:
    source = mount.get("Name") if mount["Type"] == "volume" else mount.get("Source", "")
    return f"{mount['Type']}:{source}:{'rw' if mount.get('RW') else 'ro'}"


def _nameless(mount: dict[str, Any]) -> bool:
    """Whether it is a volume that an image asked for and nobody named."""
    name = str(mount.get("Name", ""))
    return mount["Type"] == "volume" and len(name) == 64 and set(name) <= set("0123456789abcdef")
