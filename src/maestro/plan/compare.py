"""The plan: what a deploy will do to one host, decided before anything is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from ..host.labels import HASH_LABEL
from ..host.reference import Reference, pinned
from ..host.resources import Resources
from ..host.rules import STOP_FIRST
from ..release.hashes import definitions
from ..release.render import Rendered
from ..stack import borrowing, updates
from . import adoption, borrowers, networks, reasons
from .borrowers import MOVES
from .reasons import Reason
from .records import (
    CREATE,
    KEEP,
    REMOVE,
    REPLACE,
    RESTART,
    SCALE,
    START,
    Fate,
    Plan,
    Step,
)

if TYPE_CHECKING:
    from ..records import (
        Compose,
        Container,
        Entry,
        Extension,
        Image,
        Manifest,
        Migration,
        Pull,
        Route,
        Service,
        ServiceFacts,
        Serving,
    )


class Wish(TypedDict):
    """What shall be: the stack, its version, ``x-maestro`` and its routes."""

    stack: str
    version: str
    extension: Extension
    routes: list[Route]
    remove_unnamed: NotRequired[bool]


def decide(
    host: str,
    environment: str,
    rendered: Rendered,
    state: Serving,
    *,
    images: Mapping[str, Image],
    wish: Wish,
) -> Plan:
    """Compare what shall be with what a host has.

    ``state`` is the answer of `host.state.read`; ``images`` maps references to digests;
    ``wish`` has ``stack``, ``version``, ``model``, ``extension`` and ``routes``.
    """
    manifest = state["release"]
    plan = Plan(
        host=host,
        stack=str(wish["stack"]),
        environment=environment,
        release=str(manifest.get("id", "")),
        version_before=str(manifest.get("version", "")),
        version=str(wish["version"]),
    )
    containers = _containers(rendered, state, remove_unnamed=bool(wish.get("remove_unnamed")))
    plan.networks = networks.anew(rendered.compose, state["file"], Resources.of(state), plan.stack)
    plan.steps = _steps(plan, rendered, state, containers, _tags(manifest, images))
    gone = sorted(set(containers) - set(rendered.services))
    plan.steps += [
        Step(REMOVE, name, (Reason(reasons.LEAVES), *adoption.reasons(containers[name])))
        for name in gone
    ]
    plan.warnings += _pauses(plan, rendered, wish["routes"])
    plan.pulls = _pulls(rendered, set(state["images"]), images)
    plan.routes = _routes(manifest.get("routes") or [], wish["routes"])
    plan.migrations = _migrations(host, rendered, manifest, wish["extension"])
    plan.secrets = _secrets(rendered, state)
    return plan


def _migrations(
    host: str, rendered: Rendered, manifest: Manifest, extension: Extension
) -> list[Migration]:
    """Those that did not run in the release that serves."""
    done = manifest.get("migrations", {})
    return [
        {"service": item["service"], "database": item.get("database", "host"), "on": host}
        for item in extension.get("migrations") or []
        if done.get(item["service"]) != rendered.migrations[item["service"]]["hash"]
    ]


def _secrets(rendered: Rendered, state: Serving) -> dict[str, Fate]:
    """What happens to each secret of the release whose value is new to the host."""
    known, read = state["release"].get("secrets", {}), rendered.secret_files
    return {
        name: "changed" if name in known else "new"
        for name, version in sorted(state["secrets"].items())
        if not version and name in {item["name"] for item in read}
    }


def _containers(
    rendered: Rendered, state: Serving, *, remove_unnamed: bool
) -> dict[str, list[Container]]:
    """The containers that the plan decides on, by their service."""
    containers: dict[str, list[Container]] = {}
    for container in state["containers"]:
        if not adoption.stays(container, rendered.services, remove_unnamed=remove_unnamed):
            containers.setdefault(container["service"], []).append(container)
    return containers


def _steps(
    plan: Plan,
    rendered: Rendered,
    state: Serving,
    containers: Mapping[str, list[Container]],
    tags: Mapping[str, str],
) -> list[Step]:
    """What happens to each service of the stack, in the order in which they start.

    A step is what a service needs by itself, and then what those before it mean for it.
    """
    moves: dict[str, str] = {}
    steps = []
    for name in [name for level in rendered.order for name in level]:
        there = containers.get(name, [])
        # A job's container may go when it has ended; what it did stays done.
        if not there and was_done(name, rendered.services[name], state):
            alone = Step(KEEP, name, (Reason(reasons.DONE),))
        else:
            alone = _step(name, rendered, there, state["file"], tags)
        step = _with_others(alone, plan, rendered, containers, moves)
        if step.action in MOVES:
            moves[step.service] = step.action
        steps.append(step)
    return steps


def _pulls(rendered: Rendered, local: set[str], images: Mapping[str, Image]) -> list[Pull]:
    """The images that a release needs and a host does not have."""
    needed = {
        item["image"] for item in [*rendered.services.values(), *rendered.migrations.values()]
    }
    return [
        {"reference": reference, "image": name, "size": int(image.get("size", 0))}
        for reference, image in sorted(images.items())
        if (name := pinned(reference, image)) not in local and name in needed
    ]


def _routes(old: Iterable[Route], new: Iterable[Route]) -> dict[str, Fate]:
    """What happens to each route, by its name."""
    before, after = ({str(route["name"]): route for route in routes} for routes in (old, new))
    return {
        name: "new" if name not in before else "removed" if name not in after else "changed"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _step(
    name: str,
    rendered: Rendered,
    there: list[Container],
    old: Compose,
    tags: Mapping[str, str],
) -> Step:
    facts = rendered.services[name]
    order = facts["exchange"]["update"]["order"]
    if not there:
        return Step(CREATE, name, (Reason(reasons.MISSING),))
    if any(container["hash"] != facts["hash"] for container in there):
        why = adoption.reasons(there) or tuple(_reasons(name, old, rendered.compose, tags))
        return Step(REPLACE, name, why, order)
    if len(there) != facts["replicas"]:
        many = Reason(reasons.REPLICAS, (), str(len(there)), str(facts["replicas"]))
        return Step(SCALE, name, (many,))
    return _as_it_is(name, rendered, there)


def _as_it_is(name: str, rendered: Rendered, there: list[Container]) -> Step:
    """What happens to a service whose containers are of the right definition and number."""
    facts = rendered.services[name]
    done = [c for c in there if "job" in facts and has_ended_well(c)]
    stopped = [c for c in there if c["status"] != "running" and c not in done]
    if stopped:
        return Step(START, name, (_stopped(stopped[0]),))
    if done:
        return Step(KEEP, name, (Reason(reasons.DONE),))
    order = facts["exchange"]["update"]["order"]
    if any(container["health"] == "unhealthy" for container in there):
        return Step(REPLACE, name, (Reason(reasons.UNHEALTHY),), order)
    if cut_off := networks.lacking(rendered.compose, name, there):
        off = tuple(Reason(reasons.CUT_OFF, (network,)) for network in cut_off)
        return Step(REPLACE, name, off, order)
    return Step(KEEP, name)


def recreates(step: Step) -> bool:
    """Whether containers are replaced that have the right definition."""
    return step.action == REPLACE and step.because(reasons.UNHEALTHY, reasons.CUT_OFF)


def was_done(name: str, facts: ServiceFacts, state: Serving) -> bool:
    """Whether a host remembers that a job of this definition was done."""
    return "job" in facts and (state.get("done") or {}).get(name) == facts["hash"]


def has_ended_well(container: Container) -> bool:
    """Whether a container of a host's state ended with 0."""
    return container["status"] == "exited" and container.get("exit_code") == 0


