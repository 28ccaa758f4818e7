"""What a plan does to the data of a stack: who waits for whom, what would be lost, what is shared.

All of it is decided from what a host runs and what the release to come holds; see `data` and
`host.holds`. A refusal stands before anything changed, a warning is part of the plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host import holds
from ..host.holds import PATH, VOLUME, Clash, Hold, Holder, Need
from ..host.resources import Resources
from ..host.rules import START_FIRST, STOP_FIRST
from ..release.render import Rendered
from ..stack.data import Reading, kept
from ..stack.model import unescaped
from . import compare, lost_volumes, nameless, records
from .kept_data import ACCEPT, View, by_target, data_of, is_path, volume_of

if TYPE_CHECKING:
    from ..records import Compose, Container, Route, Service, Writer


def review(view: View, *, accept: bool = False) -> list[MaestroError]:
    """Why the plan would lose data of this host; what else to know of it goes into its warnings.

    ``accept`` is the operator's word that data which is not found any more was cared for.
    """
    plan, compose = view.plan, view.rendered.compose
    plan.warnings += [
        *_waits(view),
        *_pauses(view),
        *_replicas(view),
        *_migrations(view),
        *nameless.told(view),
        *_left_alone(view),
    ]
    problems = [*nameless.refused_order(view)]
    changed = moved(plan.host, view.state["file"], compose, dropped=not view.back)
    lost = [*changed, *nameless.lost(view), *_begins_empty(view), *_removed(view), *_foreign(view)]
    if accept:
        plan.warnings += [f"accepted: {problem.what}" for problem in lost]
        return problems
    return [*problems, *lost]


def routed(routes: Iterable[Route]) -> frozenset[str]:
    """The services that routes lead to."""
    return frozenset(str(route["service"]) for route in routes)


def complete(rendered: Rendered) -> None:
    """Add to a release that an older manifest recorded what its services keep, from its file.

    Such a manifest does not tell an order that the file named from the default of its time: what
    writes data stops first.
    """
    reading = Reading(unescaped(rendered.compose), {})
    for name, facts in rendered.services.items():
        if "holds" in facts:
            continue
        found = kept(name, reading)
        facts["holds"] = holds.dump(found.holds)
        facts["nameless"], facts["throw_away"] = list(found.nameless), list(found.throw_away)
        facts["order"] = found.order
        if found.alone:
            rules = facts["exchange"]
            facts["exchange"] = {
                "update": {**rules["update"], "order": STOP_FIRST},
                "rollback": {**rules["rollback"], "order": STOP_FIRST},
            }


# Who waits for whom.


def leaving(view: View) -> list[Clash]:
    """The running containers that stop before others start, and over what."""
    everything = view.all_kept()
    needs = [
        Need(step.service, everything[step.service].holds, everything[step.service].beside)
        for step in view.coming()
    ]
    aim = {name: found.holds for name, found in everything.items()}
    return holds.in_the_way(needs, [_holder(view, item) for item in view.state["containers"]], aim)


def _holder(view: View, container: Container) -> Holder:
    service = str(container["service"])
    facts = view.rendered.services.get(service)
    known = facts is not None and container["hash"] == facts["hash"]
    same = known and container["health"] != "unhealthy"
    stays = same and not any(
        compare.recreates(step) for step in view.plan.steps if step.service == service
    )
    return Holder(
        str(container["id"]), service, holds.load(container.get("holds") or ()), stays=stays
    )


def _waits(view: View) -> Iterator[str]:
    seen = set()
    for clash in leaving(view):
        pair = (clash.holder.service, clash.service, str(clash.hold))
        if pair not in seen:
            seen.add(pair)
            yield (
                f"{pair[0]} stops before {pair[1]} starts: both hold the {pair[2]}; "
                "until then neither of them answers"
            )


def _pauses(view: View) -> Iterator[str]:
    """Services behind a route that stop first because of their data, and what that costs."""
    for step in view.coming():
        found = view.kept(step.service)
        if step.action != records.REPLACE or step.service not in view.routed or found.order:
            continue
        if found.alone and step.order == STOP_FIRST:
            # Beside what runs there would be none of the data, see `nameless.refused_order`.
            path = next(iter(found.nameless), "")
            first = f"{nameless.name_it(step.service, path)}, and " if path else ""
            yield (
                f"{step.service} stops before its new container starts, because it {found.alone}: "
                f"its requests fail meanwhile; if two can run at once, {first}set services."
                f"{step.service}.deploy.update_config.order: {START_FIRST}"
            )


def _replicas(view: View) -> Iterator[str]:
    for step in view.coming():
        count = int(view.rendered.services[step.service]["replicas"])
        written = holds.writes_data(view.kept(step.service).holds)
        if count > 1 and written and step.action != records.START:
            yield f"{count} containers of {step.service} write the {written[0]} at the same time"


def _migrations(view: View) -> Iterator[str]:
    for item in view.plan.migrations:
        facts = view.rendered.migrations.get(item["service"])
        mine = holds.writes_data(holds.load(facts.get("holds") or ()) if facts else ())
        writers = sorted(
            {
                str(container["service"])
                for container in view.state["containers"]
                for its in holds.writes_data(holds.load(container.get("holds") or ()))
                if any(holds.clash(hold, its) for hold in mine)
            }
        )
        if writers:
            yield (
                f"the migration {item['service']} writes the {mine[0]} while "
                f"{', '.join(writers)} of the old release still runs with it"
            )


# Named volumes.


def moved(
    host: str, before: Compose, compose: Compose, *, dropped: bool = True
) -> list[MaestroError]:
    """Services that would find other data, or none, where their data was mounted.

    ``before`` is the Compose file of the running release, ``compose`` the one to come.
    ``dropped`` volumes count where no service of the release to come mounts them any more.
    """
    still = {
        volume
        for service in compose["services"].values()
        for volume in data_of(service, compose).values()
    }
    problems = []
    for name, service in (before.get("services") or {}).items():
        if name not in compose["services"]:
            continue
        after = by_target(compose["services"][name])
        for target, volume in data_of(service, before).items():
            if target in after and volume_of(after[target], compose) == volume:
                continue
            if target not in after and (volume in still or not dropped or is_path(volume)):
                continue
            now = volume_of(after[target], compose) if target in after else "nothing"
            problems.append(
                MaestroError(
                    f"{target} was the {volume} and would become {now.removeprefix('volume ')}: "
                    "the service would not find its data",
                    where=f"{host}: services.{name}.volumes",
                    fix=f"keep the mount, or copy the data first and say {ACCEPT}",
                )
            )
    return problems


def _left_alone(view: View) -> Iterator[str]:
    """Volumes of services that leave and that nothing mounts any more."""
    old = view.state["file"]
    services = old.get("services") or {}
    still = {
        volume
        for service in view.rendered.compose["services"].values()
        for volume in data_of(service, view.rendered.compose).values()
    }
    for name in view.plan.services(records.REMOVE):
        for volume in sorted(set(data_of(services.get(name) or {}, old).values()) - still):
            yield f"the {volume} stays on the host, and no service of the release mounts it"


def _begins_empty(view: View) -> Iterator[MaestroError]:
    """A service renamed together with its volume: it would begin with a new one beside the old.

    One of another image that comes as one leaves is no rename: what it would find is not its own.
    """
    old = view.state["file"]
    before = (view.state.get("release") or {}).get("services") or {}
    services = view.rendered.compose["services"]
    for name in view.plan.services(records.REMOVE):
        image = _repository(str(before[name]["image"] if name in before else ""))
        had = data_of((old.get("services") or {}).get(name) or {}, old)
        for other in view.plan.services(records.CREATE):
            if _repository(str(view.rendered.services[other]["image"])) != image:
                continue
            for target, was in sorted(had.items()):
                now = _new_volume(view, services[other], target)
                if now and not _mounted_still(view, was):
                    yield MaestroError(
                        f"{name} is removed and {other} is added: {target} was the {was} and would "
                        f"become {now}, which is empty: {other} would not find the data",
                        where=view.where(other),
                        fix=f"give the volume its old name (volumes.KEY.name), or copy the data "
                        f"first and say {ACCEPT}",
                    )


def _removed(view: View) -> Iterable[MaestroError]:
    """Volumes of the running release, or of one that is gone back to, which are lost."""
    if not view.state.get("resources"):
        return []
    compose = view.rendered.compose
    before = compose if view.back else view.state["file"]
    coming = [step.service for step in view.coming()]
    return lost_volumes.problems(view.plan.host, coming, compose, before, Resources.of(view.state))


def _new_volume(view: View, service: Service, target: str) -> str:
    """The volume a service mounts there when the host has none of this name yet."""
    mount = by_target(service).get(target) or {}
    if mount.get("type") != "volume":
        return ""
    name = volume_of(mount, view.rendered.compose).removeprefix("volume ")
    return "" if name in Resources.of(view.state).volumes else name


def _mounted_still(view: View, volume: str) -> bool:
    compose = view.rendered.compose
    return any(
        volume in data_of(service, compose).values() for service in compose["services"].values()
    )


def _repository(image: str) -> str:
    """An image's name without tag and digest."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


