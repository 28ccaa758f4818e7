"""What the last line of a run needs to know of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from .records import CREATE, KEEP, REMOVE, REPLACE, RESTART, START, Plan

if TYPE_CHECKING:
    from ..records import Closing, Route
    from .rollout import Decision

WORDS = {CREATE: "created", REPLACE: "replaced", RESTART: "restarted", START: "started"}


def facts(decision: Decision, urls: Mapping[str, str]) -> Closing:
    """The facts of a decision; ``urls`` say where each host's edge is reached, if known."""
    plans = decision.plans
    first = plans[0] if plans else None
    changing = [plan for plan in plans if plan.changes]
    return {
        "stack": first.stack if first else "",
        "version": (changing or plans)[0].version if plans else "",
        "before": (changing or plans)[0].version_before if plans else "",
        "release": decision.release,
        "purpose": _purpose(decision, changing),
        "moved": _moved(changing),
        "urls": _urls(decision, urls),
    }


def _purpose(decision: Decision, changing: Sequence[Plan]) -> str:
    work = decision.hosts.get(changing[0].host) if changing else None
    return work["claim"]["purpose"] if work else ""


def _moved(plans: Sequence[Plan]) -> dict[str, list[str]]:
    """What happens to which services, over all hosts."""
    found: dict[str, list[str]] = {}
    for plan in plans:
        for step in plan.steps:
            if step.action == KEEP:
                continue
            word = WORDS.get(step.action, "removed" if step.action == REMOVE else "scaled")
            there = found.setdefault(word, [])
            if step.service not in there:
                there.append(step.service)
    return found


def _urls(decision: Decision, urls: Mapping[str, str]) -> list[str]:
    found: dict[str, None] = {}
    for host, work in decision.hosts.items():
        edge = urlsplit(urls.get(host, ""))
        routes: list[Route] = cast("Mapping[str, Any]", work).get("routes") or []
        for route in routes:
            path = "" if route["path"] == "/" else route["path"]
            for name in (each for each in route["hosts"] if "*" not in each):
                port = f":{edge.port}" if edge.port and edge.port not in (80, 443) else ""
                found[f"{edge.scheme or 'https'}://{name}{port}{path}"] = None
            if not route["hosts"] and edge.netloc:
                found[f"{edge.scheme}://{edge.netloc}{path}"] = None
    return list(found)
