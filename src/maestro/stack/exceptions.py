"""Exceptions from what a stack may not do: of the stack's file, and of an environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Compose, Exceptions

VARIABLE = "deploy_allow"
_NEEDED, _KEYS = ("rule", "reason"), ("rule", "stack", "service", "reason")


@dataclass(frozen=True)
class Allowed:
    """One exception; without a ``service`` it is for all of them.

    ``by`` is the environment that makes it, empty where the stack's file does.
    """

    rule: str
    service: str
    reason: str
    by: str = ""

    def shown(self) -> str:
        """As a plan tells it."""
        return f"allowed as {self.rule}{f' in {self.by}' if self.by else ''}: {self.reason}"


@dataclass(frozen=True)
class Made:
    """An exception that is made use of; ``text`` says what of."""

    rule: str
    text: str


def of_stack(model: Compose) -> list[Allowed]:
    """What the stack's author allows by name."""
    entries = (model.get("x-maestro") or {}).get("allow") or []
    return [
        Allowed(str(item["rule"]), str(item.get("service") or ""), str(item["reason"]))
        for item in entries
    ]


def of_environment(entries: Exceptions, environment: str, stack: str) -> tuple[Allowed, ...]:
    """What an environment allows this stack, see `checked`."""
    return tuple(
        Allowed(item["rule"], item.get("service", ""), item["reason"], environment)
        for item in entries
        if item.get("stack", stack) == stack
    )


def checked(said: object, rules: Iterable[str]) -> Exceptions:
    """An environment's exceptions as its variables have them; `MaestroError` for all mistakes."""
    if not isinstance(said, list):
        raise MaestroError("is not a list", where=VARIABLE, fix=_FORM)
    known = sorted(rules)
    found: Exceptions = []
    for number, item in enumerate(said):
        where = f"{VARIABLE}[{number}]"
        texts = isinstance(item, dict) and all(
            isinstance(value, str) and value.strip() for value in item.values()
        )
        if not texts or set(_NEEDED) - set(item) or set(item) - set(_KEYS):
            raise MaestroError("is no exception", where=where, fix=_FORM)
        if item["rule"] not in known:
            raise MaestroError(
                f"unknown rule {item['rule']!r}", where=where, fix=f"allowed: {', '.join(known)}"
            )
        found.append({str(key): str(value) for key, value in item.items()})
    return found


_FORM = "write {rule: RULE, reason: WHY} for each; with stack: NAME or service: NAME for one alone"
