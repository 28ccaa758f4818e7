"""Taking over a hand-made container so that it can be brought back as it was.

Before it is removed, everything the Engine knows of it is written down, and what it wrote inside
is kept as an image. Its volumes stay, those without a name too. The notes lie beside the releases
until the one that took it over is committed, so that the host's own switch can go back as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import MaestroError, raise_all
from .engine import Engine
from .labels import SERVICE
from .layout import Layout, write_atomically

_KEPT = "adopted"
REPOSITORY = "maestro-adopted"  # images of what hand-made containers wrote: STACK.ID
_LENDER = re.compile(r"^container:(.+)\Z")
_NAMESPACES = ("NetworkMode", "PidMode", "IpcMode")
_RAN = ("running", "paused", "restarting")
# What the Engine answers of an endpoint and takes again.
_ENDPOINT = ("IPAMConfig", "Links", "DriverOpts")


def set_aside(
    layout: Layout, release: str, engine: Engine, container: str, *, stays: bool = False
) -> None:
    """Stop and remove a container, after everything needed to make it again was kept.

    One that ``stays`` is stopped alone: Compose replaces it and takes its volumes over.
    """
    detail = engine.inspect(container)
    note = _directory(layout, release) / f"{detail['Id'][:12]}.json"
    kept = {"container": detail, "image": "", "ran": detail["State"]["Status"] in _RAN}
    _write(note, kept)
    if detail["State"]["Status"] == "paused":
        engine.request("POST", f"/containers/{container}/unpause")
    tag = f"{layout.stack}.{detail['Id'][:12]}"
    # With this it is gone as soon as it stops.
    passing = bool(detail["HostConfig"].get("AutoRemove"))
    if not passing:
        engine.request("POST", f"/containers/{container}/stop", timeout=660)
    if passing or engine.changed(container):
        engine.commit(container, REPOSITORY, tag)
        _write(note, {**kept, "image": f"{REPOSITORY}:{tag}"})
    if not stays or passing:
        engine.remove(container)


def services(layout: Layout, release: str) -> set[str]:
    """The services whose containers were set aside for a release."""
    return {
        str(kept["container"]["Config"]["Labels"].get(SERVICE, ""))
        for _, kept in _notes(layout, release)
    }


def restore(layout: Layout, release: str, engine: Engine) -> list[str]:
    """Make again what was set aside for a release, running as it was; the containers' names.

    May be called again after it was interrupted. `MaestroError` names what did not come back.
    """
    renamed: dict[str, str] = {}
    back, problems = [], []
    for note, kept in _in_order(_notes(layout, release)):
        name = str(kept["container"]["Name"]).lstrip("/")
        try:
            renamed[str(kept["container"]["Id"])] = _make(engine, name, kept, renamed)
        except MaestroError as problem:
            problems.append(problem)
            continue
        note.unlink()
        back.append(name)
    raise_all(problems)
    _remove(_directory(layout, release))
    return back


def forget(layout: Layout, engine: Engine) -> None:
    """Drop the notes and images for releases that are committed: nobody goes back past them."""
    for directory in layout.home.glob(f"{_KEPT}/*"):
        release = directory.name
        if not (layout.release(release) / "release.json").exists():
            continue
        for note, _ in _notes(layout, release):
            note.unlink()
        # One that a container came back with is in use, and the Engine keeps it.
        for image in engine.tags(REPOSITORY):
            if image.startswith(f"{REPOSITORY}:{layout.stack}."):
                engine.request("DELETE", f"/images/{image}")
        _remove(_directory(layout, release))


def _make(engine: Engine, name: str, kept: Mapping[str, Any], renamed: Mapping[str, str]) -> str:
    detail = kept["container"]
    named = str(detail["Config"]["Image"])
    same = engine.image(named).get("Id") == detail["Image"]
    image = str(kept["image"]) or (named if same else str(detail["Image"]))
    body = definition(detail, image, renamed)
    try:
        new = engine.create(name, body)
    except MaestroError:
        # An interrupted one may have made it already.
        status, answer = engine.request("GET", f"/containers/{name}/json")
        there = json.loads(answer) if status == 200 else {}
        if (there.get("Config") or {}).get("Labels") != detail["Config"]["Labels"]:
            raise
        new = str(there["Id"])
    if kept["ran"]:
        status, answer = engine.request("POST", f"/containers/{new}/start")
        if status >= 400:
            raise MaestroError(
                f"{name} was recreated and does not start: {answer.decode('utf-8', 'replace')}",
                where=name,
                fix=f"`docker start {name}` when the cause is gone",
            )
    return new


def definition(detail: Mapping[str, Any], image: str, renamed: Mapping[str, str]) -> dict[str, Any]:
    """What makes a container again from what the Engine's inspection said of it.

    ``image`` is its own, or one with what it wrote. ``renamed`` maps ids of containers
    that were made again to their new ones.
    """
    config = {key: value for key, value in detail["Config"].items() if key != "MacAddress"}
    config["Image"] = image
    host = json.loads(json.dumps(detail["HostConfig"]))
    for kind in _NAMESPACES:
        lender = _LENDER.match(str(host.get(kind) or ""))
        if lender:
            host[kind] = f"container:{renamed.get(lender[1], lender[1])}"
    host["VolumesFrom"] = [
        ":".join(
            [renamed.get(item.partition(":")[0], item.partition(":")[0]), *item.split(":")[1:]]
        )
        for item in host.get("VolumesFrom") or []
    ]
    host["Mounts"] = [*(host.get("Mounts") or []), *_unnamed(detail)]
    body = {**config, "HostConfig": host}
    if str(host.get("NetworkMode") or "").startswith("container:"):
        # They are the other container's.
        for key in ("Hostname", "Domainname", "ExposedPorts"):
            body.pop(key, None)
    elif host.get("NetworkMode") not in ("host", "none"):
        body["NetworkingConfig"] = {"EndpointsConfig": _endpoints(detail)}
    return body


def _unnamed(detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Volumes the image asked for: they have no name in the container's own definition."""
    host = detail["HostConfig"]
    said = {str(item.get("Target")) for item in host.get("Mounts") or []}
    said |= {bind.split(":")[1] for bind in host.get("Binds") or [] if ":" in bind}
    return [
        {"Type": "volume", "Source": mount["Name"], "Target": mount["Destination"]}
        for mount in detail.get("Mounts") or []
        if mount.get("Type") == "volume" and mount["Destination"] not in said
    ]


