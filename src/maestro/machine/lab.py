"""The lab on this machine: its settings, what the machine lacks for it, what exists.

What decides is pure and takes what was read; ``read_machine`` and ``read_lab`` look at the
world. The limits are measured: five hosts with the first stack take 3 GiB of disk and
about 1.5 GiB of memory while images are built.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LABEL_CHECKOUT = "maestro.lab.checkout"
LABEL_DEFINITION = "maestro.lab.definition"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
DISK_BYTES = 8 * 1024**3
MEMORY_BYTES = 2 * 1024**3
ARCHITECTURES = ("x86_64", "aarch64")
CONTROLLERS = ("cpu", "memory", "pids")
KEY_FILES = ("/etc/ssh/ssh_host_ed25519_key.pub", "/root/.ssh/authorized_keys")
_KEYS = f"""
if read -r -t 2 banner 2>/dev/null </dev/tcp/127.0.0.1/22 && [[ $banner == SSH-* ]]
then cat {KEY_FILES[0]}; else echo; fi
cat {KEY_FILES[1]}"""
DEFAULT_NAME = "maestro"


@dataclass(frozen=True)
class Settings:
    """What a checkout remembers of its lab: ``ports`` maps host to service to port."""

    name: str
    port_offset: int
    ports: dict[str, dict[str, int]] = field(default_factory=dict)


def settings(
    hosts: Sequence[Mapping[str, Any]],
    environ: Mapping[str, str],
    remembered: Mapping[str, Any] | None,
) -> tuple[Settings, list[str]]:
    """Return the lab's settings and what is wrong with them.

    ``hosts`` is the list of the role; a host's ``ports`` maps a service to the port it has
    on loopback. The environment gives LAB_NAME, LAB_PORT_OFFSET and, for one port,
    LAB_PORT_HOST_SERVICE (``LAB_PORT_STAGING_1_HTTP``). What was remembered wins over the
    defaults; an environment that disagrees with it is a problem, never a silent change.
    """
    problems: list[str] = []
    known = remembered or {}
    name = environ.get("LAB_NAME") or str(known.get("name", DEFAULT_NAME))
    if not NAME.match(name):
        problems.append(f"LAB_NAME={name!r}: use lower-case letters, digits and -, 31 at most")
    raw = environ.get("LAB_PORT_OFFSET") or str(known.get("port_offset", 0))
    offset = int(raw) if re.fullmatch(r"[0-9]{1,5}", raw) else -1
    if offset < 0:
        problems.append(f"LAB_PORT_OFFSET={raw!r}: use a number from 0 to 50000")
        offset = 0
    ports = {
        host["name"]: {
            service: _port(host["name"], service, default + offset, environ, problems)
            for service, default in host.get("ports", {}).items()
        }
        for host in hosts
    }
    result = Settings(name, offset, ports)
    problems += _clashes(ports) + _disagreements(result, known, environ)
    kept = known.get("ports", {})
    merged = {host: {**ports.get(host, {}), **kept.get(host, {})} for host in {**kept, **ports}}
    return Settings(name, offset, merged), problems


def _port(
    host: str, service: str, default: int, environ: Mapping[str, str], problems: list[str]
) -> int:
    key = f"LAB_PORT_{host}_{service}".upper().replace("-", "_")
    raw = environ.get(key) or str(default)
    port = int(raw) if re.fullmatch(r"[0-9]{1,5}", raw) else 0
    if not 0 < port < 65536:
        problems.append(f"{key if environ.get(key) else 'LAB_PORT_OFFSET'}: {raw} is not a port")
    return port


def _clashes(ports: Mapping[str, Mapping[str, int]]) -> list[str]:
    taken: dict[int, str] = {}
    problems = []
    for host, services in ports.items():
        for service, port in services.items():
            owner = f"{host} {service}"
            if port in taken:
                problems.append(f"port {port} is used twice: by {taken[port]} and by {owner}")
            taken[port] = owner
    return problems


def _disagreements(
    wanted: Settings, known: Mapping[str, Any], environ: Mapping[str, str]
) -> list[str]:
    if not known:
        return []
    pairs: list[tuple[str, object, object]] = [
        ("LAB_NAME", wanted.name, known.get("name", wanted.name)),
        ("LAB_PORT_OFFSET", wanted.port_offset, known.get("port_offset", wanted.port_offset)),
    ]
    for host, services in known.get("ports", {}).items():
        for service, port in services.items():
            key = f"LAB_PORT_{host}_{service}".upper().replace("-", "_")
            if key in environ:
                pairs.append((key, wanted.ports.get(host, {}).get(service, port), port))
    return [
        f"{key} is {new}, and this lab was made with {old}: run `make lab-down` first"
        for key, new, old in pairs
        if str(new) != str(old)
    ]


def container_name(lab: str, host: Mapping[str, Any]) -> str:
    """Return the name of a host's container: the lab's name and the host's own."""
    return f"{lab}-{host.get('container') or host['name']}"


