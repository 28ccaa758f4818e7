"""Problems that were found before a host was spoken to: they are told with all the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import Line, MaestroError
from .wanted import Inputs, once

if TYPE_CHECKING:
    from ..records import ProblemFacts


def problems(inputs: Inputs) -> list[MaestroError]:
    """Those of the request, then those of hosts that read the stack with values of their own."""
    found = of(inputs.request.get("problems") or ())
    said = {str(problem) for problem in found}
    of_hosts = {
        host: [
            problem
            for problem in of(state["own"].get("problems") or ())
            if str(problem) not in said
        ]
        for host, state in inputs.states.items()
        if "own" in state
    }
    return [*found, *once(of_hosts, list(inputs.states))]


def of(facts: Iterable[ProblemFacts]) -> list[MaestroError]:
    """Problems from their facts, see `play.problems`."""
    return [
        MaestroError(
            fact["what"],
            where=fact["where"],
            fix=fact["fix"],
            lines=[Line(tuple(path), value, file) for path, value, file in fact["lines"]],
        )
        for fact in facts
    ]
