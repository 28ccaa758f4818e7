"""Which steps a task of a deploy takes in one call, and with which parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..host.rules import UPDATE

LEASE = "lease"
# What gives a step its payload: the secrets of these names, or the registry's login (None).
Payload = Callable[[Iterable[str] | None], str]


@dataclass(frozen=True)
class Part:
    """One step of a call."""

    name: str
    params: dict[str, Any]


def lease(place: Mapping[str, Any], work: Mapping[str, Any], claim: Mapping[str, Any]) -> Part:
    """Take the lease for what was planned."""
    params = {**place, "state": "acquired", "claim": dict(claim), "expect": work["expect"]}
    return Part(LEASE, params)


def fetch(
    held: Mapping[str, Any], work: Mapping[str, Any], kind: str, request: Any, payload: Payload
) -> list[Part]:
    """Bring everything a release needs to a host, beside the one that runs.

    ``held`` has ``root``, ``stack`` and ``lease``. Going back uses the secrets the host has.
    """
    found = []
    if images := [item["image"] for item in work["plan"]["pulls"]]:
        params = {"root": held["root"], "request": request, "images": images}
        found.append(Part("pull", {**params, "payload": payload(None)}))
    files = list(work["secret_files"])
    stage = {
        "release": work["release"],
        "compose": work["compose"],
        "configs": work["configs"],
        "secrets": [] if kind == UPDATE else files,
        "reading": work["reading"],
    }
    found.append(Part("stage", {**held, **stage}))
    if kind == UPDATE and files:
        given = payload({str(item["name"]) for item in files})
        params = {**held, "request": request, "files": files, "payload": given}
        found.append(Part("secrets", params))
    return found


def migrate(held: Mapping[str, Any], work: Mapping[str, Any]) -> list[Part]:
    """Run the migrations of a release, before anything is replaced."""
    same = {key: work[key] for key in ("release", "services", "migrations")}
    return [Part("migrate", {**held, **same})]


def roll(held: Mapping[str, Any], work: Mapping[str, Any], how: Mapping[str, Any]) -> list[Part]:
    """Exchange the services, then make the smoke checks.

    ``how`` has ``kind``, ``together``, ``canary``, ``timeout`` and ``settle``.
    """
    same = ("release", "services", "routes", "levels", "recreate", "remove_first", "networks")
    found = [Part("up", {**held, **how, **{key: work[key] for key in same}})]
    if work["smoke"]:
        checks = {"release": work["release"], "checks": work["smoke"]}
        found.append(Part("smoke", {**held, **checks}))
    return found


def commit(
    held: Mapping[str, Any], work: Mapping[str, Any], kind: str, timeout: float
) -> list[Part]:
    """Make the release the one that runs, also after a restart of the host."""
    same = {key: work[key] for key in ("release", "manifest", "remove")}
    return [Part("commit", {**held, **same, "kind": kind, "timeout": timeout})]


def finish(held: Mapping[str, Any], keep: int) -> list[Part]:
    """Remove what no release needs, and give the lease back."""
    return [Part("finish", {**held, "keep": keep})]
