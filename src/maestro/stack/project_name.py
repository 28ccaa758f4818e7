"""The name a Compose file gives its project, which has to be the stack's own."""

from __future__ import annotations

from ..errors import MaestroError
from ..host import naming
from .compose_tree import Part, Tree


def problems(tree: Tree, stack: str) -> list[MaestroError]:
    """A ``name:`` that is another than the stack's, or cannot be known before a host reads it.

    Containers, networks and volumes are called by the project: under another name the stack would
    stand beside what runs, with volumes of its own that are empty.
    """
    said = [part for part in tree.parts if part.base and part.document.get("name") is not None]
    return [problem for part in said[-1:] for problem in _problems(part, stack)]


def _problems(part: Part, stack: str) -> list[MaestroError]:
    written = part.document["name"]
    name = part.filled(written)
    where = f"{stack}/{part.path}: name"
    if name is None:
        return [
            MaestroError(
                f"found {written}: a variable in it has no value here",
                where=where,
                fix=f"write `name: {stack}`, or remove it",
            )
        ]
    if name in (stack, ""):
        # An empty one says nothing, to Compose as well.
        return []
    return [
        MaestroError(
            f"the file calls the project {name}, and the stack is {stack} by its directory",
            where=where,
            fix=_fix(name, stack),
        )
    ]


def _fix(name: str, stack: str) -> str:
    own = f"write `name: {stack}`, or remove it"
    if not naming.STACK.match(name):
        # Compose makes no project of this name: nothing has it.
        return f"{own}: lower-case letters, digits, '_' and '-' name a project"
    return (
        f"to go on with what {name} has (containers, volumes {name}_*): rename the "
        f"directory to {name} and deploy with -e stack={name}. To have it apart, with volumes "
        f"of its own: {own}"
    )
