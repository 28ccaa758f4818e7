"""Whether a host reaches the services that its edge and its checks ask, as the file has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.address import ELSEWHERE
from ..host.resources import Resources
from ..stack import borrowing, smoke
from ..stack.extension import EXTENSION

if TYPE_CHECKING:
    from ..records import Compose, Entry, Extension, Route, Service

_FIX = (
    "give the service a network with the driver bridge beside it: networks: [NAME], and at the top "
    "networks: {NAME: {}}"
)


def problems(
    stack: str, model: Compose, extension: Extension, there: Resources
) -> Iterable[MaestroError]:
    """Routes and checks of services without a network that the host itself is in.

    ``model`` is Compose's own reading; ``there`` tells what the external networks are.
    """
    for where, service, named in _asked(extension):
        if service not in model["services"]:
            continue
        place = f"{stack}/compose.yaml: {EXTENSION}.{where}"
        owner, chain = _owner(service, model["services"])
        mode = str(model["services"][owner].get("network_mode") or "")
        through = f" (it uses the network of {owner})" if chain else ""
        if mode == "none":
            yield MaestroError(
                f"{service} has no network{through}: network_mode: none",
                where=place,
                fix="give it one, or remove this entry: nobody can reach it",
            )
        if mode:
            if named:
                yield _not_on(place, service, named, [])
            continue
        on = model["services"][owner].get("networks") or {}
        far = {key: driver for key in on if (driver := _driver(key, model, there)) in ELSEWHERE}
        if named and named not in on:
            yield _not_on(place, service, named, sorted(on))
        elif set(far) >= ({named} if named else set(on)):
            shown = ", ".join(f"{key}: {driver}" for key, driver in sorted(far.items()))
            yield MaestroError(
                f"this host does not reach {service}{through}: it is in none of its networks "
                f"({shown})",
                where=place,
                fix=_FIX,
            )


def unread(model: Compose, extension: Extension) -> list[str]:
    """Warnings about services that say another proxy's way where their requests come from.

    Only `x-maestro.routes` leads to a service; without, it would run and nobody would reach it.
    """
    routed = {str(route["service"]) for route in _entries(extension, "routes")}
    if any(map(_reads_the_engine, model["services"].values())):
        return []  # a proxy of its own
    return [
        f"services.{name}: the edge does not read {said}, and no request reaches {name} by it: "
        f"name the service in {EXTENSION}.routes"
        for name, service in sorted(model["services"].items())
        if name not in routed and (said := _for_another_proxy(service))
    ]


def _for_another_proxy(service: Service) -> str:
    """The first key that Traefik, caddy-docker-proxy or nginx-proxy would take a route from."""
    labels = {**(service.get("labels") or {})}
    if str(labels.get("traefik.enable", "true")).lower() == "false":
        return ""
    for name in sorted(labels):
        if name.startswith(("traefik.http.", "traefik.tcp.")) or re.fullmatch(
            "caddy(_[0-9]+)?", name
        ):
            return f"the label {name}"
    # Others have a variable of this name for something else: a virtual host of a message broker.
    host = str((service.get("environment") or {}).get("VIRTUAL_HOST") or "")
    return "the variable VIRTUAL_HOST" if "." in host else ""


def _reads_the_engine(service: Service) -> bool:
    """Whether it may be a proxy that finds its routes at the Engine."""
    mounts = service.get("volumes") or []
    return any(str(mount.get("source", "")).endswith("/docker.sock") for mount in mounts)


def named(routes: Iterable[Route], model: Compose, extension: Extension) -> list[Route]:
    """Routes as a manifest keeps them, with the host's name of the network they name."""
    found: list[Route] = []
    for route, said in zip(routes, extension.get("routes") or [], strict=True):
        key = str(said.get("network") or "")
        defined = (model.get("networks") or {}).get(key) or {}
        found.append({**route, "network": str(defined.get("name") or key)} if key else route)
    return found


def _asked(extension: Extension) -> Iterable[tuple[str, str, str]]:
    """Where a service is asked for at a port of its own, and the network that is named there."""
    for number, route in enumerate(_entries(extension, "routes")):
        yield f"routes[{number}]", str(route["service"]), str(route.get("network") or "")
    for where, service in smoke.at_a_port(extension.get("smoke")):
        yield where, service, ""


def _entries(extension: Extension, key: str) -> Sequence[Entry]:
    entries = extension.get(key)
    found = entries if isinstance(entries, list) else []
    return [entry for entry in found if isinstance(entry, dict)]


def _owner(service: str, services: Mapping[str, Service]) -> tuple[str, bool]:
    """In whose network a service lives in the end, and whether that is another one's."""
    owner, seen = service, {service}
    while next_one := borrowing.namespaces(services[owner]).get("network_mode"):
        if next_one in seen or next_one not in services:
            break
        seen.add(next_one)
        owner = next_one
    return owner, owner != service


def _driver(key: str, model: Compose, there: Resources) -> str:
    defined = (model.get("networks") or {}).get(key) or {}
    if defined.get("external"):
        live = there.networks.get(str(defined.get("name") or key))
        return live.driver if live else ""
    return str(defined.get("driver") or "bridge")


def _not_on(place: str, service: str, network: str, on: Sequence[str]) -> MaestroError:
    return MaestroError(
        f"{service} is not on the network {network}",
        where=f"{place}.network",
        fix=f"allowed: {', '.join(on)}" if on else "remove `network`: it has none to choose from",
    )
