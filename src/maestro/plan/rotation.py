"""Rotating secrets: new values where Maestro keeps them, and releases in which they are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all
from ..host.rules import UPDATE
from ..release import manifest, recorded
from ..release.render import Rendered
from ..secrets.renewal import Choice
from ..stack import updates
from . import adoption, compare, document, preflight, records, rollout, userns, volumes, work
from .kept_data import View
from .run import Run

if TYPE_CHECKING:
    from ..records import History, Manifest, Work


def rounds(choice: Choice, named: Sequence[str], states: Mapping[str, History]) -> list[list[str]]:
    """The names that are new, by the releases that bring them, one release after the other.

    Those that several services share come one by one: for seconds both values of such a secret are
    in use, and who has the old one finds another service that takes it only as long as that one
    has all else it needs. ``states`` are as for `decide`; a name without a new value raises
    `MaestroError`.
    """
    serving = [state for state in recorded.opened(states).values() if state["release"]]
    new = sorted({name for state in serving for name in _changed(choice, state)})
    _nothing_new(named, new)
    read_by: dict[str, set[str]] = {}
    for state in serving:
        serving_now = recorded.read(state["release"], state["file"])
        for name, services in recorded.readers(serving_now).items():
            read_by.setdefault(name, set()).update(services)
    apart = [name for name in new if len(read_by.get(name, ())) > 1][1:]
    first = [name for name in new if name not in apart]
    return [first or choice.names, *([name] for name in apart)]


@dataclass(frozen=True)
class Asked:
    """What is asked for: of one round, see `rounds`."""

    stack: str
    environment: str
    choice: Choice
    approved_by: str = ""
    dry: bool = False
    run: Run = field(kw_only=True)


def decide(asked: Asked, states: Mapping[str, History]) -> rollout.Decision:
    """The plan of every host: what runs, with other versions of the secrets that are new.

    ``states`` maps hosts to the answers of `host.history.read` with the values of today.
    """
    states, new = recorded.opened(states), asked.run.release
    # Those that share a secret get the new one at the same time.
    decision = rollout.Decision(new, [], "", {}, kind=UPDATE, together=True)
    decision.notes = list(asked.choice.notes)
    decision.approved_by = asked.approved_by
    problems: list[MaestroError] = []
    found: dict[str, tuple[records.Plan, Rendered, list[str]]] = {}
    for host, state in states.items():
        try:
            found[host] = _on(host, asked, state, new)
        except MaestroError as problem:
            where = f"{host}: {problem.where}" if problem.where else host
            problems.append(MaestroError(problem.what, where=where, fix=problem.fix))
    raise_all(problems)
    decision.plans = [plan for plan, _, _ in found.values()]
    if not asked.dry:
        raise_all([p for plan in decision.plans for p in rollout.held(plan, states[plan.host])])
    for host, (plan, rendered, names) in found.items():
        decision.hosts[host] = _work(asked, states[host], plan, rendered, names)
    decision.waves = rollout.waves([plan.host for plan in decision.plans if plan.changes], ["100%"])
    rotated = {
        host: {f"new {name}": True for name in names} for host, (_, _, names) in found.items()
    }
    document.seal(decision, "rotation", states, rotated, made=asked.choice.fresh)
    return decision


def _on(
    host: str, asked: Asked, state: History, new: str
) -> tuple[records.Plan, Rendered, list[str]]:
    """One host's plan, its release with the new versions, and the names that changed."""
    release = state["release"]
    if not release:
        raise MaestroError(
            f"{asked.stack} has not been deployed: no secret of it is there to rotate",
            fix="deploy it first: deploy.yml -e version=TAG",
        )
    rendered = recorded.read(release, state["file"])
    for facts in rendered.services.values():
        facts.setdefault("exchange", updates.rules({}, routed=False))
    volumes.complete(rendered)
    changed = _changed(asked.choice, state)
    if changed:
        rendered = recorded.with_secrets(rendered, dict.fromkeys(changed, new))
    plan = compare.decide(
        host,
        asked.environment,
        recorded.without_migrations(rendered),
        state,
        images=release["images"],
        wish={
            "stack": asked.stack,
            "version": release["version"],
            "extension": {},
            "routes": release.get("routes") or [],
        },
    )
    plan.secrets = dict.fromkeys(changed, "rotated")
    raise_all(
        [
            *userns.moved(host, asked.stack, state),
            *adoption.problems(
                host, asked.stack, rendered.compose, rendered.services, state, adoption.Asked()
            ),
        ]
    )
    raise_all(preflight.resource_problems(plan, rendered, state, accept_volume_change=True))
    routed = volumes.routed(release.get("routes") or [])
    # The same services with the same data: nothing can be lost that is not lost already.
    volumes.review(View(plan, rendered, state, routed), accept=True)
    return plan, rendered, changed


def _changed(choice: Choice, state: History) -> list[str]:
    """Names that a host's release reads, and whose value is new to the host or about to be."""
    return [
        name
        for name in choice.names
        if name in state["release"]["secrets"]
        and (name in choice.fresh or not state["secrets"].get(name, ""))
    ]


def _nothing_new(named: Sequence[str], new: Sequence[str]) -> None:
    """Refuse names whose value is still the one that runs on every host."""
    same = sorted(set(named) - set(new))
    if same:
        raise MaestroError(
            f"{', '.join(same)} has no new value: the value found is the one in use",
            where="-e secret",
            fix="put the new value where this environment's secrets come from, see docs/secrets.md",
        )


def _work(
    asked: Asked,
    state: History,
    plan: records.Plan,
    rendered: Rendered,
    changed: Sequence[str],
) -> Work:
    return work.work(
        plan,
        rendered,
        state=state,
        purpose=f"rotation of {', '.join(sorted(changed)) or 'nothing'}",
        by=asked.run.by,
        manifest=_manifest(asked, state, rendered, changed),
        staged=asked.run.release if changed else "",
    )


def _manifest(asked: Asked, state: History, rendered: Rendered, changed: Sequence[str]) -> Manifest:
    """That of the release that serves, or of the new one that is made from it."""
    serves = state["release"]
    if not changed:
        return {**serves}
    origin = manifest.Origin(
        id=asked.run.release,
        previous=serves["id"],
        created=asked.run.at,
        by=asked.run.by,
        approved_by=asked.approved_by,
        plan="",  # `document.seal` knows it
    )
    return manifest.renewed(serves, origin, rendered, rotated=sorted(changed))
