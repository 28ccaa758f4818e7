"""Volumes without a name: they go along with their container, and are lost with its service."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import MaestroError
from ..host.rules import START_FIRST, STOP_FIRST
from . import records
from .kept_data import ACCEPT, View, by_target, volume_of


def told(view: View) -> Iterator[str]:
    """What a plan says of them."""
    for step in view.coming():
        for path in view.kept(step.service).nameless:
            yield (
                f"{step.service} keeps {path} in a volume without a name: it goes along when the "
                "container is replaced, and is lost with the service; "
                f"{name_it(step.service, path)}"
            )
    for name, path in _gone(view):
        yield f"{name} is removed, and so is {path}, a volume without a name"


def name_it(service: str, path: str) -> str:
    """What to do with one, as the beginning of a next step."""
    return (
        f'mount a named volume there (volumes: ["NAME:{path}"]), or set '
        f'x-maestro.throw_away: {{{service}: ["{path}"]}}'
    )


def refused_order(view: View) -> Iterator[MaestroError]:
    """Services that shall start beside their old container, which has the volume."""
    for name, found in view.all_kept().items():
        if found.beside:
            for path in found.nameless:
                yield MaestroError(
                    f"found order: {START_FIRST}, but {name} keeps {path} in a volume without a "
                    "name: a container beside the old one would start with an empty one",
                    where=f"{view.plan.stack}/compose.yaml: services.{name}.deploy.update_config",
                    fix=f"{name_it(name, path)}; or use order: {STOP_FIRST}",
                )


def _nameless_now(view: View) -> Iterator[tuple[str, str]]:
    """Service and path of what containers keep in volumes without a name; nothing thrown away."""
    old = (view.state.get("release") or {}).get("services") or {}
    seen = set()
    for container in view.state["containers"]:
        name = str(container["service"])
        thrown = set(old[name].get("throw_away") or ()) if name in old else set()
        for path in sorted(set(container.get("nameless") or ()) - thrown):
            if (name, path) not in seen:
                seen.add((name, path))
                yield name, path


def _gone(view: View) -> list[tuple[str, str]]:
    """Those of services that leave."""
    leaves = set(view.plan.services(records.REMOVE))
    return [(name, path) for name, path in _nameless_now(view) if name in leaves]


def lost(view: View) -> Iterator[MaestroError]:
    """Data in volumes without a name that nothing would have any more."""
    for name, path in _nameless_now(view):
        if name not in view.rendered.services:
            continue
        found = view.kept(name)
        if path in found.nameless or path in found.throw_away:
            continue
        mounts = by_target(view.rendered.compose["services"][name])
        if path in mounts and mounts[path].get("type") == "tmpfs":
            continue
        if path not in mounts and view.back:
            # A release that never had it: it goes back to what it knew.
            continue
        now = volume_of(mounts[path], view.rendered.compose) if path in mounts else "nothing"
        yield MaestroError(
            f"{path} of {name} was a volume without a name and would become {now}: the service "
            "would not find its data",
            where=view.where(name),
            fix=f"copy it first (docker cp CONTAINER:{path} ...) and say {ACCEPT}",
        )
    created = view.plan.services(records.CREATE)
    for name, path in _gone(view):
        for other in created:
            mount = by_target(view.rendered.compose["services"][other]).get(path) or {}
            if path in view.kept(other).nameless or mount.get("type") in ("volume", "bind"):
                yield MaestroError(
                    f"{name} is removed and {other} is added: what {name} keeps in {path}, a "
                    "volume without a name, would be lost",
                    where=view.where(other),
                    fix=f'mount a named volume at it (volumes: ["NAME:{path}"]) while it still is '
                    f"{name}, copy the data, then rename it; or say {ACCEPT}",
                )
