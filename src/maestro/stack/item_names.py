"""Names and numbers that Compose's schema does not take, refused before a host is asked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Written

# https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json: patternProperties
_NAME = re.compile(r"[a-zA-Z0-9._-]+\Z")
_LONGEST = 128  # with a stack's name before it, it names a directory of the Engine


def problems(document: Written, sections: Iterable[str], where: str) -> Iterator[MaestroError]:
    """Wrong names of services, networks and the like, and numbers that are none."""
    for section in sections:
        items = document.get(section)
        for name in items if isinstance(items, dict) else ():
            if isinstance(name, str) and not _NAME.match(name):
                yield MaestroError(
                    f"{name!a} cannot name one of {section}",
                    where=f"{where}: {section}",
                    fix="use letters (a to z), digits, '.', '_' and '-'",
                )
            elif len(str(name)) > _LONGEST:
                yield MaestroError(
                    f"a name has {len(str(name))} characters, more than {_LONGEST}",
                    where=f"{where}: {section}.{str(name)[:20]}...",
                    fix="choose a shorter one",
                )
        for path in _infinite(items, section):
            yield MaestroError(
                "found an infinite number or NaN",
                where=f"{where}: {path}",
                fix="write a finite number, or put the text into quotes",
            )


def _infinite(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            if not str(key).startswith("x-"):
                yield from _infinite(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _infinite(item, f"{path}[{number}]")
