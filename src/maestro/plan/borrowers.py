"""Why a service that lives in another one's container needs a new one, see `stack.borrowing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..host.borrowed import MODES, VOLUMES
from ..host.life import moment
from .reasons import OWNER_GONE, OWNER_RESTARTED, SHARES, Reason
from .records import CREATE, REPLACE, RESTART, START

if TYPE_CHECKING:
    from ..records import BorrowedFacts, Container

# What is done to a service that others depend on.
MOVES = {CREATE: "created", REPLACE: "replaced", START: "started", RESTART: "restarted"}


def reasons(
    facts_of: BorrowedFacts,
    there: Sequence[Container],
    owners_there: Mapping[str, Sequence[Container]],
    moves: Mapping[str, str],
) -> list[Reason]:
    """Why a service needs a new container for its owners' sake.

    ``facts_of`` is the service's entry of a manifest, see `facts`. ``there`` are its containers,
    ``owners_there`` those of every service, as `host.state.facts_of` tells of them.
    ``moves`` says what is done to a service (an action of `records`), for those to which
    something is.
    """
    close, volumes = facts_of.get("borrows") or (), facts_of.get(VOLUMES) or ()
    found = [
        Reason(SHARES, (owner,), MOVES[moves[owner]])
        for owner in [*close, *volumes]
        if owner in moves and (owner in close or moves[owner] == REPLACE)
    ]
    if found:
        return list(dict.fromkeys(found))
    live = {
        str(item["id"]): item
        for owner in [*close, *volumes]
        for item in owners_there.get(owner) or ()
    }
    for item in there:
        for key, ids in (item.get("shares") or {}).items():
            gone = [owner for owner in ids if owner not in live]
            if gone:
                return [Reason(OWNER_GONE, (key,))]
            late = [owner for owner in ids if _later(live[owner], item)]
            if late and key in MODES:
                return [Reason(OWNER_RESTARTED, (key,), str(live[late[0]]["service"]))]
    return []


def _later(owner: Container, borrower: Container) -> bool:
    return moment(str(owner["started"])) > moment(str(borrower["started"]))


def drift(container: Container, containers: Iterable[Container]) -> list[Reason]:
    """What a container borrows and does not have any more; for the status."""
    everyone: dict[str, list[Container]] = {}
    for item in containers:
        everyone.setdefault(str(item["service"]), []).append(item)
    facts_of: BorrowedFacts = {"borrows": sorted(everyone)}
    return reasons(facts_of, [container], everyone, {})
