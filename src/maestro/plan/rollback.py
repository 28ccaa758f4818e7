"""Going back to a release that is kept: which one, whether it can be, and the plan of each host.

Nothing but what the hosts recorded is asked: no registry, no file of the stack, no secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all
from ..host.rules import ROLLBACK
from ..release import manifest, recorded
from ..release.render import Rendered
from ..stack import updates
from . import adoption, compare, document, ownership, preflight, records, rollout, volumes, work
from .kept_data import View
from .run import Run

if TYPE_CHECKING:
    from ..records import History, Manifest


@dataclass(frozen=True)
class Asked:
    """What is asked for: ``to`` is a release's id, by default the one before the newest."""

    stack: str
    environment: str
    to: str = ""
    accept_schema: bool = False
    accept_volume_change: bool = False
    approved_by: str = ""
    dry: bool = False
    run: Run = field(kw_only=True)


@dataclass
class _Way:
    """One host's way back."""

    host: str
    state: History
    target: Manifest
    rendered: Rendered
    lacking: list[str]
    replaced: dict[str, str] = field(default_factory=dict)


def decide(asked: Asked, states: Mapping[str, History]) -> rollout.Decision:
    """The plan of every host, or all reasons why there is no way back.

    ``states`` maps hosts to the answers of `host.history.read`.
    """
    states = recorded.opened(states)
    problems: list[MaestroError] = []
    ways: list[_Way] = []
    undone = max(str(state["release"].get("id", "")) for state in states.values())
    for host, state in states.items():
        try:
            way = _way(asked, host, state, undone)
            problems += _refusals(asked, way)
            ways.append(way)
        except MaestroError as problem:
            problems.append(_at(host, problem))
    raise_all(problems)
    fresh = asked.run.release if any(way.lacking for way in ways) else ""
    releases = {way.host: _rendered(way, fresh) for way in ways}
    plans = [_plan(asked, way, releases[way.host], fresh) for way in ways]
    for way, plan in zip(ways, plans, strict=True):
        problems += _data(asked, way, plan, releases[way.host])
    raise_all(problems)
    decision = _decision(asked, ways, plans, releases, fresh)
    if not asked.dry:
        both = zip(ways, plans, strict=True)
        raise_all([problem for way, plan in both for problem in rollout.held(plan, way.state)])
    return decision


def _decision(
    asked: Asked,
    ways: Sequence[_Way],
    plans: list[records.Plan],
    releases: Mapping[str, Rendered],
    fresh: str,
) -> rollout.Decision:
    """What the plans come to, with what the steps on each host get."""
    decision = rollout.Decision(fresh, plans, "", {})
    for way, plan in zip(ways, plans, strict=True):
        decision.hosts[way.host] = work.work(
            plan,
            releases[way.host],
            state=way.state,
            purpose=f"going back to {way.target['id']}",
            by=asked.run.by,
            manifest=_manifest(asked, way, releases[way.host], fresh),
            staged=fresh,
        )
    decision.waves = rollout.waves([plan.host for plan in plans if plan.changes], ["100%"])
    decision.notes = _notes(ways)
    decision.kind, decision.together = ROLLBACK, True
    decision.approved_by = asked.approved_by
    document.seal(
        decision,
        "rollback",
        {way.host: way.state for way in ways},
        {way.host: {"release to go back to": str(way.target["id"])} for way in ways},
    )
    return decision


def _way(asked: Asked, host: str, state: History, undone: str) -> _Way:
    release = state["release"]
    if not release:
        raise MaestroError(f"{asked.stack} has not been deployed: there is nothing to roll back to")
    # What undoes the newest release leaves a host alone that the release did not touch.
    stays = not asked.to and release["id"] != undone
    target = release if stays else state["target"]
    if not target:
        what = (
            f"release {asked.to} is not there"
            if asked.to
            else f"release {release['previous']}, the previous one, no longer exists"
            if release.get("previous")
            else "the running release is the first one"
        )
        raise MaestroError(what, fix=choices(state))
    rendered = recorded.read(target, state["file"] if stays else state["target_file"])
    for facts in rendered.services.values():
        # Recorded before there were such rules.
        facts.setdefault("exchange", updates.rules({}, routed=False))
    volumes.complete(rendered)
    return _Way(host, state, target, rendered, recorded.lacking(rendered, state["versions"]))


def _refusals(asked: Asked, way: _Way) -> list[MaestroError]:
    problems = []
    missing = sorted(
        {facts["image"] for facts in way.rendered.services.values()} - set(way.state["images"])
    )
    if missing:
        problems.append(
            MaestroError(
                f"release {way.target['id']} needs images that are no longer on the host: "
                f"{', '.join(missing)}",
                where=way.host,
                fix=choices(way.state),
            )
        )
    broken = [] if asked.accept_schema else past_breaking(way.state, str(way.target["id"]))
    if broken:
        problems.append(
            MaestroError(
                f"{'; '.join(broken)}: marked as not backward compatible, release "
                f"{way.target['id']} may not work with the database as it is now",
                where=way.host,
                fix="deploy a version that can work with it, or roll back anyway: "
                "-e accept_schema=true",
            )
        )
    problems += ownership.blocked(
        way.host,
        asked.stack,
        way.rendered,
        way.target.get("routes") or [],
        way.state,
        adoption.Asked(accept_volume_change=asked.accept_volume_change),
    )
    return problems


