"""What a plan is made of: one step for each service, and all that happens on a host."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from . import networks
from .reasons import Reason

if TYPE_CHECKING:
    from ..records import Migration, Pull

# What happens to a secret, a route, or a name on the host.
Fate = Literal[
    "new",
    "changed",
    "removed",
    "rotated",
    "newest, the old value was destroyed",
    "shared",
    "no longer shared",
]
CREATE, REPLACE, START, RESTART, SCALE, REMOVE, KEEP = (
    "create",
    "replace",
    "start",
    "restart",
    "scale",
    "remove",
    "keep",
)


@dataclass(frozen=True)
class Step:
    """What happens to one service, and why."""

    action: str
    service: str
    reasons: tuple[Reason, ...] = ()
    # How a service is replaced: `start-first` or `stop-first`.
    order: str = ""

    def because(self, *names: str) -> bool:
        """Whether one of these is a reason, see `reasons`."""
        return any(reason.name in names for reason in self.reasons)


@dataclass(frozen=True)
class Setting:
    """Something that a release records, that differs and that no container shows.

    ``about`` is a service, with the ``keys`` of it that differ, or a check.
    """

    about: str
    fate: Fate = "changed"
    keys: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """A line of the plan."""
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        return f"{self.about}{keys} ({self.fate})"


@dataclass(frozen=True)
class Besides:
    """What a removal does to something that is no service."""

    action: str
    what: str

    @property
    def shown(self) -> str:
        """A line of the plan."""
        return f"{self.action:<9} {self.what}"


@dataclass
class Plan:
    """All that happens on one host; an empty plan changes nothing."""

    host: str
    stack: str
    environment: str
    release: str
    version_before: str
    version: str
    steps: list[Step] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)
    secrets: dict[str, Fate] = field(default_factory=dict)
    routes: dict[str, Fate] = field(default_factory=dict)
    # What is shared with other stacks from now on, or no longer, see `names.share_changes`.
    shares: dict[str, Fate] = field(default_factory=dict)
    networks: list[networks.Anew] = field(default_factory=list)
    # What the release records and no container shows, where it differs, see `settings.changes`.
    settings: list[Setting] = field(default_factory=list)
    # The kept release that is gone back to; empty in a deploy.
    back_to: str = ""
    # What a removal takes away besides services, and what it leaves.
    removals: list[Besides] = field(default_factory=list)
    # What this deploy does, or does not guard against, that an operator should know before it.
    warnings: list[str] = field(default_factory=list)
    # What the stack may not do, and is allowed by name.
    exceptions: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether a deploy would change anything on this host."""
        moved = any(step.action != KEEP for step in self.steps)
        more = bool(self.migrations or self.secrets or self.routes or self.shares)
        more = more or bool(self.networks or self.settings or self.back_to)
        more = more or any(item.action == REMOVE for item in self.removals)
        return moved or more or self.version != self.version_before

    def services(self, *actions: str) -> list[str]:
        """The services one of these actions is meant for."""
        return [step.service for step in self.steps if step.action in actions]

    def as_dict(self) -> dict[str, object]:
        """The plan as plain data, for variables and for its hash."""
        return {**asdict(self), "changes": self.changes}
