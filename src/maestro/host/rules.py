"""The rules by which the containers of a service are exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records import ServiceFacts

START_FIRST, STOP_FIRST = "start-first", "stop-first"
UPDATE, ROLLBACK = "update", "rollback"


@dataclass(frozen=True)
class Rules:
    """``delay`` and ``monitor`` are seconds; ``parallelism`` 0 means all at once.

    ``max_failure_ratio`` is the share of new containers that may fail where ``on_failure``
    is ``continue``.
    """

    order: str = STOP_FIRST
    parallelism: int = 0
    delay: float = 0
    monitor: float = 0
    on_failure: str = ROLLBACK
    max_failure_ratio: float = 0
    # Seconds a new container must run without a restart, where the file says so by `monitor`.
    watch: float | None = None

    @classmethod
    def of(cls, service: ServiceFacts, kind: str) -> Rules:
        """The rules a release's manifest records for a service; an old one records none."""
        recorded: Mapping[str, Any] = service.get("exchange") or {}
        return cls(**recorded.get(kind, {}))

    def batch(self, left: int) -> int:
        """How many containers are exchanged next when ``left`` still are to be."""
        return min(self.parallelism or left, left)

    def tolerates(self, failed: int, replicas: int) -> bool:
        """Whether the service counts as updated with ``failed`` of its containers down."""
        return not failed or (
            self.on_failure == "continue" and failed / replicas <= self.max_failure_ratio
        )
