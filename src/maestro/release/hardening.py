"""Limits for stacks that say nothing of them, and the profile ``hardened``.

What is not said is given where that breaks nothing and replaces nothing: the Engine's own
configuration forbids new privileges and rotates logs (role docker_engine), and a host limits the
processes of running containers without making them anew (`host.limits`). So no definition changes,
and no service is replaced for a default. Memory cannot be guessed: the plan names who has no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.files import File
from ..stack import compose_yaml

if TYPE_CHECKING:
    from ..records import Defaults, Draft, Entry, Extension, FileFacts, LimitFacts, Service

KEY = "hardened"
# Processes and threads of one container: twice what Podman gives each, and more than databases and
# programs on a JVM of this size use; a fork bomb meets it in a second.
# https://docs.podman.io/en/latest/markdown/podman-run.1.html#pids-limit-limit
PIDS = 4096
NO_NEW_PRIVILEGES = "no-new-privileges"
SCRATCH = ("/tmp", "/run")  # noqa: S108 -- paths in containers


def facts(service: Service) -> LimitFacts:
    """``pids``: the limit of processes that a host gives a service that names none."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    said = service.get("pids_limit") or limits.get("pids")
    return {} if said else {"pids": PIDS}


def chosen(extension: Extension, service: str) -> bool:
    """Whether a stack asks for a hardened service: ``hardened: true``, or a list of names."""
    found = extension.get(KEY)
    return found is True or (isinstance(found, list) and service in found)


def harden(service: Draft, *, writable: bool = False) -> None:
    """Close what a service of Compose's reading leaves open; what it says itself stays.

    ``writable`` says that its file has ``read_only: false``, which Compose's reading leaves out.
    """
    if not writable and not service.get("read_only"):
        service["read_only"] = True
        _scratch(service)
    if not service.get("cap_drop") and not service.get("privileged"):
        service["cap_drop"] = ["ALL"]
    options = [str(option) for option in service.get("security_opt") or []]
    if not _said(options):
        service["security_opt"] = [*options, f"{NO_NEW_PRIVILEGES}:true"]


def _scratch(service: Draft) -> None:
    """Room for what programs write beside their data, where the service mounts nothing itself."""
    tmpfs = service.get("tmpfs") or []
    tmpfs = [tmpfs] if isinstance(tmpfs, str) else list(tmpfs)
    taken = {str(entry).partition(":")[0].rstrip("/") for entry in tmpfs}
    for key in ("volumes", "secrets", "configs"):
        taken |= {
            str(item.get("target") or "").rstrip("/")
            for item in service.get(key) or []
            if isinstance(item, dict)
        }
    service["tmpfs"] = [*tmpfs, *(path for path in SCRATCH if path not in taken)]


def writable(files: Mapping[str, FileFacts], compose_files: Iterable[str]) -> frozenset[str]:
    """Services whose own file says ``read_only: false``; the last file that says it counts.

    ``files`` are those of a request, as `host.files.File.as_json` says them.
    """
    said: dict[str, bool] = {}
    for name in compose_files:
        if name not in files:
            continue
        try:
            text = File.from_json(files[name]).content.decode()
            document = compose_yaml.parse(text, name)
        except (MaestroError, UnicodeDecodeError):
            continue
        services = document.get("services") if isinstance(document, dict) else None
        for service, definition in (services if isinstance(services, dict) else {}).items():
            if isinstance(definition, dict) and "read_only" in definition:
                said[str(service)] = definition["read_only"] is False
    return frozenset(name for name, open_ in said.items() if open_)


def missing(services: Mapping[str, Service], fresh: Iterable[str], engine: Defaults) -> list[str]:
    """What services that get new containers go without: one line for each thing, with names.

    ``services`` are those of a rendered release and ``fresh`` the names, ``engine`` is what the
    host says of its Engine; one that says nothing is not judged.
    """
    new = [name for name in sorted(set(fresh)) if name in services]
    found = []
    if unlimited := [name for name in new if not _memory(services[name])]:
        found.append(
            f"no memory limit (deploy.resources.limits.memory): {', '.join(unlimited)} can use "
            "all memory of the host"
        )
    if not engine.get("no_new_privileges", True) and (
        free := [name for name in new if not _said(services[name].get("security_opt") or [])]
    ):
        found.append(
            f"no `security_opt: [{NO_NEW_PRIVILEGES}:true]`: {', '.join(free)}; the Engine of this "
            "host does not set it either (role docker_engine)"
        )
    if not engine.get("log_rotation", True) and (
        endless := [name for name in new if _grows(services[name].get("logging") or {})]
    ):
        found.append(
            f"no log rotation (logging.options.max-size): {', '.join(endless)}; the Engine of this "
            "host does not set it either (role docker_engine)"
        )
    return found


def _said(options: Iterable[Any]) -> bool:
    return any(str(option).startswith(NO_NEW_PRIVILEGES) for option in options)


def _grows(logging: Entry) -> bool:
    rotated = "max-size" in (logging.get("options") or {})
    return str(logging.get("driver") or "json-file") == "json-file" and not rotated


def _memory(service: Service) -> bool:
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return bool(int(limits.get("memory") or 0) or int(service.get("mem_limit") or 0) > 0)
