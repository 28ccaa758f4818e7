"""What containers use, where they answer and what the edge counts: files for whoever measures.

They stand beside the file of `metrics`, and only while a container mounts that directory: where
nobody reads them, the Engine is not asked. So no container needs the Engine's socket, and none
the password of the edge's API.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import differing, edge, edge_api, usage
from .engine import Engine
from .labels import PROJECT, SERVICE
from .layout import write_atomically
from .metrics import DIRECTORY
from .watchdog_memory import FILE

HOME = FILE.with_name(DIRECTORY)
EVERY = 15.0  # seconds between two looks: as often as the numbers are read
CONTAINERS, EDGE, TARGETS = "containers.prom", "edge.prom", "targets.json"
# Labels of a container that has numbers of its own.
PORT, PATH = "prometheus.io/port", "prometheus.io/path"
LOOPBACK = "127.0.0.1"
_TRAEFIK = re.compile(r"(?:# (?:HELP|TYPE) )?traefik_")


def keep(root: Path, home: Path = HOME) -> None:
    """Write the files for as long as the agent runs."""
    said = ""
    while True:
        try:
            once(root, Engine(), home)
            said = ""
        except (MaestroError, OSError, ValueError) as problem:
            if str(problem) != said:
                said = str(problem)
                print(f"telemetry: {said}", file=sys.stderr, flush=True)  # noqa: T201 -- for the journal
        time.sleep(EVERY)


def once(root: Path, engine: Engine, home: Path) -> None:
    """Bring the files up to date, or remove them where nobody mounts their directory."""
    there = [item for item in engine.containers() if item.get("State") == "running"]
    names = (CONTAINERS, EDGE, TARGETS)
    if not any(_reads(item, home) for item in there):
        for name in names:
            (home / name).unlink(missing_ok=True)
        return
    seen = [(labels(item), item, engine.stats(str(item["Id"]))) for item in there]
    containers = usage.render(seen) + differing.render(root, there)
    texts = (containers, _edge(), f"{json.dumps(targets(there), indent=2)}\n")
    for name, text in zip(names, texts, strict=True):
        write_atomically(home / name, text, 0o644)
    home.chmod(0o755)


def labels(item: Mapping[str, Any]) -> dict[str, str]:
    """Name, stack and service of a container of the Engine's list; the last two may be empty."""
    known = item.get("Labels") or {}
    return {
        "name": str(item["Names"][0]).lstrip("/"),
        "stack": str(known.get(PROJECT, "")),
        "service": str(known.get(SERVICE, "")),
    }


def targets(there: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Where containers show numbers, as Prometheus's file discovery reads it.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
    """
    found = []
    for item in there:
        known = item.get("Labels") or {}
        address = _address(item)
        if address and str(known.get(PORT, "")).isdigit():
            path = {"__metrics_path__": str(known.get(PATH) or "/metrics")}
            target = [f"{address}:{known[PORT]}"]
            found.append({"targets": target, "labels": {**labels(item), **path}})
    return sorted(found, key=lambda one: str(one["labels"]["name"]))


def _address(item: Mapping[str, Any]) -> str:
    """Where the host reaches a container: in an internal network too; empty where nowhere."""
    networks = (item.get("NetworkSettings") or {}).get("Networks") or {}
    if "host" in networks:
        return LOOPBACK
    there = (str(one.get("IPAddress") or "") for _, one in sorted(networks.items()))
    return next(filter(None, there), "")


def _reads(item: Mapping[str, Any], home: Path) -> bool:
    return any(mount.get("Source") == str(home) for mount in item.get("Mounts") or [])


def _edge() -> str:
    """Traefik's own numbers; those of its language and process have names that others have too."""
    with contextlib.suppress(MaestroError, KeyError, OSError, http.client.HTTPException):
        port = int(edge.settings()["api_port"])
        status, text = edge_api.ask(edge.DIRECTORY, port, "/metrics")
        if status == http.HTTPStatus.OK:
            return "".join(line for line in text.splitlines(keepends=True) if _TRAEFIK.match(line))
    return ""
