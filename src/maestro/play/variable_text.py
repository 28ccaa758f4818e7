"""Values of a stack's variables: text as it was written, or refused with the place it stands at.

YAML reads ``01234`` as 668, ``1.10`` as 1.1 and ``no`` as false: what was written is lost. Ansible
keeps where each value came from, so a whole number can be compared with what stands there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError, raise_all

try:
    # ansible-core 2.19 and newer; where it is not, or elsewhere, no value has a place.
    from ansible._internal._datatag._tags import Origin as _Origin
except ImportError:  # pragma: no cover
    _Origin = None

VARIABLES = "maestro_stack_variables"
_NAME = re.compile(r"^[A-Za-z_]\w*\Z", re.ASCII)
_PROPERTIES = re.compile(r"^(?:[&!]\S*\s+)+")
_KINDS: dict[type, str] = {
    bool: "true or false",
    type(None): "nothing",
    float: "a number with a fraction",
    datetime.datetime: "a time",
    datetime.date: "a date",
    dict: "a mapping",
    list: "a list",
    str: "text",
    tuple: "a list",
}


@dataclass(frozen=True)
class Place:
    """Where a value was written: a file, or a description such as an option of the command."""

    path: str = ""
    line: int = 0
    column: int = 0
    description: str = ""

    @classmethod
    def of(cls, value: Any) -> Place:
        """The place Ansible kept of a value; an empty one where it kept none."""
        found = _Origin.get_tag(value) if _Origin is not None else None
        if found is None:
            return cls()
        return cls(
            str(found.path or ""),
            int(found.line_num or 0),
            int(found.col_num or 0),
            str(found.description or ""),
        )

    def named(self, project: Path | None) -> str:
        """The place as a message shows it, relative to the project where it lies in it."""
        if not self.path:
            return self.description.strip("<>")
        path = Path(self.path)
        if project is not None and path.is_relative_to(project):
            path = path.relative_to(project)
        return f"{path}:{self.line}" if self.line else str(path)

    def written(self) -> str | None:
        """What stands there, without anchor and tag; nothing where that cannot be read."""
        try:
            lines = Path(self.path).read_text(encoding="utf-8").splitlines()
            text = lines[self.line - 1][self.column - 1 :]
        except (OSError, ValueError, IndexError):
            return None
        if lines[0].startswith("$ANSIBLE_VAULT") or not (self.line and self.column):
            return None
        return _PROPERTIES.sub("", text.strip())


def texts(variables: Any, stack: str, project: Path | None = None) -> dict[str, str]:
    """The variables of one stack as text; `MaestroError` for every one that is none."""
    if variables is None:
        return {}
    name = f"{VARIABLES}.{stack}"
    if not isinstance(variables, Mapping):
        raise MaestroError(
            f"found {_kind(variables)}, not a mapping",
            where=_where(VARIABLES, Place.of(variables), project),
            fix=f'write {stack}: {{NAME: "value"}} in it; on a command line: '
            f"""-e '{{"{VARIABLES}": {{"{stack}": {{"NAME": "value"}}}}}}'""",
        )
    found: dict[str, str] = {}
    problems: list[MaestroError] = []
    for key, value in variables.items():
        try:
            _check_name(key, _where(f"{name}.{key}", Place.of(value), project))
            found[str(key)] = text(value, f"{name}.{key}", Place.of(key), project)
        except MaestroError as problem:
            problems.append(problem)
    raise_all(problems)
    return found


def _check_name(key: Any, where: str) -> None:
    if not isinstance(key, str) or not _NAME.match(key):
        raise MaestroError(
            "the name of a variable is text: letters, digits and _",
            where=where,
            fix="put it into quotes, or choose another name",
        )


def text(value: Any, name: str, beside: Place | None = None, project: Path | None = None) -> str:
    """One value as it was written; `MaestroError` where that is lost.

    ``beside`` is the place of its name, for values that keep none.
    """
    if isinstance(value, str):
        return str(value)
    place = Place.of(value)
    if isinstance(value, int) and not isinstance(value, bool) and _exact(value, place):
        return str(int(value))
    kind = _kind(value)
    if isinstance(value, int) and not isinstance(value, bool):
        kind = "a number, of which it is not known how it is written (01234 would be 668)"
        if place.written() is not None:
            kind = "a number that is written otherwise than it is read"
    leaf = name.rpartition(".")[2]
    # Nothing, and true or false, keep no place of their own.
    shown = place if place.path or place.description else beside
    fix = f'put the value into quotes: {leaf}: "..."'
    if shown and "{{" in (shown.written() or ""):
        fix = f'make text of it: {leaf}: "{{{{ (...) | string }}}}"'
    raise MaestroError(f"found {kind}, not text", where=_where(name, shown, project), fix=fix)


def _exact(value: int, place: Place) -> bool:
    """Whether a whole number is what was written, or what a template came to."""
    if place.description and not place.path:
        return not place.line  # JSON, which knows no other way to write it
    written = place.written()
    if written is None:
        return False
    if "{{" in written or written[:1] in ("|", ">"):
        return True
    return re.match(rf"""^["']?{value}["']?(?=[\s,\]}}]|\Z)""", written) is not None


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return next((kind for type_, kind in _KINDS.items() if isinstance(value, type_)), "a value")


def _where(name: str, place: Place | None, project: Path | None) -> str:
    shown = place.named(project) if place is not None else ""
    return f"{shown}: {name}" if shown else name
