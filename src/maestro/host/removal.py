"""Take a stack off its host: what there is of it, and its removal, volumes only by name."""

from __future__ import annotations

import calendar
import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from ..errors import MaestroError
from . import adoption, edge, edge_users, journal, lease, resources
from .aim import Aim
from .containers import of_stack
from .engine import Engine
from .holds import nameless
from .images import pulled
from .labels import PROJECT, SERVICE
from .layout import AGENT, Layout
from .release import committed, references
from .roll import Roll
from .state import checksum, facts_of
from .strangers import Ours, among, labelled, made_here

if TYPE_CHECKING:
    from ..records import FoundFacts, Removal


@dataclass(frozen=True)
class Found:
    """What a host has of a stack, by names.

    ``strangers`` are containers of the project that no release made, ``networks`` and ``volumes``
    the project's own; ``used`` maps one of them to the containers of others that use it.
    ``images`` are references that no other stack's release needs. ``known`` tells whether the
    stack is or once was on this host.
    """

    services: list[str]
    strangers: list[str]
    networks: list[str]
    volumes: list[str]
    used: dict[str, list[str]]
    images: list[str]
    releases: list[str]
    secrets: list[str]
    routes: list[str]
    known: bool


def read(layout: Layout, engine: Engine | None = None) -> Removal:
    """Everything a removal is decided on; nothing on the host is changed."""
    engine = engine or Engine()
    current = layout.current_id()
    summaries = of_stack(engine, layout.stack)
    # Also what a release made whose record is lost: nothing else would ever take it away.
    ours = [item for item in summaries if labelled(layout, item["Labels"])]
    everything = engine.containers()
    found = resources.read(engine, everything)
    networks = sorted(n.name for n in found.networks.values() if n.project == layout.stack)
    # One without a name has no label either: its containers alone know whose it is.
    without = {name for item in ours for name in nameless(item).values()}
    named = {v.name for v in found.volumes.values() if v.project == layout.stack}
    volumes = sorted(named | without)
    there = Found(
        services=sorted({str(item["Labels"].get(SERVICE, "")) for item in ours}),
        strangers=sorted(_name(item) for item in summaries if item not in ours),
        networks=networks,
        volumes=volumes,
        used=_used(everything, layout, {*networks, *volumes}),
        images=sorted(_own_images(layout, ours)),
        releases=sorted(committed(layout)),
        secrets=sorted(path.name for path in layout.secrets.glob("*")),
        routes=[str(route["name"]) for route in edge.current(layout).get("routes") or []],
        known=layout.home.exists()
        or any(event["result"] == journal.DONE for event in journal.read(layout, journal.ALL)),
    )
    return {
        "release": {"id": current, **layout.manifest(current)} if current else {},
        "containers": facts_of(engine, summaries),
        "lease": lease.describe(layout),
        "agent": checksum(AGENT),
        "found": cast("FoundFacts", asdict(there)),
    }


def remove(layout: Layout, token: str, volumes: Iterable[str], timeout: float) -> list[str]:
    """Remove all of the stack but volumes that are not named; what was removed, in words.

    Containers end in the reverse of the order they were started in. Until they are gone the
    release is still the current one: a removal that is interrupted there is undone by the switch.
    Raises `MaestroError` when a volume cannot be removed, and then goes on with the rest.
    """
    engine = Engine()
    there = of_stack(engine, layout.stack)
    images = _own_images(layout, [item for item in there if labelled(layout, item["Labels"])])
    done = _containers(layout, engine, timeout, labelled)
    edge.withdraw(layout)
    edge_users.tidy(layout, [])
    layout.current.unlink(missing_ok=True)
    lease.disarm(layout, token)
    done += _networks(layout, engine)
    problems = []
    for name in volumes:
        status, body = engine.request("DELETE", f"/volumes/{name}")
        if status < 300:
            done.append(f"volume {name}")
        elif status != 404:
            problems.append(f"volume {name}: {_message(body)}")
    done += _images(engine, images)
    done += [f"release {release}" for release in sorted(committed(layout))]
    for path in (layout.releases, layout.secrets, layout.configs):
        shutil.rmtree(path, ignore_errors=True)
    if problems:
        raise MaestroError(
            f"the stack is removed, but not all of its volumes: {'; '.join(problems)}",
            where=f"stack {layout.stack}",
            fix="stop what uses them, then run the removal again",
        )
    return done


