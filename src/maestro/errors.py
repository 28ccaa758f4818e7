"""The errors Maestro reports: each says what was wrong, where, and what to do."""

from __future__ import annotations


class MaestroError(Exception):
    """An error a user can act on.

    ``what`` is the fact, ``where`` the file, key, host or service it was found at,
    ``fix`` the next step. None of the three may hold a secret's value.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
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
        super().__init__("\n".join(str(problem) for problem in problems))


def raise_all(problems: list[MaestroError]) -> None:
    """Raise what was found: nothing, the one problem, or all of them together."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise MaestroErrors(problems)
