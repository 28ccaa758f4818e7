"""What tells whether a service works, and the warning where nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..host.settle import WATCH
from ..stack.checks import unchecked

if TYPE_CHECKING:
    from ..records import Image, Manifest, RecoveryFacts, Route, ServiceFacts, State
    from .records import Plan
    from .wanted import Wanted


def of_plan(
    plan: Plan,
    state: State,
    services: Mapping[str, ServiceFacts],
    wanted: Wanted,
    images: Mapping[str, Image],
) -> list[str]:
    """All that a deploy's plan says of checks, and of the way back."""
    touched = [step.service for step in plan.steps if step.action not in ("keep", "remove")]
    unguarded = unchecked(wanted.model, wanted.extension, images, services)
    replaced = [step.service for step in plan.steps if step.action == "replace"]
    return [
        *behind(state.get("recovery") or {}),
        *gone(state["release"], state["images"], replaced),
        *warnings(services, unguarded, wanted.routes, touched),
    ]


def warnings(
    services: Mapping[str, ServiceFacts],
    unguarded: Iterable[str],
    routes: Iterable[Route],
    touched: Iterable[str],
) -> list[str]:
    """A line for each service that is replaced and that nothing checks.

    ``services`` are the facts of a rendered release.
    """
    new = set(touched)
    paths = {
        str(route["service"]): next(iter(route.get("health") or []), route.get("path") or "/")
        for route in routes
    }
    return [
        f"{name} has no health check and no smoke check: it counts as healthy when "
        + (
            f"GET {paths[name]} is answered with a status below 500"
            if name in paths
            else f"it has run for {WATCH:.0f} s without a restart"
        )
        for name in sorted(unguarded)
        if name in new and "job" not in services[name]
    ]


def gone(manifest: Manifest, images: Iterable[str], replaced: Iterable[str]) -> list[str]:
    """Services that could not be put back: the image of the running release is gone."""
    there = set(images)
    services = manifest.get("services") or {}
    lost = sorted(
        name for name in replaced if name in services and services[name]["image"] not in there
    )
    if not lost:
        return []
    text = (
        f"the image of {', '.join(lost)} in the running release is not on the host any "
        "more: if this deploy fails, it cannot be restored"
    )
    return [text]


def behind(recovery: RecoveryFacts) -> list[str]:
    """The same in a plan: nothing that changes with each try, for an approval is bound to it."""
    if not recovery:
        return []
    missing = ", ".join(sorted(filter(None, recovery["problems"]))) or "all of it"
    return [f"release {recovery['release']} could not be restored completely: {missing} is missing"]


def unrecovered(recovery: RecoveryFacts) -> list[str]:
    """What is said about a release that could not be restored completely."""
    if not recovery:
        return []
    wrong = "; ".join(str(text) for text in recovery["problems"].values())
    times = f"{recovery['attempts']} time{'s' if recovery['attempts'] != 1 else ''}"
    text = (
        f"release {recovery['release']} could not be restored completely (tried {times}): {wrong}; "
        "fix it and the host tries again by itself, or deploy a version that works"
    )
    return [text]