def _endpoints(detail: Mapping[str, Any]) -> dict[str, Any]:
    own = str(detail["Id"])[:12]
    return {
        name: {
            **{key: found[key] for key in _ENDPOINT if found.get(key)},
            "Aliases": [alias for alias in found.get("Aliases") or [] if alias != own],
        }
        for name, found in (detail["NetworkSettings"].get("Networks") or {}).items()
    }


def _in_order(notes: list[tuple[Path, dict[str, Any]]]) -> list[tuple[Path, dict[str, Any]]]:
    """Those that others borrow a namespace of come first."""

    def borrows(item: tuple[Path, dict[str, Any]]) -> bool:
        host = item[1]["container"]["HostConfig"]
        lent = any(_LENDER.match(str(host.get(kind) or "")) for kind in _NAMESPACES)
        return lent or bool(host.get("VolumesFrom"))

    return sorted(notes, key=borrows)


def _directory(layout: Layout, release: str) -> Path:
    return layout.home / _KEPT / (release or "none")


def _notes(layout: Layout, release: str) -> list[tuple[Path, dict[str, Any]]]:
    return [
        (path, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(_directory(layout, release).glob("*.json"))
    ]


def _write(path: Path, kept: Mapping[str, Any]) -> None:
    """The environment of a container may hold secrets: for root alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps(kept), 0o600)


def _remove(directory: Path) -> None:
    for path in (directory, directory.parent):
        try:
            path.rmdir()
        except OSError:
            return