def definition(host: Mapping[str, Any], ports: Mapping[str, int], image_id: str) -> str:
    """Return 12 hex digits that change with anything a host is made of."""
    text = json.dumps([host, ports, image_id], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def pending(
    names: Mapping[str, str],
    definitions: Mapping[str, str],
    containers: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Return the hosts that do not run, or were made of something else.

    ``names`` maps a host to its container, ``definitions`` to what it shall be made of.
    """
    return [
        host
        for host, name in names.items()
        if not containers.get(name, {}).get("running")
        or containers[name]["labels"].get(LABEL_DEFINITION) != definitions[host]
    ]


def dead(
    names: Mapping[str, str],
    ports: Mapping[str, Mapping[str, int]],
    containers: Mapping[str, Mapping[str, Any]],
    busy: Callable[[int], bool],
) -> list[str]:
    """Return the hosts that run, and of whose ports on this machine one does not listen any more.

    The Engine's proxy of a port can end while its container goes on. ``busy`` is `port_busy`.
    """
    return [
        host
        for host, name in names.items()
        if containers.get(name, {}).get("running")
        and not all(busy(port) for port in ports.get(host, {}).values())
    ]


def machine_problems(machine: Mapping[str, Any], *, need_disk: bool = True) -> list[str]:
    """Say everything that keeps a machine, as ``read_machine`` saw it, from running the lab."""
    problems = []
    engine = machine["engine"]
    if not engine:
        if not machine["root"]:
            problems.append(
                "no Docker Engine answers, and only root may install one: "
                "run as root, or start the Engine and join its group"
            )
        elif not machine["apt"]:
            problems.append(
                f"no Docker Engine answers, and {machine['system']} is not Debian or Ubuntu, "
                "where it could be installed: install and start Docker"
            )
    if machine["architecture"] not in ARCHITECTURES:
        problems.append(f"the processor is {machine['architecture']}: {ARCHITECTURES} are known")
    missing = [name for name in CONTROLLERS if name not in machine["cgroups"]]
    if missing:
        problems.append(
            f"cgroup controllers are missing or not mounted: {', '.join(missing)}; "
            "mount /sys/fs/cgroup, or enable them on the kernel's command line"
        )
    if need_disk and machine["disk"] < DISK_BYTES:
        problems.append(_short("disk under /var/lib", machine["disk"], DISK_BYTES))
    if machine["memory"] < MEMORY_BYTES and need_disk:
        problems.append(_short("available memory", machine["memory"], MEMORY_BYTES))
    problems += [
        f"the program {name} is missing: install {package}"
        for name, package in machine["missing_programs"]
    ]
    return problems


def _short(what: str, has: int, needs: int) -> str:
    return f"too little {what}: {has / 1024**3:.1f} GiB, and {needs / 1024**3:.0f} GiB are needed"


def lab_problems(
    wanted: Settings,
    names: Mapping[str, str],
    checkout: str,
    containers: Mapping[str, Mapping[str, Any]],
    busy: Callable[[int], bool],
) -> list[str]:
    """Say which names belong to another checkout and which ports are taken.

    ``names`` maps a host to its container, ``containers`` a container's name to its
    ``labels`` and ``running``; ``busy`` tells whether something else listens on a port.
    """
    problems = []
    for host, name in names.items():
        services = wanted.ports.get(host, {})
        container = containers.get(name)
        owner = container["labels"].get(LABEL_CHECKOUT, "somebody else") if container else ""
        if container and owner != checkout:
            problems.append(
                f"the container {name} belongs to {owner}: "
                "choose another LAB_NAME and LAB_PORT_OFFSET for this checkout"
            )
        elif not (container and container["running"]):
            problems += [
                f"port {port} on 127.0.0.1, for {host} {service}, is in use: set "
                f"LAB_PORT_OFFSET, or LAB_PORT_{host.upper().replace('-', '_')}_{service.upper()}"
                for service, port in services.items()
                if busy(port)
            ]
    return problems


def port_busy(port: int) -> bool:
    """Tell whether something listens on a port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def read_machine(programs: Mapping[str, str]) -> dict[str, Any]:
    """Read what decides whether the lab can run here; ``programs`` maps program to package."""
    version = _docker("version", "--format", "{{.Server.Version}}")
    memory = re.search(r"MemAvailable:\s+(\d+)", _text("/proc/meminfo"))
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text("/etc/os-release"), re.MULTILINE)
    return {
        "engine": (version or "").strip(),
        "root": os.geteuid() == 0,
        "apt": shutil.which("apt-get") is not None,
        "system": system.group(1) if system else "this system",
        "architecture": os.uname().machine,
        "cgroups": _controllers(_text("/proc/cgroups"), _text("/proc/mounts")),
        "disk": shutil.disk_usage("/var/lib").free,
        "memory": int(memory.group(1)) * 1024 if memory else 0,
        "missing_programs": [p for p in sorted(programs.items()) if shutil.which(p[0]) is None],
    }


def _controllers(cgroups: str, mounts: str) -> list[str]:
    """Return the controllers that are enabled and reachable through a mount."""
    lines = [line.split() for line in mounts.splitlines()]
    unified = any(f[2] == "cgroup2" and f[1] == "/sys/fs/cgroup" for f in lines)
    first = {o for f in lines if f[2] == "cgroup" for o in f[3].split(",")}
    rows = [line.split() for line in cgroups.splitlines() if not line.startswith("#")]
    return [row[0] for row in rows if row[3] == "1" and (unified or row[0] in first)]


def read_containers(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what exists of the named containers: labels, running, image, published ports."""
    found = (
        json.loads(_docker("container", "inspect", *names, partial=True) or "[]") if names else []
    )
    return {
        item["Name"].lstrip("/"): {
            "labels": item["Config"]["Labels"] or {},
            "running": bool(item["State"]["Running"]),
            "ports": {
                container: int(places[0]["HostPort"])
                for container, places in (item["NetworkSettings"]["Ports"] or {}).items()
                if places
            },
        }
        for item in found
    }


def read_names(checkout: str) -> list[str]:
    """Return the names of all containers of a checkout, those of Molecule as well."""
    label = f"label={LABEL_CHECKOUT}={checkout}"
    listing = _docker("ps", "--all", "--filter", label, "--format", "{{.Names}}")
    return (listing or "").split()


def read_volumes(checkout: str, prefixes: Sequence[str] | None = None) -> list[str]:
    """Return a checkout's volumes: all, or those that begin with one of the hosts' names."""
    label = f"label={LABEL_CHECKOUT}={checkout}"
    names = (_docker("volume", "ls", "--quiet", "--filter", label) or "").split()
    if prefixes is None:
        return names
    return [name for name in names if name.startswith(tuple(f"{p}-" for p in prefixes))]


def read_keys(container: str) -> dict[str, str]:
    """Return a running lab host's public key and the key it lets in, as ``host`` and ``user``.

    The Engine reads them inside the host: nothing that crosses a network is believed. ``host`` is
    empty until the host answers: a restarted one has its key before its SSH server runs.
    """
    lines = (_docker("exec", container, "bash", "-c", _KEYS, partial=True) or "").splitlines()
    keys = [" ".join(line.split()[:2]) for line in [*lines, "", ""]]
    return {"host": keys[0], "user": keys[1]}


def content_id(directory: Path) -> str:
    """Return 12 hex digits that change with any file of a directory."""
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(directory)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _docker(*arguments: str, partial: bool = False) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 -- no shell, and the arguments are the lab's own
            ["docker", *arguments],  # noqa: S607 -- where docker stands differs by machine
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 or partial else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
