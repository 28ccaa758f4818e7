"""The lines that a refusal prints: YAML that is right for the file it is written into.

What a stack lacks is said by `errors.Line`; here all of them become one text for each file. A list
that takes another's place has ``!override``, so that the same lines are right in the stack's own
file and in the one of an environment beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from ..errors import Line, MaestroError
from .compose_yaml import Override
from .development import FILE as DEVELOPMENT_FILE
from .extension import EXTENSION

if TYPE_CHECKING:
    from ..records import Compose, Extension, Written

WIDTH = 80


class _Dumper(yaml.SafeDumper):
    """Writes what a person would: no anchors, long text in one line, nothing for nothing."""

    def overriding(self, value: list[Any]) -> yaml.Node:
        """A list that takes the place of an earlier file's."""
        return self.represent_sequence("!override", value, flow_style=not value)

    def nothing(self, _: None) -> yaml.Node:
        """A key without a value, as in ``volumes: {data: }``."""
        return self.represent_scalar("tag:yaml.org,2002:null", "")

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """Write everything out."""
        return True

    def increase_indent(
        self,
        flow: bool = False,  # noqa: FBT001, FBT002 -- PyYAML's signature
        indentless: bool = False,  # noqa: ARG002, FBT001, FBT002 -- PyYAML's signature
    ) -> None:
        """Indent lists below their key, as Compose's own examples do."""
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(Override, _Dumper.overriding)
_Dumper.add_representer(type(None), _Dumper.nothing)


def with_lines(
    problems: Sequence[MaestroError], file: str, environment: str, extension: Extension
) -> list[MaestroError]:
    """The problems, and then the lines of all of them; with the problem where it is only one.

    ``file`` is the stack's own Compose file, ``extension`` what stands under ``x-maestro`` now.
    """
    lines = list({str(line): line for found in problems for line in found.lines}.values())
    by_file = {name: _document(name, lines, extension) for name in ("", DEVELOPMENT_FILE)}
    texts = []
    if by_file[""]:
        stem = f"compose.{environment}.yaml"
        texts += [
            f"# in {file}, these keys become (or write them into {stem},",
            f"# which is for {environment} alone):",
            text(by_file[""]),
        ]
    if by_file[DEVELOPMENT_FILE]:
        texts += [
            f"# {DEVELOPMENT_FILE}, a file of its own for whoever develops:",
            text(by_file[DEVELOPMENT_FILE]),
        ]
    if not texts:
        return list(problems)
    written = "\n".join(["the lines to write:", "", *texts]).rstrip()
    if len(problems) > 1:
        return [*problems, MaestroError(written)]
    (only,) = problems
    return [MaestroError(only.what, where=only.where, fix=f"{only.fix}\n{written}")]


def text(document: Compose) -> str:
    """YAML for a Compose file."""
    return yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=WIDTH
    )


def _document(file: str, lines: Iterable[Line], extension: Extension) -> Written:
    """The keys of one file: lists of ``x-maestro`` with what is in them already."""
    found: Written = {}
    for line in (line for line in lines if line.file == file):
        *above, last = line.path
        place = found
        for key in above:
            place = place.setdefault(key, {})
        if above == [EXTENSION] and isinstance(line.value, list):
            before = place.setdefault(last, list(extension.get(last) or []))
            before += [item for item in line.value if item not in before]
        else:
            place[last] = line.value
    order = ["services", "networks", "volumes", "configs", "secrets", EXTENSION]
    return {key: found[key] for key in order if key in found}