def _stopped(container: Container) -> Reason:
    """How a container that does not run is, with the code it ended with."""
    code = container.get("exit_code") if container["status"] == "exited" else None
    how = str(container["status"]) + (f" (code {code})" if code else "")
    return Reason(reasons.STOPPED, (), how, "running")


def _with_others(
    step: Step,
    plan: Plan,
    rendered: Rendered,
    there: Mapping[str, Sequence[Container]],
    moves: Mapping[str, str],
) -> Step:
    """One step, after what ``moves`` says of the services before it."""
    name = step.service
    facts = borrowing.facts(rendered.compose["services"][name])
    why = [Reason(reasons.NETWORK, (item.name,)) for item in plan.networks if item.has(name)]
    stops = bool(why or facts.get("borrows"))
    why += borrowers.reasons(facts, there.get(name, ()), there, moves)
    renewed = [owner for owner in facts.get("restarts_with", ()) if owner in moves]
    absent = step.because(reasons.DONE) and not there.get(name)
    if why and step.action != CREATE and not absent:
        known = step.reasons if step.action == REPLACE else ()
        order = rendered.services[name]["exchange"]["update"]["order"]
        return Step(REPLACE, name, (*known, *why), STOP_FIRST if stops else order)
    if renewed and step.action == KEEP:
        follows = [Reason(reasons.FOLLOWS, (owner,), MOVES[moves[owner]]) for owner in renewed]
        return Step(RESTART, name, tuple(follows))
    return step


