"""A Compose file's YAML, read as Compose reads it and within bounds.

Compose is written in Go: its reader takes ``on`` and ``22:22`` for text, where YAML 1.1 sees a
boolean and a number to the base of 60 (https://pkg.go.dev/gopkg.in/yaml.v3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import MaestroError
from .dates import PATTERN, read

# A file of a hundred services with anchors has some 20,000 nodes, ten deep.
MOST_NODES = 200_000
DEEPEST = 60
_SCANNER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_FLOAT = (
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)


class Override(list[Any]):
    """A list that replaces an earlier file's, where Compose would add to it."""


class _Loader(yaml.SafeLoader):
    """YAML with the two tags Compose adds for files that are merged."""

    def overriding(self, node: yaml.Node) -> Any:
        """What a node would be without its tag."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return Override(self.construct_sequence(node, deep=True))
        return node.value

    def resetting(self, node: yaml.Node) -> Any:
        """Nothing, whatever stands there; of a list an empty one that replaces."""
        return Override() if isinstance(node, yaml.SequenceNode) else None

    def date(self, node: yaml.ScalarNode) -> Any:
        """The text of a date as it stands there."""
        return read(str(node.value))


_Loader.yaml_implicit_resolvers = {}
_Loader.add_constructor("!reset", _Loader.resetting)
_Loader.add_constructor("!override", _Loader.overriding)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.date)
_Loader.add_implicit_resolver("tag:yaml.org,2002:timestamp", PATTERN, [*"0123456789"])
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)", [*"-+0123456789"]),
    ("float", _FLOAT, [*"-+0123456789."]),
    ("merge", "<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})\Z"), _first
    )


@dataclass
class _Open:
    """A collection that is not closed yet."""

    anchor: str
    size: int = 1


def parse(text: str, where: str) -> Any:
    """The document; `MaestroError` with ``where`` and the line for what is none.

    Refused as well: what would grow beyond all bounds when its aliases are written out, an
    alias inside what it stands for, and nesting no reader follows.
    """
    try:
        _within_bounds(yaml.parse(text, Loader=_SCANNER), where)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader with two tags more
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MaestroError(
            f"not valid YAML: {getattr(error, 'problem', None) or _first_line(error)}",
            where=_place(where, mark),
            fix="correct the file at this place; nothing was changed",
        ) from error
    except (
        ValueError,
        AttributeError,
        TypeError,
        ArithmeticError,
        LookupError,
        RecursionError,
    ) as error:
        # Such as `!!int x`, or a number of 5,000 digits.
        raise MaestroError(
            "not valid YAML: a value is not what its tag or its form says",
            where=where,
            fix="put the value into quotes; nothing was changed",
        ) from error


def replaced_services(text: str) -> dict[str, bool]:
    """Services that this file does not add to an earlier file's: whether they stay at all.

    ``!override`` puts this file's in place of it, ``!reset`` takes it away. The text is one that
    `parse` took.
    """
    if "!reset" not in text and "!override" not in text:
        return {}
    root = yaml.compose(text, Loader=_Loader)
    return {
        str(key.value): node.tag == "!override"
        for services in _values(root, "services")
        for key, node in (services.value if isinstance(services, yaml.MappingNode) else ())
        if node.tag in ("!reset", "!override")
    }


def _values(node: yaml.Node | None, wanted: str) -> list[yaml.Node]:
    items = node.value if isinstance(node, yaml.MappingNode) else ()
    return [value for key, value in items if key.value == wanted]


def _within_bounds(events: Iterable[yaml.Event], where: str) -> None:
    """Count every node, an alias as often as what it stands for."""
    sizes: dict[str, int] = {}
    open_: list[_Open] = [_Open("")]
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Open(event.anchor or ""))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            done = open_.pop()
            sizes[done.anchor] = done.size
            open_[-1].size += done.size
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor or ""] = 1
            open_[-1].size += 1
            total += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {level.anchor for level in open_}:
                raise _refused(
                    f"the alias *{event.anchor} stands inside what it is the name of",
                    _place(where, event.start_mark),
                )
            open_[-1].size += sizes.get(str(event.anchor), 1)
            total += sizes.get(str(event.anchor), 1)
        if len(open_) > DEEPEST:
            raise _refused(f"nested deeper than {DEEPEST} levels", _place(where, event.start_mark))
        if total > MOST_NODES:
            raise _refused(
                f"has more than {MOST_NODES} values, its aliases written out",
                _place(where, event.start_mark),
            )


def _refused(what: str, where: str) -> MaestroError:
    return MaestroError(what, where=where, fix="correct the file at this place")


def _place(where: str, mark: Any) -> str:
    return f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
