"""Which requests a route claims at the edge, and which of two routes gets what both claim."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from ..records import ClaimedRoute

ANY_HOST = ""
_NAMED = 100_000  # a route with a host goes before every route without one
_STARRED = 50_000  # one with a star for a label comes between
STAR = "*."
_PER_SIGN = 10  # a longer path goes before a shorter one
_HEALTH = 5  # a health path goes before a route of the same path


@dataclass(frozen=True)
class Claim:
    """Requests for one host (empty: any) and a path: with all below it, or ``exact``ly it.

    ``as_written`` is the route's own path, as it is shown.
    """

    host: str
    path: str
    exact: bool
    priority: int
    as_written: str

    @property
    def shown(self) -> str:
        """The claim in words."""
        return f"{self.host or 'any host'}, {self.as_written}"

    @property
    def identity(self) -> tuple[str, str, bool]:
        """What two claims have in common that are one and the same, whatever their rank."""
        return self.host, self.path, self.exact

    def meets(self, other: Claim) -> bool:
        """Whether a request exists that both claim."""
        hosts = covers(self.host, other.host) or covers(other.host, self.host)
        return hosts and (
            self.path == other.path
            or (not other.exact and below(self.path, other.path))
            or (not self.exact and below(other.path, self.path))
        )

    def takes(self, other: Claim) -> bool:
        """Whether requests the other one claims come to this one, by the edge's order.

        Of two that claim the same, each may.
        """
        return self.identity == other.identity or (
            self.meets(other) and self.priority >= other.priority
        )


def of_route(route: ClaimedRoute) -> list[Claim]:
    """What a route claims, as a release's manifest or a host's traffic.json keeps it."""
    path = str(route["path"])
    paths = [(path, False, priority(route, path))]
    redirected = (route.get("options") or {}).get("redirect_from") or []
    if route.get("health"):
        paths += [(str(health), True, health_priority(route)) for health in route["health"]]
    hosts = [host(str(name)) for name in route.get("hosts") or []] or [ANY_HOST]
    return [
        Claim(name, plain(found), exact, rank, found)
        for name in hosts
        for found, exact, rank in paths
    ] + [Claim(host(name), "/", False, redirect_priority(name), "/") for name in redirected]  # noqa: FBT003


def of_routes(routes: Iterable[ClaimedRoute]) -> list[Claim]:
    """What all of them claim."""
    return [claim for route in routes for claim in of_route(route)]


def taken(
    ours: Iterable[Claim], theirs: Iterable[Claim], in_force: Iterable[Claim] = ()
) -> list[tuple[Claim, Claim]]:
    """Claims of ours, each with one of another stack whose requests it takes.

    A route without a host, or with a star, has what no other route names: a stack that names a
    host may have it.
    A health path belongs to its route: only the first of both is told. What is ``in_force`` so far
    takes nothing new away.
    """
    serving = {claim.identity for claim in in_force}
    others = list(theirs)
    found: dict[tuple[str, str], tuple[Claim, Claim]] = {}
    for mine in ours:
        for claim in others:
            named_it = mine.host != claim.host and covers(claim.host, mine.host)
            if mine.takes(claim) and not named_it:
                found.setdefault((mine.host, mine.path), (mine, claim))
    return [
        (mine, claim)
        for mine, claim in found.values()
        if mine.identity not in serving or mine.identity == claim.identity
    ]


def host(name: str) -> str:
    """A host's name as requests are compared by: the edge minds neither case nor a last dot."""
    return name.lower().rstrip(".")


def plain(path: str) -> str:
    """A path without what makes two spellings of one: ``%61``, ``//``, ``.``, a last slash."""
    return posixpath.normpath("/" + unquote(path).lstrip("/"))


def below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix or lies below it."""
    return prefix in ("/", path) or path.startswith(prefix + "/")


def priority(route: ClaimedRoute, path: str) -> int:
    """A route's rank at the edge: a named host before a star before any, then the longer path."""
    return _PER_SIGN * len(path) + _of_hosts(route.get("hosts") or [])


def redirect_priority(name: str) -> int:
    """The rank of the rule for a host that is redirected."""
    return _PER_SIGN + _of_hosts([name])


def _of_hosts(names: list[str]) -> int:
    if any(name.startswith(STAR) for name in names):
        return _STARRED
    return _NAMED if names else 0


def covers(wider: str, name: str) -> bool:
    """Whether one host, which may be any or have a star for its first label, is the other too."""
    if wider in (ANY_HOST, name):
        return True
    first, _, rest = name.partition(".")
    return wider.startswith(STAR) and first not in ("", "*") and wider == f"*.{rest}"


def health_priority(route: ClaimedRoute) -> int:
    """The rank of the one rule that all health paths of a route share."""
    return priority(route, max(route["health"], key=len)) + _HEALTH
