"""Problems on their way to the plan, where they are told together with those that hosts find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import MaestroError, MaestroErrors

if TYPE_CHECKING:
    from ..records import ProblemFacts


def as_facts(problems: Iterable[MaestroError]) -> list[ProblemFacts]:
    """As JSON has them."""
    return [
        {
            "what": problem.what,
            "where": problem.where,
            "fix": problem.fix,
            "lines": [[list(line.path), line.value, line.file] for line in problem.lines],
        }
        for problem in problems
    ]


def each(problem: MaestroError) -> list[MaestroError]:
    """The single ones of an error."""
    return problem.problems if isinstance(problem, MaestroErrors) else [problem]
