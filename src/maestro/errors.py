"""The errors Maestro reports: each says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple


class Line(NamedTuple):
    """What to write into a file of the stack: the keys that lead to it, and what stands there.

    A list under ``x-maestro`` is added to what is there; any other value takes the place of what
    is. ``file`` is empty for the stack's own file.
    """

    path: tuple[str, ...]
    value: Any
    file: str = ""


class MaestroError(Exception):
    """An error a user can act on.

    ``what`` is the fact, ``where`` the file, key, host or service it was found at,
    ``fix`` the next step, ``lines`` what to write. None of them may hold a secret's value.
    """

    def __init__(
        self, what: str, *, where: str = "", fix: str = "", lines: Iterable[Line] = ()
    ) -> None:
        self.lines = tuple(lines)
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  -> {self.fix}" if self.fix else text


class MaestroErrors(MaestroError):
    """Several problems found in one look; all are shown at once."""

    def __init__(self, problems: list[MaestroError]) -> None:
        self.problems = problems
        lines = [line for problem in problems for line in problem.lines]
        super().__init__("\n".join(str(problem) for problem in problems), lines=lines)


def raise_all(problems: list[MaestroError]) -> None:
    """Raise what was found: nothing, the one problem, or all of them together."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise MaestroErrors(problems)
