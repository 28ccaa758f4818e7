"""How a service's containers are exchanged: decided on what is there, without touching it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .rules import START_FIRST, Rules

BESIDE = "beside"  # the new one starts first and takes over the requests
IN_TURN = "in turn"  # stop-first, some of the replicas after the others
IN_PLACE = "in place"  # stop-first: Compose replaces what it finds changed
ANEW = "anew"  # the same for all containers, also where Compose sees no change


@dataclass(frozen=True)
class Seen:
    """A container of a service, held against what is wanted of it.

    ``same``: made from the wanted definition. ``stays``: and nothing else is wrong with it.
    ``keeps``: it has data in a volume without a name, which Compose alone hands on. ``alone``: no
    second one may run beside it. ``stranger``: made by hand, so that it must be possible to
    bring it back.
    """

    id: str
    running: bool = True
    same: bool = False
    stays: bool = False
    keeps: bool = False
    alone: bool = False
    stranger: bool = False


@dataclass(frozen=True)
class Way:
    """How one service is exchanged; the containers that go ``first``, before any starts."""

    kind: str
    first: tuple[str, ...] = ()


def way(
    there: Sequence[Seen], rules: Rules, replicas: int, *, job: bool = False, stranded: bool = False
) -> Way:
    """The way of a service with these containers.

    ``stranded``: one of them is stopped and cannot start, for its network is gone.
    """
    if starts_beside(there, rules, replicas, job=job):
        # Compose would start what does not run.
        return Way(BESIDE, tuple(item.id for item in there if not item.running))
    stale = [item for item in there if not item.stays]
    strangers = tuple(item.id for item in stale if item.stranger)
    if any(item.keeps for item in there):
        unseen = any(item.same for item in stale) or strangers or stranded
        return Way(ANEW, strangers) if unseen else Way(IN_PLACE)
    if stale and len(there) > 1 and 0 < rules.parallelism < replicas:
        return Way(IN_TURN)
    # Compose keeps what is right but would keep what is sick as well, and it replaces what was
    # made by hand without a way back.
    return Way(IN_PLACE, tuple(item.id for item in stale if item.same or item.stranger))


def starts_beside(there: Sequence[Seen], rules: Rules, replicas: int, *, job: bool = False) -> bool:
    """Whether a service starts first and has a running container to start beside."""
    running = [item for item in there if item.running]
    if rules.order != START_FIRST or job or not running or any(item.alone for item in running):
        return False
    # What is right and merely stopped is started again, as the plan says.
    complete = len(there) == replicas and all(item.stays for item in there)
    return len(running) == len(there) or not complete


@dataclass
class Exchange:
    """One service on its way from its ``old`` containers to new ones, portion by portion.

    ``live`` are the containers that are as wanted. ``failed`` counts new ones that are not, and
    that the rules tolerate: they take the place of one.
    """

    rules: Rules
    replicas: int
    live: list[str]
    old: list[str]
    failed: int = 0

    @classmethod
    def of(cls, there: Sequence[Seen], rules: Rules, replicas: int) -> Exchange:
        """The exchange of a service with these containers."""
        live = [item.id for item in there if item.stays]
        return cls(rules, replicas, live, [item.id for item in there if not item.stays])

    @property
    def left(self) -> int:
        """How many new containers are still to come."""
        return max(self.replicas - len(self.live) - self.failed, 0)

    @property
    def serving(self) -> list[str]:
        """The containers that get the requests."""
        return [*self.live, *self.old]

    def came(self, new: Iterable[str], bad: Collection[str]) -> None:
        """New containers started, some of them ``bad``."""
        good = [container for container in new if container not in bad]
        self.live += good
        self.failed += len(bad)

    def retired(self) -> list[str]:
        """Start-first: the old containers whose places are taken; they leave ``old``."""
        leaving = self.old[: len(self.old) - min(self.left, len(self.old))]
        self.old = self.old[len(leaving) :]
        return leaving + self._surplus()

    def making_room(self) -> list[str]:
        """Stop-first: the old containers that go next; they leave ``old``."""
        count = self.rules.batch(len(self.old))
        leaving, self.old = self.old[:count], self.old[count:]
        return leaving if self.old else leaving + self._surplus()

    @property
    def room(self) -> int:
        """Stop-first: how many new containers may start now."""
        return max(self.left - len(self.old), 0)

    def _surplus(self) -> list[str]:
        if self.left:
            return []
        leaving, self.live = self.live[self.replicas :], self.live[: self.replicas]
        return leaving
