"""Which containers get the requests of a stack's routes while its services are exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from . import address, edge, edge_users, health
from .containers import of_service
from .engine import Engine
from .layout import Layout

if TYPE_CHECKING:
    from ..records import Route

PATIENCE = 10.0  # seconds a container that is ready may take until it listens
Group = dict[str, Any]  # {"weight": int, "containers": [ids]}


class Traffic:
    """The routes of a stack between two releases.

    A service keeps the routes of the old release until `to` gives it containers of the new
    one; `settle` ends with the new release's routes alone.
    """

    def __init__(
        self,
        layout: Layout,
        engine: Engine,
        routes: Sequence[Route],
        *,
        strict: bool = True,
    ) -> None:
        self._layout = layout
        self._strict = strict
        self._engine = engine
        self._after = list(routes)
        found = edge.current(layout)
        self._before: list[Route] = list(found.get("routes") or [])
        self._groups: dict[str, list[Group]] = dict(found.get("groups") or {})
        self._via: dict[str, str] = dict(found.get("via") or {})
        self._moved: set[str] = set()

    def routed(self, service: str) -> bool:
        """Whether requests reach the service now, or will."""
        return any(route["service"] == service for route in [*self._before, *self._after])

    def canary(self, service: str) -> Mapping[str, Any]:
        """The route that wants the service's first new containers tried; empty without one."""
        return next(
            (route for route in self._after if route["service"] == service and route.get("canary")),
            {},
        )

    def to(self, groups: Mapping[str, list[Group]]) -> None:
        """Let the routes of these services send requests to these containers only."""
        groups = {name: found for name, found in groups.items() if self.routed(name)}
        if not groups:
            return
        self._moved |= set(groups)
        self._groups.update(groups)
        routes = [
            *(route for route in self._before if route["service"] not in self._moved),
            *(route for route in self._after if route["service"] in self._moved),
        ]
        self._assign(routes)

    def settle(self) -> None:
        """The new release's routes, and nothing else, to what runs of it."""
        if not self._after:
            if self._before:
                edge.withdraw(self._layout)
                edge_users.tidy(self._layout, [])
            return
        for name in {str(route["service"]) for route in self._after}:
            running = [
                str(item["Id"])
                for item in of_service(self._engine, self._layout.stack, name)
                if item["State"] == "running"
            ]
            if name not in self._moved:
                self._groups[name] = everything(running)
        self._assign(self._after)
        edge_users.tidy(self._layout, self._after)

    def drain(self, containers: Mapping[str, str]) -> None:
        """Wait until the requests these containers (id to service) still answer have ended.

        The edge sends them none any more. Each has the drain time of its route.
        """
        limits: dict[tuple[str, int], float] = {}
        for container, service in containers.items():
            for route in [*self._before, *self._after]:
                if route["service"] == service:
                    limits[container, int(route["port"])] = float(route["drain"])
        if limits:
            with ThreadPoolExecutor(len(limits)) as pool:
                list(
                    pool.map(
                        lambda item: edge.drain(self._layout, [item[0]], item[1]), limits.items()
                    )
                )

    def _assign(self, routes: Iterable[Route]) -> None:
        wanted = list(routes)
        served = {str(route["service"]) for route in wanted}
        groups = {name: found for name, found in self._groups.items() if name in served}
        if wanted:
            self._prove(wanted, groups)
            edge.assign(self._layout, wanted, groups, self._via, strict=self._strict)

    def addresses(self, containers: Iterable[str]) -> dict[str, str]:
        """Where the edge reaches these containers."""
        book = self._book(self._after)
        return {container: book.of(container) for container in containers}

    def reached(self, container: str) -> list[str]:
        """All addresses at which this host may reach a container, the chosen one first."""
        return [place.address for place in self._book(self._after).places(container)]

    def _book(self, routes: Iterable[Route]) -> address.Book:
        return address.book(
            self._engine, self._layout.stack, {"routes": list(routes), "via": self._via}
        )

    def _prove(self, routes: Sequence[Route], groups: Mapping[str, Sequence[Group]]) -> None:
        """Find out on which network each new container takes connections, or raise."""
        wanted = address.wanted(routes)
        known = {(route["service"], route["port"]) for route in self._before}
        asked = {
            str(route["service"])
            for route in routes
            if (route["service"], route["port"]) not in known
        }
        fresh = {
            container: service
            for service, parts in groups.items()
            for part in parts
            for container in part["containers"]
            if container not in self._via
            or service in asked
            or wanted.get(service, self._via[container]) != self._via[container]
        }
        if not fresh:
            return
        book = self._book(routes)
        for container, service in fresh.items():
            if container not in book.containers:
                continue
            ports = sorted({int(item["port"]) for item in routes if item["service"] == service})
            # One of the release before may know nothing of a port its service has from now on.
            strict = self._strict and (container not in self._via or service not in self._moved)
            patience = PATIENCE if strict else 0
            network, problem = address.prove(book, container, ports, patience)
            if network:
                self._via[container] = network
            elif strict:
                raise health.failure(
                    self._layout, self._engine, service, [container], f"its route: {problem}"
                )
        self._via = {key: name for key, name in self._via.items() if key in book.containers}


def everything(containers: Iterable[str]) -> list[Group]:
    """All requests to these containers, in equal parts."""
    return [{"weight": 100, "containers": list(containers)}]


def split(old: Iterable[str], new: Iterable[str], weight: int) -> list[Group]:
    """``weight`` percent of the requests to the new containers, the rest to the old ones."""
    return [
        {"weight": 100 - weight, "containers": list(old)},
        {"weight": weight, "containers": list(new)},
    ]