def _pauses(plan: Plan, rendered: Rendered, routes: Iterable[Route]) -> Iterable[str]:
    """Routes that find nobody for a while, as nothing can start beside what runs."""
    routed = {str(route["service"]) for route in routes}
    for item in plan.networks:
        if on := sorted(routed & set(item.services)):
            yield (
                f"requests to {', '.join(on)} fail while the network {item.name} is recreated: "
                "every container on it stops and starts again"
            )
    for name in sorted(routed & set(plan.services(REPLACE, RESTART))):
        owners = borrowing.facts(rendered.compose["services"][name]).get("borrows", ())
        if moved := sorted(set(owners) & set(plan.services(*MOVES))):
            yield (
                f"requests to {name} fail while {', '.join(moved)} is replaced: {name} uses "
                "its namespaces, so it stops before and starts after"
            )
    services = {name: rendered.compose["services"][name] for name in rendered.services}
    lenders = borrowing.lenders(services)
    for step in plan.steps:
        why = lenders.get(step.service) or updates.fixed(services.get(step.service, {}))
        borrows = step.service in services and borrowing.namespaces(services[step.service])
        if step.action == REPLACE and step.service in routed and why and not borrows:
            yield f"requests to {step.service} fail while it is replaced: {why}"


def _reasons(name: str, before: Compose, after: Compose, tags: Mapping[str, str]) -> list[Reason]:
    """Name what differs; values are shown for the image only."""
    old, new = (before.get("services") or {}).get(name), after["services"][name]
    if old is None:
        return [Reason(reasons.UNRECORDED)]
    found = [
        _reason(key, old, new, tags)
        for key in sorted({*old, *new} - {"labels", "depends_on", "deploy"})
        if old.get(key) != new.get(key)
    ]
    found += [
        Reason(key)
        for key in ("deploy", "labels")
        if _without_hash(old.get(key)) != _without_hash(new.get(key))
    ]
    earlier, known = definitions(old, before), {reason.name for reason in found}
    found += [
        Reason(kind, tuple(changed))
        for kind, defined in definitions(new, after).items()
        if kind not in known and (changed := _changed_keys(earlier[kind], defined))
    ]
    return found or [Reason(reasons.UNRECORDED)]


def _reason(key: str, old: Service, new: Service, tags: Mapping[str, str]) -> Reason:
    if key == "image":
        return Reason(key, (), _short(old, tags), _short(new, tags))
    if key == "environment":
        return Reason(key, tuple(_changed_keys(old.get(key), new.get(key))))
    if key in ("secrets", "configs"):
        return Reason(key, tuple(_changed_files(old.get(key), new.get(key))))
    return Reason(key)


def _without_hash(value: Any) -> Entry:
    return {k: v for k, v in (value or {}).items() if k not in (HASH_LABEL, "replicas")}


def _changed_keys(old: Any, new: Any) -> list[str]:
    before, after = dict(old or {}), dict(new or {})
    return sorted(k for k in {*before, *after} if before.get(k, ...) != after.get(k, ...))


def _changed_files(old: Any, new: Any) -> list[str]:
    before = {item.get("target"): item["source"] for item in old or []}
    after = {item.get("target"): item["source"] for item in new or []}
    return [str(key).rpartition("/")[2] for key in _changed_keys(before, after)]


def _tags(manifest: Manifest, images: Mapping[str, Image]) -> dict[str, str]:
    """The tag each digest was asked for by, old and new release together."""
    known = {}
    for source in (manifest.get("images", {}), images):
        for reference, image in source.items():
            parsed = Reference.parse(reference)
            known[pinned(reference, image)] = parsed.tag
    return known


def _short(service: Service, tags: Mapping[str, str]) -> str:
    image = str(service.get("image", ""))
    return f"{tags.get(image, '?')} ({image.rpartition('@')[2][:19]})"


def in_the_way(plan: Plan, rendered: Rendered, before: Compose) -> list[str]:
    """Services that go and publish a port which a new or replaced one needs.

    ``before`` is the Compose file of the running release. Any other service that goes
    stays until the release is committed, so that it can still be gone back to.
    """
    old = before.get("services") or {}
    wanted = {
        str(port.get("published"))
        for name in plan.services(CREATE, REPLACE)
        for port in rendered.compose["services"][name].get("ports") or []
    }
    on_networks = {name for item in plan.networks for name in item.services}
    return [
        name
        for name in plan.services(REMOVE)
        if name in on_networks
        or wanted & {str(port.get("published")) for port in old.get(name, {}).get("ports") or []}
    ]


def share_migrations(plans: Iterable[Plan]) -> None:
    """Let a database that hosts share be migrated by the first host that needs it."""
    first: dict[str, str] = {}
    for plan in plans:
        for item in plan.migrations:
            shared = item["database"] == "shared"
            item["on"] = first.setdefault(item["service"], plan.host) if shared else plan.host
