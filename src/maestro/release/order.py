"""In which order the services of a release start."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..stack import borrowing

if TYPE_CHECKING:
    from ..records import Compose


def levels(stack: str, model: Compose, active: Iterable[str]) -> list[list[str]]:
    """Services in levels: a level starts when all services before it are healthy."""
    names = set(active)
    graph = {name: sorted(_needs(model, name) & names) for name in sorted(names)}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        raise MaestroError(
            f"services need each other in a circle: {' -> '.join(error.args[1])}",
            where=f"{stack}/compose.yaml: depends_on",
            fix="remove one of these dependencies",
        ) from error
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.append(ready)
        sorter.done(*ready)
    return found


def needs_of(model: Compose, service: str, order: list[list[str]]) -> list[list[str]]:
    """The levels of ``order``, reduced to what ``service`` needs directly or through others."""
    wanted: set[str] = set()
    pending = [service]
    while pending:
        for other in _needs(model, pending.pop()) - wanted:
            wanted.add(other)
            pending.append(other)
    reduced = [[name for name in level if name in wanted] for level in order]
    return [level for level in reduced if level]


def _needs(model: Compose, name: str) -> set[str]:
    service = model["services"].get(name, {})
    return {*(service.get("depends_on") or {}), *borrowing.owners(service)}
