"""What a route may ask of the edge besides which requests it takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Entry, RouteOptions

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"^([0-9]+) ?([kmg]?)b?$")
COOKIE = "maestro"


def rendered(route: Entry) -> RouteOptions:
    """The options of a route with every value there; only those that it has."""
    found: RouteOptions = {}
    if names := hosts(route.get("redirect_from")):
        found["redirect_from"] = sorted(names)
    if route.get("strip"):
        found["strip"] = True
    if route.get("protocol") == "h2c":
        found["protocol"] = "h2c"
    if sticky := route.get("sticky"):
        named = sticky if isinstance(sticky, dict) else {}
        found["sticky"] = str(named.get("cookie") or COOKIE)
    if headers := route.get("headers"):
        found["headers"] = {str(key): str(value) for key, value in sorted(headers.items())}
    if name := route.get("basic_auth"):
        found["basic_auth"] = str(name)
    if route.get("max_body") is not None:
        found["max_body"] = size(str(route["max_body"]))
    if route.get("timeout") is not None:
        found["timeout"] = float(route["timeout"])
    return found


def size(text: str) -> int:
    """Bytes of ``10m``, ``512k``, ``1g`` or a number; 0 where it is none of these."""
    match = _SIZE.match(text.strip().lower())
    return int(match[1]) * UNITS[match[2]] if match else 0


def hosts(said: object) -> list[str]:
    """A name, or a list of names."""
    return [str(name) for name in (said if isinstance(said, list) else [said] if said else [])]


def problems(route: Entry, where: str, path: str) -> Iterable[MaestroError]:
    """What is wrong with the options of a route whose shape is right."""
    names = hosts(route.get("host"))
    starred = [name for name in names if name.startswith("*.")]
    if starred and len(starred) < len(names):
        yield MaestroError(
            "names with a star and without one in one route: the edge ranks them differently",
            where=f"{where}.host",
            fix=f"write a second route for {', '.join(starred)}",
        )
    if route.get("strip") and path == "/":
        yield MaestroError(
            "there is no path that could be removed from requests",
            where=f"{where}.strip",
            fix="set path: /PREFIX as well, or remove strip",
        )
    yield from _redirects(route, where, names)


def _redirects(route: Entry, where: str, names: Sequence[str]) -> Iterable[MaestroError]:
    """A redirect needs one name to go to, which is not redirected itself."""
    old = hosts(route.get("redirect_from"))
    if old and (not names or names[0].startswith("*.")):
        yield MaestroError(
            "there is no name that these could be redirected to",
            where=f"{where}.redirect_from",
            fix="set host: to the name that clients shall use",
        )
    if both := sorted(set(old) & set(names)):
        yield MaestroError(
            f"{', '.join(both)} would be redirected to itself",
            where=f"{where}.redirect_from",
            fix="name a host in `host` or in `redirect_from`, and not in both",
        )
