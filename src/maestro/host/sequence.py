"""Several steps in one call: what needs no other host between them costs one round trip.

Each is what it is alone: checked, compared with the approval, and written down when it fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import lease, steps
from .layout import Layout
from .looking import Answer


def take(given: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Take steps, each with its ``step`` (name) and ``params``, up to the first that fails.

    Answers those that were taken. From the moment on that the run has the lease it is kept alive
    until the last has ended: not every step does that, and nobody else beats meanwhile.
    """
    answers: list[Answer] = []
    token = next((item["params"]["lease"] for item in given if "lease" in item["params"]), "")
    with contextlib.ExitStack() as alive:
        beats = False
        for item in given:
            name, params = str(item["step"]), item["params"]
            if token and not beats:
                stack = params["stack"] if "stack" in params else params["request"]["stack"]
                layout = Layout(Path(params["root"]), stack)
                found = lease.read(layout)
                if found and found.token == token:
                    alive.enter_context(lease.beating(layout, token, found.limit))
                    beats = True
            answers.append(steps.take(name, params))
            if answers[-1].get("failed"):
                break
    return answers
