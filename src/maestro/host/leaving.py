"""How the containers of a stack go: drained, stopped in their order, removed or kept aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import adoption
from .containers import of_stack
from .labels import SERVICE
from .standing import Standing
from .strangers import among
from .traffic import Traffic

if TYPE_CHECKING:
    from ..records import ServiceFacts


@dataclass(frozen=True)
class Leaving:
    """Takes containers away; ``check`` raises where the stack is no longer ours to change."""

    standing: Standing
    traffic: Traffic
    check: Callable[[], None]

    def stop(self, services: Sequence[str], levels: Sequence[Sequence[str]] = ()) -> None:
        """Stop and remove the containers of services, and of those that borrow of them.

        The last of the ``levels`` in which services start stops first, all of one level at once.
        One with data in a volume without a name is not removed: Compose takes it over from there.
        """
        rank = {name: number for number, level in enumerate(levels) for name in level}
        groups: dict[int, list[Mapping[str, Any]]] = {}
        wanted = {*services, *self.standing.borrowed.borrowers(services)}
        for item in self._all() if wanted else ():
            if (name := item["Labels"].get(SERVICE)) in wanted:
                groups.setdefault(rank.get(name, len(levels)), []).append(item)
        for _, leaving in sorted(groups.items(), reverse=True):
            self.check()
            with ThreadPoolExecutor(len(leaving)) as pool:
                list(pool.map(self.put_away, leaving))

    def put_away(self, item: Mapping[str, Any]) -> None:
        """Stop a container of the listing, and remove it unless it keeps data without a name.

        Compose hands such data on to what it makes in the container's place; what was made by
        hand can be brought back.
        """
        keeps = self.standing.keeps(item)
        if keeps and not self.standing.stranger(item):
            self.standing.engine.stop(str(item["Id"]))
        else:
            self._away(str(item["Id"]), stranger=self.standing.stranger(item), stays=keeps)

    def retire(self, containers: Mapping[str, str]) -> None:
        """Let containers (id to service) finish what they do, then stop and remove them."""
        if not containers:
            return
        self.check()
        self.traffic.drain(containers)
        found = among(self.standing.engine, self.standing.layout, self.standing.ours)
        strangers = {str(item["Id"]) for item in found}
        with ThreadPoolExecutor(len(containers)) as pool:
            list(pool.map(lambda item: self._away(item, stranger=item in strangers), containers))

    def remove(self, services: Iterable[str], *, strangers: bool = True) -> list[str]:
        """Stop and remove the containers of services; the names of those that had any.

        Without ``strangers`` those that no release made stay.
        """
        there = {
            str(item["Id"]): name
            for name in services
            for item in self.standing.of(name)
            if strangers or not self.standing.stranger(item)
        }
        self.retire(there)
        return sorted(set(there.values()))

    def leave(self, services: Mapping[str, ServiceFacts], aside: Iterable[str]) -> None:
        """Remove what releases brought that is none of ``services``; nothing made by hand.

        Of the services ``aside`` only what is as it shall be stays.
        """
        leaving = {}
        for item in self._all():
            name = str(item["Labels"].get(SERVICE, ""))
            gone = name not in services or (name in aside and not self.standing.same(item, name))
            if gone and not self.standing.stranger(item):
                leaving[str(item["Id"])] = name
        self.retire(leaving)

    def _all(self) -> list[dict[str, Any]]:
        return of_stack(self.standing.engine, self.standing.layout.stack)

    def _away(self, container: str, *, stranger: bool, stays: bool = False) -> None:
        """Stop and remove one; what was made by hand can be brought back."""
        there = self.standing
        if stranger:
            release = there.aim.release
            adoption.set_aside(there.layout, release, there.engine, container, stays=stays)
        else:
            there.engine.remove(container)
