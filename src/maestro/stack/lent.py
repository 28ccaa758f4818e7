"""What a service gets of the host by living in another service's container.

``network_mode: service:vpn`` of a ``vpn`` on the host's network is the host's network; the same
for ``pid``, ``ipc`` and the mounts of ``volumes_from``. An exception for the owner is none for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..host.borrowed import VOLUMES
from . import borrowing

if TYPE_CHECKING:
    from ..records import Service
    from .isolation import Finding, Place

_Look = Callable[["Service", "Place"], Iterable["Finding"]]


def also_of_owners(look: _Look, key: str) -> _Look:
    """The rule ``look`` for a service and for whom it borrows from by ``key``, such as ``pid``."""

    def both(service: Service, place: Place) -> Iterator[Finding]:
        yield from look(service, place)
        for path, name in _owners(service, key):
            for owner in _chain(name, key, place):
                for found in look(place.model["services"][owner], place):
                    if found.exception:
                        what = f"{found.what} (services.{owner}{found.path})"
                        yield replace(found, path=path, what=what)

    return both


def _owners(service: Service, key: str) -> list[tuple[str, str]]:
    """The services that one borrows from, each with the place that says so."""
    if key == VOLUMES:
        return [
            (f".{key}[{number}]", name) for number, name in enumerate(borrowing.mounts_of(service))
        ]
    found = borrowing.namespaces(service)
    return [(f".{key}", found[key])] if key in found else []


def _chain(name: str, key: str, place: Place) -> list[str]:
    """A service, and those that it borrows from itself."""
    found: list[str] = []
    left = [name]
    while left:
        owner = left.pop()
        if owner not in found and owner in place.model["services"]:
            found.append(owner)
            left += [name for _, name in _owners(place.model["services"][owner], key)]
    return found
