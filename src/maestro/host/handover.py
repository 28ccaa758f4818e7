"""What leaves stops before what comes starts, where both would hold the same thing.

It is decided on what runs, each time containers are about to start: in a deploy, before a
migration's services, on the way back, and by the host's own switch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import compose, holds
from .containers import of_stack
from .engine import Engine
from .holds import Clash, Hold, Holder, Need
from .labels import SERVICE
from .rules import START_FIRST

if TYPE_CHECKING:
    from ..records import ServiceFacts
    from .roll import Roll


def make_way(roll: Roll, services: Iterable[str]) -> list[str]:
    """Stop what must not run when containers of ``services`` start; names of its services.

    A container that keeps data in a volume without a name is stopped and not removed: started
    again it has that data.
    """
    coming = list(services)
    running = _running(roll)
    if not coming or {item["Labels"].get(SERVICE) for item in running} <= set(coming[:1]):
        return []
    aim = held(roll)
    needs = [Need(name, aim[name], _beside(roll.aim.services[name])) for name in coming]
    clashes = holds.in_the_way(needs, [_holder(roll, item) for item in running], aim)
    stopped = list({clash.holder.container: clash for clash in reversed(clashes)}.values())
    if stopped:
        roll.check()
        with ThreadPoolExecutor(len(stopped)) as pool:
            list(pool.map(lambda clash: _stop(roll, clash, running), stopped))
        _are_gone(roll, stopped)
    return sorted({clash.holder.service for clash in stopped})


def send_away(roll: Roll, services: Iterable[str]) -> list[str]:
    """Stop the containers of services, and remove those that can be made anew with their data."""
    leaving = set(services)
    there = [
        item
        for item in of_stack(roll.engine, roll.layout.stack)
        if item["Labels"].get(SERVICE) in leaving
    ]
    kept = {str(item["Labels"][SERVICE]) for item in there if holds.nameless(item)}
    for item in there:
        if item["Labels"][SERVICE] in kept:
            roll.leaving.put_away(item)
    return sorted([*kept, *roll.leaving.remove(sorted(leaving - kept))])


def held(roll: Roll) -> dict[str, tuple[Hold, ...]]:
    """What each service of the aim holds, with links of this host resolved."""
    services = roll.aim.services
    found = {
        name: holds.load(facts["holds"]) for name, facts in services.items() if "holds" in facts
    }
    if len(found) < len(services):
        # Recorded before there were such records: Compose reads the release's file.
        found = {**_read(roll), **found}
    return {name: tuple(holds.real(hold) for hold in found.get(name, ())) for name in services}


def keeps_nameless(item: Mapping[str, Any], facts: ServiceFacts | None) -> bool:
    """Whether a container keeps data in a volume without a name.

    ``facts`` are those of its service: they say which paths the stack's file calls throw-away.
    """
    thrown = facts.get("throw_away") or () if facts else ()
    return bool(set(holds.nameless(item)) - set(thrown))


def stranded(engine: Engine, there: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a stopped container was on a network that is gone, so that it cannot start."""
    wanted = {
        str(network.get("NetworkID"))
        for item in there
        if item["State"] != "running"
        for network in ((item.get("NetworkSettings") or {}).get("Networks") or {}).values()
    } - {""}
    return bool(wanted - {str(item["Id"]) for item in engine.networks()}) if wanted else False


def _beside(facts: ServiceFacts) -> bool:
    """Whether the service's file itself asks for `start-first`."""
    return bool(facts.get("order") == START_FIRST)


def _running(roll: Roll) -> list[dict[str, Any]]:
    there = [item for item in of_stack(roll.engine, roll.layout.stack) if holds.alive(item)]
    mounted = any(mount.get("Type") == "volume" for i in there for mount in i.get("Mounts") or [])
    return holds.behind(there, roll.engine.volumes()) if mounted else there


def _are_gone(roll: Roll, stopped: Iterable[Clash]) -> None:
    """Raise where the Engine did not stop one: what comes must not start beside it."""
    left = {str(item["Id"]) for item in _running(roll)}
    for clash in stopped:
        if clash.holder.container in left:
            raise MaestroError(
                f"{clash.holder.service} does not stop, and {clash.service} cannot start beside "
                f"it: both hold the {clash.hold}",
                where=f"stack {roll.layout.stack}",
                fix=f"on the host: docker rm --force {clash.holder.container[:12]}",
            )


def _holder(roll: Roll, item: Mapping[str, Any]) -> Holder:
    service = str(item["Labels"].get(SERVICE, ""))
    facts = roll.aim.services.get(service)
    nameless = set(holds.nameless(item)) - set(facts.get("throw_away") or () if facts else ())
    detail = roll.engine.find(str(item["Id"])) if holds.between_starts(item) else None
    return Holder(
        str(item["Id"]),
        service,
        tuple(holds.now(item, detail)),
        stays=facts is not None and roll.standing.wanted(item),
        nameless=tuple(sorted(nameless)),
    )


def _stop(roll: Roll, clash: Clash, running: Iterable[Mapping[str, Any]]) -> None:
    for item in running:
        if str(item["Id"]) == clash.holder.container:
            roll.leaving.put_away(item)
    # A name is taken as long as its container is there.
    if clash.holder.nameless and clash.hold.kind == holds.NAME:
        roll.engine.remove(clash.holder.container)


def _read(roll: Roll) -> dict[str, tuple[Hold, ...]]:
    """What the services of an older release hold, by its own file."""
    file = roll.layout.compose_file(roll.aim.release)
    argv = compose.arguments(roll.layout.stack, file, "config", "--format", "json")
    result = compose.run(argv)
    if result.returncode != 0:
        raise MaestroError(
            f"Compose cannot read the release: {result.stderr.strip()}", where=str(file)
        )
    model: dict[str, Any] = json.loads(result.stdout)
    return {
        name: tuple(holds.of_service(service, model, name=name))
        for name, service in model["services"].items()
    }
