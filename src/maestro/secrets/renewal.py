"""Which secrets of a stack get new values, and which of them are made at random."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import MaestroError

RANDOM_BYTES = 32
"""256 bits, written as 64 hexadecimal digits: safe in a URL, a shell and a header."""


# What `maestro secrets init` makes: 256 bits as hexadecimal digits.
MADE = re.compile(rf"[0-9a-f]{{{2 * RANDOM_BYTES}}}\Z")


@dataclass(frozen=True)
class Choice:
    """Names that are rotated, those of them that get a random value, and what is said of it."""

    names: list[str]
    fresh: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose(
    asked: Sequence[str], of_stack: Sequence[str], own: Mapping[str, object] | None, where: str
) -> Choice:
    """Which secrets to rotate; no name means all that can be.

    ``of_stack`` are the secrets the stack's services read. ``own`` are the values of the stack's
    own vault file, `None` for a source Maestro cannot write: there the value found now counts.
    """
    unknown = sorted(set(asked) - set(of_stack))
    if unknown:
        raise MaestroError(
            f"no service of the stack reads {', '.join(unknown)}",
            where="-e secret",
            fix=f"its secrets are: {', '.join(of_stack) or 'none'}",
        )
    names = sorted(set(asked) or set(of_stack))
    if own is None:
        return Choice(names)
    elsewhere = [name for name in names if name not in own]
    if asked and elsewhere:
        raise MaestroError(
            f"{', '.join(elsewhere)} does not stand in {where} but in the environment's own file, "
            "which other stacks read",
            where="-e secret",
            fix=f"maestro secrets set {elsewhere[0]} --environment ENVIRONMENT, then deploy "
            "each stack that reads it",
        )
    fresh = [name for name in names if name in own and (asked or _made(own[name]))]
    notes = [f"{name} stays: it is in the environment's own file" for name in elsewhere] + [
        f"{name} stays: Maestro did not make its value; name it (-e secret={name}) to have it "
        "replaced by a random one"
        for name in names
        if name in own and name not in fresh
    ]
    return Choice(fresh, fresh, notes)


def of_round(chosen: Mapping[str, Any], names: Sequence[str]) -> Choice:
    """What of a choice is for one round; ``chosen`` is a choice as data, with its ``rounds``."""
    fresh = [name for name in chosen["fresh"] if name in names]
    return Choice(list(names), fresh, chosen["notes"] if names == chosen["rounds"][0] else [])


def _made(value: object) -> bool:
    return isinstance(value, str) and bool(MADE.match(value))