# Other owners.


def _foreign(view: View) -> Iterator[MaestroError]:
    """Containers that are not of this stack and write what a service of it would write."""
    for step in view.coming():
        has = [
            hold
            for container in view.state["containers"]
            if container["service"] == step.service
            for hold in holds.load(container.get("holds") or ())
        ]
        for hold in holds.writes_data(view.kept(step.service).holds):
            for other in view.state.get("others") or ():
                its = holds.load(other["holds"])
                if not any(holds.clash(hold, item) for item in its) or _shared(view, hold):
                    continue
                if any(holds.clash(hold, item) for item in has) or not _same(hold, its):
                    view.plan.warnings.append(
                        f"{step.service} writes the {hold}, and so does {_owner(other)}"
                    )
                    continue
                yield MaestroError(
                    f"the {hold} would be written by {view.plan.stack}/{step.service} while "
                    f"{_owner(other)} still writes it",
                    where=view.where(step.service),
                    fix=f"stop or remove {_owner(other)} first; or mount it read-only in one of "
                    f"them; or, if both may write it at once, say {ACCEPT}",
                )


def _same(hold: Hold, its: Sequence[Hold]) -> bool:
    """Whether it is the same path and not one inside the other."""
    return hold.kind != PATH or any(item.name == hold.name for item in its if item.kind == PATH)


def _shared(view: View, hold: Hold) -> bool:
    """Whether the owner of a volume lets other stacks use it: its own file says so."""
    if hold.kind != VOLUME:
        return False
    neighbours = (view.state.get("neighbours") or {}).values()
    return any(hold.name in (found.get("shared_volumes") or ()) for found in neighbours)


def _owner(other: Writer) -> str:
    if other["project"]:
        return f"{other['project']}/{other['service']} (container {other['container']})"
    return f"the container {other['container']}"
