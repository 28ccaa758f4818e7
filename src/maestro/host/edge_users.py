"""Who may use a route: the lines of a secret, in a file that the edge reads.

Traefik reads a file of users once, so each version of a secret has a file of its own, and a route
names the one of its release. The edge's directory is closed to all but root and the edge.
https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/basicauth/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MaestroError
from . import edge, edge_options
from .edge_traefik import JOIN
from .layout import Layout, write_atomically

if TYPE_CHECKING:
    from ..records import Route

_MODE = 0o644
# What htpasswd(1) writes, of those that Traefik knows: bcrypt, MD5 and SHA-1.
_LINE = re.compile(r"[^:\s]+:(\$2[aby]\$\d\d\$[./0-9A-Za-z]{53}|\$apr1\$\S+|\{SHA\}\S+)\Z")


def resolved(layout: Layout, release: str, routes: Sequence[Route]) -> list[Route]:
    """The routes of a release, each with the file of its users; `MaestroError` for no users."""
    return [_with_users(layout, release, route) for route in routes]


def _with_users(layout: Layout, release: str, route: Route) -> Route:
    options = edge_options.options(route)
    name = options.get("basic_auth")
    if not name:
        return route
    source = _source(layout, release, name)
    target = _home() / JOIN.join([layout.stack, name, source.parent.name])
    lines = [line.strip() for line in source.read_text(encoding="utf-8").splitlines()]
    users = [line for line in lines if line and not line.startswith("#")]
    if not users or not all(map(_LINE.match, users)):
        raise MaestroError(
            f"the secret {name} does not hold users of a route",
            where=f"stack {layout.stack}, basic_auth of its routes",
            fix="store what this prints, a line for each user: htpasswd -nB USER",
        )
    text = "".join(f"{line}\n" for line in users)
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        write_atomically(target, text, _MODE)
    return {**route, "options": {**options, "users": str(target)}}


def _source(layout: Layout, release: str, name: str) -> Path:
    """The secret's file of a release, by the release's own Compose file."""
    compose = layout.releases / release / "compose.yaml"
    pattern = rf"{re.escape(str(layout.secrets / name))}/[^/\s\"']+/[0-9][^/\s\"']*"
    try:
        found = re.search(pattern, compose.read_text(encoding="utf-8"))
    except OSError:
        found = None
    path = Path(found[0]) if found else None
    if path is None or not path.is_file():
        raise MaestroError(
            f"the release has no secret {name}",
            where=f"stack {layout.stack}, basic_auth of its routes",
            fix="list it under the `secrets` of the route's service, and deploy again",
        )
    return path


def tidy(layout: Layout, routes: Iterable[Route]) -> None:
    """Remove the files of the stack that no route names any more."""
    kept = {str(edge_options.options(route).get("users", "")) for route in routes}
    for path in _home().glob(f"{layout.stack}{JOIN}*"):
        if str(path) not in kept:
            path.unlink(missing_ok=True)


def _home() -> Path:
    return edge.DIRECTORY / "users"
