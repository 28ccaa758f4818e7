"""Redacts values: mappings, lists, pairs of name and value, environment lists, command lines."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import cmdline, keys, rules, values
from .lazy import Lazy

_SCHEME = Lazy(r"(?:basic|bearer|token|digest|apikey)\s+", re.IGNORECASE)
_DEEPEST = 100
_NAMES = ("name", "Name", "key", "Key", "NAME", "KEY")
_VALUES = ("value", "Value", "VALUE")


class Walker:
    """Walks a value and redacts every text in it."""

    def __init__(self, text: Callable[[str], str], mask: str, *, unknown: bool) -> None:
        self._text = text
        self._mask = mask
        self._unknown = unknown

    def walk(self, value: object, key: str = "", depth: int = 0) -> object:
        """Return the value redacted; what needs no change comes back as it is."""
        if value is None or isinstance(value, bool):
            return value
        if depth > _DEEPEST:
            return self._mask
        secret = self._unknown and bool(key) and keys.is_secret(key)
        if isinstance(value, str):
            return self._string(value, key, secret=secret)
        if isinstance(value, (bytes, bytearray)):
            text = bytes(value).decode("utf-8", "surrogateescape")
            clean = self._string(text, key, secret=secret)
            return value if clean == text else clean.encode("utf-8", "surrogateescape")
        if isinstance(value, (int, float)):
            return self._number(value, key, secret=secret)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._sequence(value, key, depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._record(value, depth)
        text = str(value)
        clean = self._text(text)
        return value if clean == text else clean

    def _record(self, value: Any, depth: int) -> object:
        """Return a dataclass with its fields redacted."""
        changes = {}
        for field in dataclasses.fields(value):
            old = getattr(value, field.name)
            new = self.walk(old, field.name, depth + 1)
            if new is not old:
                changes[field.name] = new
        return dataclasses.replace(value, **changes) if changes else value

    def _string(self, value: str, key: str, *, secret: bool) -> str:
        if secret and not values.is_harmless(value, key, quoted=True):
            scheme = _SCHEME.match(value) if key.lower().endswith("authorization") else None
            return f"{scheme.group()}{self._mask}" if scheme else self._mask
        return self._text(value)

    def _number(self, value: float, key: str, *, secret: bool) -> object:
        text = str(value)
        if secret and not values.is_harmless(text, key, quoted=True):
            return self._mask
        clean = self._text(text)
        return value if clean == text else clean

    def _mapping(self, value: Mapping[object, object], depth: int) -> object:
        named = self._named(value)
        changed = False
        made: dict[object, object] = {}
        kind = value.get("kind")
        sealed = ("data", "stringData") if self._unknown and kind == "Secret" else ()
        for name, inner in value.items():
            clean_name = self._text(name) if isinstance(name, str) else name
            if clean_name != name:
                while clean_name in made:
                    clean_name = f"{clean_name}*"
            if named and name in _VALUES:
                clean = self.walk(inner, named, depth + 1)
            elif name in sealed and isinstance(inner, Mapping):
                clean = {k: v if v in (None, "") else self._mask for k, v in inner.items()}
            elif (
                name == "auth"
                and isinstance(inner, str)
                and self._unknown
                and rules.is_login(inner)
            ):
                clean = self._mask
            else:
                clean = self.walk(inner, name if isinstance(name, str) else "", depth + 1)
            made[clean_name] = clean
            changed = changed or clean is not inner or clean_name is not name
        return made if changed else value

    def _named(self, value: Mapping[object, object]) -> str:
        """Return the name in a pair of name and value."""
        if self._unknown and any(each in value for each in _VALUES):
            for each in _NAMES:
                name = value.get(each)
                if isinstance(name, str):
                    return name
        return ""

    def _sequence(
        self, value: Sequence[object] | set[object] | frozenset[object], key: str, depth: int
    ) -> object:
        items = list(value)
        hidden: dict[int, str] = {}
        if (
            self._unknown
            and len(items) > 1
            and isinstance(value, (list, tuple))
            and isinstance(items[0], str)
        ):
            hidden = cmdline.redact_argv(
                [item if isinstance(item, str) else "" for item in items], self._mask
            )
        clean = [
            self.walk(hidden.get(number, item), key, depth + 1)
            if number in hidden
            else self.walk(item, key, depth + 1)
            for number, item in enumerate(items)
        ]
        if all(new is old for new, old in zip(clean, items, strict=True)):
            return value
        if isinstance(value, tuple):
            make: Callable[..., object] | None = getattr(type(value), "_make", None)
            return make(clean) if make else tuple(clean)
        if isinstance(value, (set, frozenset)):
            return type(value)(clean)
        return clean
