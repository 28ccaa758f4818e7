"""The lab's settings, this machine, and the lab's hosts: all that is read of them at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import lab

ARGUMENTS: dict[str, dict[str, Any]] = {
    "checkout": {"type": "path", "required": True},
    "remembered": {"type": "dict"},
    "hosts": {"type": "list", "elements": "dict", "required": True},
    "image_context": {"type": "path", "required": True},
    "everything": {"type": "bool", "default": False},
    "programs": {"type": "dict", "default": {}},
}


def read(given: Mapping[str, Any], _check: bool) -> dict[str, Any]:  # noqa: FBT001 -- of all modules
    """Read and judge; changes nothing."""
    wanted, problems = lab.settings(given["hosts"], os.environ, given["remembered"])
    names = {host["name"]: lab.container_name(wanted.name, host) for host in given["hosts"]}
    machine = lab.read_machine(given["programs"])
    everything = given["everything"] and machine["engine"]
    found = lab.read_names(given["checkout"]) if everything else list(names.values())
    containers = lab.read_containers(found) if machine["engine"] else {}
    problems += lab.machine_problems(machine, need_disk=not containers)
    problems += lab.lab_problems(wanted, names, given["checkout"], containers, lab.port_busy)
    image_id = lab.content_id(Path(given["image_context"]))
    definitions = {
        host["name"]: lab.definition(host, wanted.ports.get(host["name"], {}), image_id)
        for host in given["hosts"]
    }
    running = {host: n for host, n in names.items() if containers.get(n, {}).get("running")}
    dead = lab.dead(names, wanted.ports, containers, lab.port_busy)
    return {
        "changed": False,
        "name": wanted.name,
        "port_offset": wanted.port_offset,
        "ports": wanted.ports,
        "engine": machine["engine"],
        "problems": problems,
        "image_id": image_id,
        "names": names,
        "definitions": definitions,
        "pending": sorted({*lab.pending(names, definitions, containers), *dead}),
        "dead": dead,
        "containers": containers,
        "volumes": lab.read_volumes(given["checkout"], None if everything else found),
        "keys": {host: lab.read_keys(name) for host, name in running.items()},
    }