def undo_first(layout: Layout, staged: str, engine: Engine) -> None:
    """Leave nothing of a first deploy that failed: what it made goes, volumes and images too.

    A volume that was there before the deploy began stays, and so does a container that no
    release made.
    """
    # An image that was on the host before the deploy stays as well.
    brought = pulled(layout) & set(references(layout, staged)) - _needed_by_others(layout)
    found = lease.read(layout)
    began = found.acquired if found else time.time()
    edge.withdraw(layout)
    edge_users.tidy(layout, [])
    _containers(layout, engine, 0, made_here)
    # Containers that are stopped hold on to a network, and the Engine does not know it.
    strangers = bool(among(engine, layout)) or bool(adoption.services(layout, staged))
    _networks(layout, engine, began if strangers else 0)
    status, body = engine.request("GET", "/volumes")
    listed = json.loads(body).get("Volumes") or [] if status == 200 else []
    for volume in listed:
        mine = (volume.get("Labels") or {}).get(PROJECT) == layout.stack
        # The Engine writes the second in which a volume was made.
        if mine and _seconds(str(volume.get("CreatedAt", ""))) + 1 > began:
            engine.request("DELETE", f"/volumes/{volume['Name']}")
    adoption.restore(layout, staged, engine)
    _images(engine, brought)


def _containers(layout: Layout, engine: Engine, timeout: float, ours: Ours) -> list[str]:
    roll = Roll(layout, Aim("", {}), timeout, engine=engine, ours=ours)
    there = {
        str(item["Labels"].get(SERVICE, ""))
        for item in of_stack(engine, layout.stack)
        if ours(layout, item["Labels"])
    }
    order = [set(level) for level in layout.manifest(layout.current_id()).get("order") or []]
    levels = [*reversed(order), there.difference(*order)]
    removed = [
        name
        for level in levels
        for name in roll.leaving.remove(sorted(level & there), strangers=False)
    ]
    return [f"service {name}" for name in removed]


def _networks(layout: Layout, engine: Engine, began: float = 0) -> list[str]:
    """Remove the project's networks that were made since, and that no stranger is on."""
    held = {
        name
        for item in among(engine, layout)
        for name in (item.get("NetworkSettings") or {}).get("Networks") or {}
    }
    removed = []
    for network in engine.networks():
        mine = (network.get("Labels") or {}).get(PROJECT) == layout.stack
        new = _seconds(str(network.get("Created", ""))) + 1 > began
        if mine and new and network["Name"] not in held:
            status, _ = engine.request(
                "DELETE", f"/networks/{network.get('Id') or network['Name']}"
            )
            removed += [f"network {network['Name']}"] if status < 300 else []
    return removed


def _images(engine: Engine, names: Iterable[str]) -> list[str]:
    """Best effort: an image that a container of others uses stays, and the Engine says so."""
    removed = []
    for name in sorted(names):
        with contextlib.suppress(MaestroError):
            status, _ = engine.request("DELETE", f"/images/{name}")
            removed += [f"image {name}"] if status < 300 else []
    return removed


def _own_images(layout: Layout, ours: Iterable[Mapping[str, Any]]) -> set[str]:
    """Those of its releases, and those its containers run where no release is recorded."""
    mine = {name for release in committed(layout) for name in references(layout, release)}
    mine |= {name for item in ours if "@" in (name := str(item.get("Image", "")))}
    return mine - _needed_by_others(layout)


def _needed_by_others(layout: Layout) -> set[str]:
    others = [
        Layout(layout.root, path.parent.name)
        for path in layout.root.glob("*/releases")
        if path.parent.name != layout.stack
    ]
    return {
        name
        for other in others
        for release in committed(other)
        for name in references(other, release)
    }


def _used(
    containers: Iterable[dict[str, Any]], layout: Layout, names: set[str]
) -> dict[str, list[str]]:
    used: dict[str, list[str]] = {}
    for item in containers:
        if item["Labels"].get(PROJECT) == layout.stack and labelled(layout, item["Labels"]):
            continue
        volumes = {str(mount.get("Name")) for mount in item.get("Mounts") or []}
        for name in sorted(names & {*volumes, *item["NetworkSettings"]["Networks"]}):
            used.setdefault(name, []).append(_name(item))
    return used


def _name(item: dict[str, Any]) -> str:
    return str(item["Names"][0]).lstrip("/")


def _seconds(date: str) -> float:
    """``2026-01-02T03:04:05Z`` (or with an offset) in seconds since 1970; 0 without a date.

    A part of a second is left out.
    """
    date = re.sub(r"\.\d+", "", date)
    try:
        found = time.strptime(date[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return 0.0
    offset = 0
    if len(date) == 25 and date[19] in "+-":
        offset = (int(date[20:22]) * 60 + int(date[23:25])) * 60 * (1 if date[19] == "+" else -1)
    return float(calendar.timegm(found) - offset)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body).get("message", ""))
    except ValueError:
        return body.decode("utf-8", "replace")
