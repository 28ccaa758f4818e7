"""The hash of a plan, and of what each step on a host gets: the same on a controller and a host.

A plan is a tree, so that each host gets its own part alone: the head names the operation and the
hosts, each with the hash of its part; the hash of the head is the hash of the plan.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from .labels import HASH_LABEL

SCHEMA = 1
MADE = "made by the rotation"  # in the place of a fingerprint: the value is made after the plan
NEW = "RELEASE"  # stands for the id of the release to come: a time and a random number
# What of a step's parameters is approved; the rest says how long it may take, or who runs it.
APPROVED: Mapping[str, tuple[str, ...]] = {
    "pull": ("images",),
    "stage": ("release", "compose", "configs"),
    "secrets": ("files",),
    "migrate": ("release", "services", "migrations"),
    "up": (
        *("release", "services", "routes", "kind", "together", "levels", "recreate"),
        *("remove_first", "networks"),
    ),
    "smoke": ("release", "checks"),
    "commit": ("release", "manifest", "remove"),
    "remove": ("volumes",),
}
# Of a manifest: who, when and by whose word; and hashes that hold the id of the release to come.
_NOT_THE_RELEASE = ("created", "by", "approved_by", "git_commit", "plan", "config_hash")
# A service's definition holds the id of the release that brings its new secrets, and so its hash.
_LABEL = re.compile(rf"({re.escape(HASH_LABEL)}: )\"?[0-9a-f]{{16}}\"?")
_HASH = re.compile(r"[0-9a-f]{16}\Z")


def digest(value: Any) -> str:
    """SHA-256, in hex, of a value as JSON with sorted keys and without spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(key: bytes, name: str, value: str) -> str:
    """What names a secret's value and tells nothing about it to whoever has not the host's key."""
    return hmac.new(key, f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:32]


def of_step(name: str, params: Mapping[str, Any], release: str) -> str:
    """The hash of what a step gets; ``release`` is the id of the release to come, if there is."""
    given = {key: params[key] for key in APPROVED[name]}
    text = json.dumps({key: _settled(key, value) for key, value in given.items()})
    return digest(json.loads(text.replace(release, NEW) if release else text))


def _settled(key: str, value: Any) -> Any:
    """A parameter without what differs between two runs of one plan."""
    if key == "compose":
        return _LABEL.sub(r"\1", str(value))
    if key == "services":
        return _services(value)
    if key == "manifest":
        manifest = {name: item for name, item in value.items() if name not in _NOT_THE_RELEASE}
        manifest["services"] = _services(manifest.get("services") or {})
        manifest["migrations"] = sorted(manifest.get("migrations") or {})
        return manifest
    if key == "images":
        return sorted(value)
    return value


def _services(services: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: {
            key: fact for key, fact in facts.items() if key != "hash" or not _HASH.match(str(fact))
        }
        for name, facts in services.items()
    }
