"""How many requests of a stack the edge has answered, and how many of them with an error.

Source: Traefik's metric of routers, in its reference: https://doc.traefik.io/traefik/reference/
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from . import edge, edge_api
from .edge_traefik import stack_of

_LINE = re.compile(r"traefik_router_requests_total\{(?P<labels>.*)\} (?P<number>[0-9.e+]+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Requests:
    """Requests to one stack; those with a status of 500 and above have ``failed``."""

    failed: int = 0
    all: int = 0

    def since(self, before: Requests) -> Requests | None:
        """What came after ``before``; None where the edge has begun to count anew meanwhile."""
        if self.all < before.all or self.failed < before.failed:
            return None
        return Requests(self.failed - before.failed, self.all - before.all)


def watched(stack: str) -> Callable[[], dict[str, Any]]:
    """What tells how many ``requests`` to a stack came since now; nothing where nobody knows."""
    before = answered(stack)

    def since() -> dict[str, Any]:
        after = answered(stack) if before else None
        came = after.since(before) if before and after else None
        return {"requests": asdict(came)} if came else {}

    return since


def answered(stack: str) -> Requests | None:
    """The requests to a stack since its edge was started; None where that cannot be known."""
    if not edge.installed():
        return None
    try:
        status, text = edge_api.ask(edge.DIRECTORY, int(edge.settings()["api_port"]), "/metrics")
    except (OSError, http.client.HTTPException):
        return None
    return counted(stack, text.splitlines()) if status == 200 else None


def counted(stack: str, lines: Iterable[str]) -> Requests:
    """The requests to a stack in the lines of Traefik's metrics."""
    failed = every = 0
    for line in lines:
        found = _LINE.match(line)
        labels = dict(_LABEL.findall(found["labels"])) if found else {}
        if found and stack_of(labels.get("router", "").removesuffix("@file")) == stack:
            number = int(float(found["number"]))
            every += number
            failed += number if labels.get("code", "").startswith("5") else 0
    return Requests(failed, every)
