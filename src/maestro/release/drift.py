"""Where what runs differs from what was released, in words and without a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..host import carried
from ..host.drift import digest
from ..host.labels import HASH_LABEL
from ..stack import jobs
from ..stack.model import unescaped

if TYPE_CHECKING:
    from ..records import Compose, Container, DriftFacts, Service, WatchdogState

STOPPED = ("exited", "created", "dead", "paused")


def of_container(
    container: Container,
    service: str,
    compose: Compose,
    *,
    done: bool = False,
) -> list[str]:
    """What is different about one container.

    ``container`` is an entry of `host.overview.read`, ``compose`` the release's own file;
    ``done`` says that it is a job which ended well.
    """
    definition = (compose.get("services") or {}).get(service)
    if definition is None:
        return ["orphan: no service of the release"]
    found = []
    restarts = int(container.get("restarts") or 0)
    if restarts:
        found.append(f"restarted {restarts} time{'s' if restarts > 1 else ''}")
    found += _watched(container.get("watchdog"))
    if container["status"] in STOPPED and not done:
        found.append("stopped" if container["status"] != "paused" else "paused")
    wanted = definition.get("labels", {}).get(HASH_LABEL)
    if container["hash"] != wanted:
        found.append("definition")
    facts = container.get("facts")
    if facts:
        found += _facts(facts, definition, compose)
    return found


def _watched(state: WatchdogState | None) -> list[str]:
    if not state:
        return []
    number = state["restarts"]
    found = [f"restarted {number} time{'s' if number > 1 else ''} by the watchdog"]
    if state["until"]:
        found.append(f"still unhealthy, left as it is until {state['until']}")
    return found


def _facts(facts: DriftFacts, definition: Service, compose: Compose) -> list[str]:
    found = []
    if facts["image"] != definition["image"]:
        found.append("image")
    # Of a secret's value a release knows nothing; another version is another definition.
    secret = {name for name, value in _said(definition) if carried.paths(value)}
    there = {name: value for name, value in facts["env"].items() if name not in secret}
    found += _named("env", _environment(definition, secret), there)
    gone = sorted(secret - set(facts["env"]))
    found += [f"env {', '.join(gone)}"] if gone else []
    found += _named("mount", _mounts(definition, compose), facts["mounts"])
    limits = ((definition.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    memory = int(limits.get("memory") or definition.get("mem_limit") or 0)
    if facts["memory"] != memory:
        found.append(f"memory limit {_size(facts['memory'])} instead of {_size(memory)}")
    cpus = float(limits.get("cpus") or definition.get("cpus") or 0)
    if abs(facts["cpus"] / 1e9 - cpus) > 1e-6:
        found.append(f"cpu limit {facts['cpus'] / 1e9:g} instead of {cpus:g}")
    restart = _restart(definition)
    if facts["restart"] != restart:
        found.append(f"restart {facts['restart']} instead of {restart}")
    return found


def _restart(definition: Service) -> str:
    """The restart policy as the Engine calls it."""
    return jobs.restart_policy(definition) or jobs.NEVER


def _named(what: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    names = sorted(key for key in {*wanted, *there} if wanted.get(key) != there.get(key))
    return [f"{what} {', '.join(names)}"] if names else []


def _said(definition: Service) -> list[tuple[str, str]]:
    environment = definition.get("environment") or {}
    return [(name, str(value)) for name, value in environment.items() if value is not None]


def _environment(definition: Service, secret: Collection[str]) -> dict[str, str]:
    """Names and digests of the values the release gives; one without a value is not set."""
    return {
        name: digest(str(unescaped(value)))
        for name, value in _said(definition)
        if name not in secret
    }


def _mounts(definition: Service, compose: Compose) -> dict[str, str]:
    """What is mounted where, in the form of `host.drift.facts`."""
    mounts = {}
    for mount in definition.get("volumes") or []:
        source = str(mount.get("source") or "")
        if mount["type"] == "volume":
            if not source:
                continue
            defined = (compose.get("volumes") or {}).get(source) or {}
            source = str(defined.get("name") or f"{compose.get('name')}_{source}")
        elif mount["type"] != "bind":
            continue
        access = "ro" if mount.get("read_only") else "rw"
        mounts[str(mount["target"])] = f"{mount['type']}:{source}:{access}"
    for kind, home in (("secrets", "/run/secrets"), ("configs", "")):
        for item in definition.get(kind) or []:
            file = compose[kind][item["source"]]["file"]
            target = str(item.get("target") or item["source"])
            path = target if target.startswith("/") else f"{home}/{target}"
            mounts[path] = f"bind:{file}:ro"
    return mounts


def _size(count: float) -> str:
    return f"{count / (1 << 20):g} MiB" if count else "none"
