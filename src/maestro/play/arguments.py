"""The variables of a role against its ``meta/argument_specs.yml``, without a task for it.

Ansible's own check is a task of its own for each host, which costs a process. A step that is
taken on every host anyway checks what is that host's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import MaestroError, raise_all
from . import values

Options = Mapping[str, Mapping[str, Any]]
# Whatever is given is a text, or can be shown as one.
_TEXTS = ("str", "raw", "path")


def of_role(path: Path) -> dict[str, dict[str, Any]]:
    """The options of a role that may be wrong: those that are no texts, without their words."""
    text = (path / "meta/argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return {
        name: {key: facts[key] for key in ("type", "elements", "choices") if key in facts}
        for name, facts in options.items()
        if "choices" in facts or facts.get("type", "str") not in _TEXTS
    }


def check(options: Options, variables: Mapping[str, Any], resolve: Callable[[Any], Any]) -> None:
    """Raise `MaestroError` for every variable that is not what its option says.

    ``resolve`` gives the value of a variable as it stands among a task's ``variables``.
    """
    problems = []
    for name in options.keys() & variables.keys():
        try:
            values.checked(resolve(variables[name]), dict(options[name]), name)
        except MaestroError as problem:
            problems.append(problem)
    raise_all(sorted(problems, key=lambda problem: problem.where or ""))