def _data(asked: Asked, way: _Way, plan: records.Plan, rendered: Rendered) -> list[MaestroError]:
    """What of the host's data would be lost on the way back."""
    found = preflight.resource_problems(
        plan,
        rendered,
        way.state,
        accept_volume_change=asked.accept_volume_change,
    )
    routed = volumes.routed(way.target.get("routes") or [])
    view = View(plan, rendered, way.state, routed, back=True)
    return [*found, *volumes.review(view, accept=asked.accept_volume_change)]


def past_breaking(state: History, target: str) -> list[str]:
    """Migrations without a way back that ran in releases newer than ``target``."""
    return [
        f"release {release} ran {', '.join(facts['breaking'])}"
        for release, facts in sorted(state["releases"].items())
        if release > target and facts["breaking"]
    ]


def choices(state: History) -> str:
    """The releases a host can go back to, newest first, as a next step."""
    there = set(state["images"])
    serves = state["release"].get("id", "")
    lines = [
        f"-e to={release}   {facts['version']}, deployed {facts['created']}"
        for release, facts in sorted(state["releases"].items(), reverse=True)
        if release != serves and facts["whole"] and set(facts["images"]) <= there
    ]
    if not lines:
        return "no older release is kept on this host; deploy a version: deploy.yml -e version=TAG"
    return "\n     ".join(["this host can roll back to:", *lines])


def _rendered(way: _Way, fresh: str) -> Rendered:
    """The release to go back to, or a new one from it with today's values of lost secrets."""
    if not fresh:
        return way.rendered
    serving = way.state["release"].get("secrets", {})
    for name in way.lacking:
        versions = way.state["versions"].get(name, {})
        way.replaced[name] = str(serving.get(name) or recorded.newest(versions))
        if way.replaced[name] not in versions:
            raise MaestroError(
                f"no version of the secret {name} is left",
                where=way.host,
                fix="deploy the version again: "
                f"deploy.yml -e version={way.target.get('version', 'TAG')}",
            )
    return recorded.with_secrets(way.rendered, way.replaced)


def _plan(asked: Asked, way: _Way, rendered: Rendered, fresh: str) -> records.Plan:
    plan = compare.decide(
        way.host,
        asked.environment,
        recorded.without_migrations(rendered),
        way.state,
        images=way.target["images"],
        wish={
            "stack": asked.stack,
            "version": way.target["version"],
            "extension": {},
            "routes": way.target.get("routes") or [],
        },
    )
    plan.back_to = "" if way.target["id"] == plan.release else str(way.target["id"])
    plan.secrets = dict.fromkeys(sorted(way.replaced), "newest, the old value was destroyed")
    if fresh and not plan.back_to:
        plan.back_to = plan.release
    return plan


def _manifest(asked: Asked, way: _Way, rendered: Rendered, fresh: str) -> Manifest:
    """That of the release itself, or of the new one that is made from it."""
    if not fresh:
        return {**way.target}
    origin = manifest.Origin(
        id=fresh,
        previous=way.target.get("previous", ""),
        created=asked.run.at,
        by=asked.run.by,
        approved_by=asked.approved_by,
        plan="",  # `document.seal` knows it
    )
    return manifest.renewed(
        way.target, origin, rendered, rotated=[], rolled_back_to=way.target["id"]
    )


def _notes(ways: Iterable[_Way]) -> list[str]:
    """What a rollback does not bring back, said plainly, and of which hosts."""
    hosts: dict[str, list[str]] = {}
    for way in ways:
        target = str(way.target["id"])
        newer = [
            release
            for release, facts in sorted(way.state["releases"].items())
            if release > target and facts["migrated"]
        ]
        if newer:
            version = way.state["releases"][newer[-1]]["version"]
            note = f"the database stays as release {newer[-1]} ({version}) left it"
            hosts.setdefault(f"{note}: no migration is undone", []).append(way.host)
        if way.replaced:
            note = (
                f"a new release is made from {target}, with the newest value of "
                f"{', '.join(sorted(way.replaced))}: the old one was destroyed when it was rotated"
            )
            hosts.setdefault(note, []).append(way.host)
    return [f"{', '.join(names)}: {note}" for note, names in hosts.items()]


def _at(host: str, problem: MaestroError) -> MaestroError:
    where = f"{host}: {problem.where}" if problem.where else host
    return MaestroError(problem.what, where=where, fix=problem.fix)
