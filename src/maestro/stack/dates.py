"""Dates in a stack's files: YAML's own, which Compose writes otherwise than its author did.

Compose 2.26 sets ``2024-01-01 00:00:00 +0000 UTC`` where a variable or a label says 2024-01-01, and
crashes where a command does; newer ones refuse all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Written

# What https://pkg.go.dev/gopkg.in/yaml.v3 takes for one: a time after T has a zone, one after a
# blank has none.
PATTERN = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(?:Z|[-+]\d{2}:\d{2})"
    r"|[ ](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?)?\Z"
)


class Date(str):
    """A value without quotes that YAML takes for a date; it is the text as it stands there."""

    __slots__ = ()


def read(text: str) -> str:
    """The date, or plain text where there is no such day; `ValueError` for another form."""
    found = PATTERN.match(text)
    if not found:
        raise ValueError
    try:
        datetime(*(int(part) for part in found.groups() if part), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return text
    return Date(text)


def problems(document: Written, sections: Iterable[str], where: str) -> list[MaestroError]:
    """Dates in the ``sections`` of a Compose file; keys that begin with ``x-`` may have them."""
    return [
        MaestroError(
            f"found the date {value}: Compose reads it as a moment, and does not pass on this text",
            where=f"{where}: {path}",
            fix=f'put it into quotes: "{value}"',
        )
        for section in sections
        for path, value in _dates(document.get(section), section)
    ]


def _dates(value: Any, path: str) -> Iterable[tuple[str, Date]]:
    if isinstance(value, Date):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if not str(key).startswith("x-"):
                yield from _dates(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _dates(item, f"{path}[{number}]")
