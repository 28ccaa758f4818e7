"""Hold a host back when another one failed a step: a release goes in everywhere or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import MaestroError
from . import registered

HELD_BACK = "held back: "  # how the reason of such a failure begins


def check(asked: Mapping[str, Any] | None, task_vars: Mapping[str, Any]) -> None:
    """Raise unless what was registered as ``steps`` is a success on all ``hosts``.

    A skipped step counts as one: the host had nothing to do in it.
    """
    if not asked:
        return
    missing = [
        host
        for host in asked["hosts"]
        if not all(_passed(registered.of(task_vars, host, step)) for step in asked["steps"])
    ]
    if missing:
        raise MaestroError(
            f"{HELD_BACK}{', '.join(missing)} failed",
            fix="a release goes in on every host or on none; see the failed host's message",
        )


def _passed(step: Any) -> bool:
    return bool(step) and not step.get("failed") and not step.get("unreachable")
