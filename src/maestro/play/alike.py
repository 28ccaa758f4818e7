"""Whether a host's variables say the same as the first host's, without resolving them.

To resolve a role's variables takes dozens of templates for each host, and mostly they say the same
on all. What they are made of is compared instead: the text of each, and of every variable that one
of these texts names.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import runs

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What reads variables without naming them, or a host's own file: such a text is resolved.
_OPEN = frozenset(("hostvars", "vars", "varnames", "lookup", "query", "q", "template"))
_PLAIN = (str, int, float, bool, type(None))


class _OfItsOwn(Exception):
    """What it says on this host cannot be told from its text."""


def mark(variables: Mapping[str, Any], names: Iterable[str]) -> str:
    """One mark for all that these variables are made of; empty where that cannot be said.

    ``variables`` are a task's, not resolved. Two hosts of a run with the same mark resolve these
    names to the same values. It tells nothing about them: its key dies with the run.
    """
    found: dict[str, Any] = {}
    open_names = list(names)
    try:
        while open_names:
            name = open_names.pop()
            if name in found or name not in variables:
                continue
            found[name] = _plain(variables[name])
            open_names.extend(_named(found[name]))
    except _OfItsOwn:
        return ""
    text = json.dumps(found, sort_keys=True)
    return hmac.new(runs.key(), text.encode(), hashlib.sha256).hexdigest()


def same(asked: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    """Whether this host's variables say what those of the first did.

    ``asked`` is what the step `request` answered there.
    """
    mine = mark(variables, [*asked["arguments"], asked["own"]])
    return bool(mine) and mine == asked["alike"]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    # An encrypted value is none of these.
    if not isinstance(value, _PLAIN):
        raise _OfItsOwn
    return value


def _named(value: Any) -> Iterator[str]:
    """The words of every template in it: each may be a variable."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _named(item)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        words = set(_WORD.findall(value))
        if words & _OPEN:
            raise _OfItsOwn
        yield from words
