"""Smoke checks through a host's edge, against the names its certificate has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Edge, Extension


def problems(host: str, stack: str, extension: Extension, edge: Edge) -> list[MaestroError]:
    """Checks that would fail after the roll, because no client could believe the answer.

    ``edge`` is the answer of `host.edge.look`; without ``names`` in it nothing is known.
    """
    names = edge.get("names") or []
    found = []
    for number, item in enumerate(extension.get("smoke") or []):
        spec = item.get("http") or {}
        asked = str(spec.get("host", "localhost"))
        if names and spec.get("edge") and not _has(names, asked):
            found.append(
                MaestroError(
                    f"the certificate of the edge has no name {asked} (it has {', '.join(names)})",
                    where=f"{host}: {stack}/compose.yaml: x-maestro.smoke[{number}].http.host",
                    fix=f"add {asked} to edge_hosts of this host and run maestro.stacks.provision",
                )
            )
    return found


def _has(names: Iterable[str], asked: str) -> bool:
    """By RFC 6125: a star stands for the first label alone."""
    wanted = asked.lower().rstrip(".")
    rest = wanted.partition(".")[2]
    return any(name.lower() in (wanted, f"*.{rest}" if rest else wanted) for name in names)
