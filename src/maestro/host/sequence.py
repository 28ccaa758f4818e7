"""Several steps in one call: what needs no other host between them costs one round trip.

Each is what it is alone: checked, compared with the approval, and written down when it fails.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import lease, steps
from .layout import Layout
from .looking import Answer

# What changes more than what lies beside the running release.
REPLACING = ("migrate", "up")
_STDOUT = 1
GONE = "the connection to the run that asked was closed: nothing was replaced\n  -> deploy again"


def take(given: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Take steps, each with its ``step`` (name) and ``params``, up to the first that fails.

    Answers those that were taken. Nothing is replaced for a run that is gone. From the moment on
    that the run has the lease it is kept alive until the last has ended: not every step does that,
    and nobody else beats meanwhile.
    """
    if _ended_before(given):
        return [{"changed": False, "removed": []}]
    answers: list[Answer] = []
    token = next((item["params"]["lease"] for item in given if "lease" in item["params"]), "")
    with contextlib.ExitStack() as alive:
        beats = False
        for item in given:
            name, params = str(item["step"]), item["params"]
            if answers and name in REPLACING and not _is_heard():
                # The switch ends what was begun. Whoever hears it nevertheless has to know.
                answers.append({"failed": True, "msg": GONE})
                break
            if token and not beats:
                layout = _layout(params)
                found = lease.read(layout)
                if found and found.token == token:
                    alive.enter_context(lease.beating(layout, token, found.limit))
                    beats = True
            answers.append(steps.take(name, params))
            if answers[-1].get("failed"):
                break
    return answers


def _is_heard() -> bool:
    """Whether somebody still waits for the answer; a closed connection closes its pipe."""
    line = select.poll()
    line.register(_STDOUT, 0)
    return not line.poll(0)


def _layout(params: Mapping[str, Any]) -> Layout:
    stack = params["stack"] if "stack" in params else params["request"]["stack"]
    return Layout(Path(params["root"]), stack)


def _ended_before(given: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these steps committed and gave the lease back, and nobody heard the answer.

    Ansible makes a call anew when its connection breaks. A release has an id of its own.
    """
    names = [item["step"] for item in given]
    if names != ["commit", "finish"]:
        return False
    params = given[0]["params"]
    layout = _layout(params)
    return lease.read(layout) is None and layout.current_id() == params["release"]
