"""What an account that may only look is told: status, history and logs.

Such an account runs this as root, by a rule of sudo for one command line. So nothing it says is
believed: of a question only the parameters below are taken, and the directory of the stacks is
the host's. A plan is no such question: Compose reads any file that a stack's file names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import steps

# Each step that only looks, with its parameters and what they are where they are not given.
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "overview": {"stack": "", "security": False},
    "journal": {"stack": "", "last": 50},
    "logs": {"stack": "", "services": [], "since": "", "tail": "100", "timestamps": False},
}
LONGEST = 64 << 10  # characters of a question


@dataclass(frozen=True)
class Question:
    """``program`` is the identity of the build that the caller has."""

    step: str
    program: str
    params: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> Question:
        """Raises `MaestroError` where the text is no question that may be asked."""
        try:
            given = json.loads(text)
            step, program = str(given["step"]), str(given["program"])
            asked = dict(given["params"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise MaestroError("this is not a question", fix="ask by a playbook") from None
        if step not in QUESTIONS:
            raise MaestroError(
                f"{step!r} is not allowed: this account may only look",
                fix="use maestro.stacks.status, history.yml or logs.yml",
            )
        params = {key: asked.get(key, default) for key, default in QUESTIONS[step].items()}
        for key, value in params.items():
            if not _alike(value, QUESTIONS[step][key]):
                raise MaestroError(f"the parameter {key} is malformed", fix="ask by a playbook")
        return cls(step, program, params)


def answer(question: Question, root: Path) -> dict[str, Any]:
    """What the step answers of the host's own stacks."""
    return steps.take(question.step, {**question.params, "root": str(root)})


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return type(value) is type(default)
