"""What messages about a file say of words and values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return what to write instead: the word that comes closest, or all that are known."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(found, allowed, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def kind_of(value: Any) -> str:
    """Return what a value is, in the words of somebody who writes YAML."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true/false",
        type(None): "nothing",
    }
    kind = next((name for type_, name in names.items() if isinstance(value, type_)), "a number")
    return f"{kind} ({value!r})" if isinstance(value, (str, int, float, bool)) else kind
