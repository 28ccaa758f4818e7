"""Limits that a host gives containers whose stack names none, without making them anew.

Compose would replace a container for another limit; the Engine sets it on one that runs.
https://docs.docker.com/reference/api/engine/version/v1.45/#tag/Container/operation/ContainerUpdate
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .containers import of_stack
from .engine import Engine
from .labels import HASH_LABEL, SERVICE

if TYPE_CHECKING:
    from ..records import Defaults

DAEMON = Path("/etc/docker/daemon.json")
PROCESS = Path("/run/docker.pid")


def apply(
    engine: Engine,
    stack: str,
    services: Mapping[str, Mapping[str, Any]],
    only: Iterable[str] | None = None,
) -> list[str]:
    """Limit the processes of containers that have no limit, as ``pids`` of their service says.

    ``services`` are facts of a release (an older one says nothing, and nothing is done). An Engine
    that cannot is left alone: a limit is no reason to fail. Answers the ids that were limited.
    """
    chosen = set(services if only is None else only)
    wanted = {
        name: int(facts["pids"])
        for name, facts in services.items()
        if facts.get("pids") and name in chosen
    }
    changed = []
    for item in of_stack(engine, stack) if wanted else []:
        name = str(item["Labels"].get(SERVICE, ""))
        if name not in wanted or not item["Labels"].get(HASH_LABEL):
            continue
        found = engine.find(str(item["Id"]))
        if not found or ((found.get("HostConfig") or {}).get("PidsLimit") or 0) > 0:
            continue
        body = {"PidsLimit": wanted[name]}
        status, _ = engine.request("POST", f"/containers/{item['Id']}/update", body=body)
        if status < 400:
            changed.append(str(item["Id"]))
    return changed


def of_engine(info: Mapping[str, Any]) -> Defaults:
    """What the Engine gives all new containers: ``no_new_privileges`` and ``log_rotation``.

    ``info`` is the Engine's own; it does not tell the options of its log driver, so they are read
    where they are set: in daemon.json or on its command line.
    """
    options = [str(option) for option in info.get("SecurityOptions") or []]
    driver = str(info.get("LoggingDriver") or "json-file")
    return {
        "no_new_privileges": "name=no-new-privileges" in options,
        "log_rotation": driver != "json-file" or _rotates(),
    }


def _rotates() -> bool:
    try:
        found = json.loads(DAEMON.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    if isinstance(found, dict) and "max-size" in (found.get("log-opts") or {}):
        return True
    try:
        process = PROCESS.read_text(encoding="ascii").strip()
        return b"max-size=" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
