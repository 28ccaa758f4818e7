"""From the states of all hosts to the plan of each: what the deploy role decides on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all
from ..host.layout import Layout
from ..host.reference import Reference
from ..host.resources import Resources
from ..release import hardening, manifest, recorded
from ..release.order import needs_of
from ..release.render import Rendered, Wish, draft
from ..stack import pasting, profiles, variables
from . import (
    adoption,
    brought,
    checks,
    compare,
    document,
    edge_names,
    facts,
    ignored_keys,
    lifecycle_hooks,
    names,
    ownership,
    preflight,
    promotion,
    reachability,
    records,
    settings,
    volumes,
)
from .kept_data import View
from .rollout import Decision, held, waves
from .wanted import Inputs, Wanted, images, images_of, of_hosts, once
from .work import work

if TYPE_CHECKING:
    from ..records import (
        DeployRequest,
        Extension,
        Image,
        MadeOf,
        Manifest,
        ReadingFacts,
        State,
        Work,
    )


def decide(inputs: Inputs) -> Decision:
    """Decide everything, or refuse with all problems of all hosts at once."""
    inputs = replace(inputs, states=recorded.opened(inputs.states))
    request = inputs.request
    wanted, found = of_hosts(inputs)
    problems = [*brought.problems(inputs), *found]
    known, refused = _images(inputs, wanted)
    problems += refused
    decision = Decision(inputs.run.release, [], "", {}, approved_by=str(request["approved_by"]))
    releases = {
        host: _rendered(inputs, host, of_host, known, decision.release)
        for host, of_host in wanted.items()
    }
    problems += once({host: it.problems for host, it in releases.items()}, list(inputs.states))
    made_of = _made_of(releases, wanted, known)
    for host, rendered in releases.items():
        state = inputs.states[host]
        plan = compare.decide(
            host,
            str(request["environment"]),
            rendered,
            state,
            images=images_of(known, wanted[host]),
            wish=_wish(request, wanted[host]),
        )
        plan.settings = settings.changes(state, rendered, wanted[host].extension)
        plan.warnings += promotion.warnings(made_of[host], request)
        problems += promotion.problems(host, made_of[host], request)
        problems += _refusals(inputs, plan, rendered, wanted[host], problems)
        plan.warnings += _warnings(
            plan, rendered, state, wanted[host], images_of(known, wanted[host])
        )
        problems += _endangered(inputs, plan, rendered, wanted[host])
        decision.plans.append(plan)
    raise_all(_with_lines(problems, inputs, wanted))
    compare.share_migrations(decision.plans)
    for plan in decision.plans:
        used = images_of(known, wanted[plan.host])
        decision.hosts[plan.host] = _work(
            inputs, plan, releases[plan.host], wanted[plan.host], used, made_of[plan.host]
        )
    decision.waves = waves([plan.host for plan in decision.plans if plan.changes], inputs.waves)
    document.seal(decision, "deploy", inputs.states, made_of)
    return decision


def _images(
    inputs: Inputs, wanted: Mapping[str, Wanted]
) -> tuple[dict[str, Image], list[MaestroError]]:
    """`images`, as they were verified where a run promotes them."""
    known, refused = images(inputs, wanted)
    verified, others = promotion.pinned(known, inputs.request)
    return verified, [*refused, *others]


def _made_of(
    releases: Mapping[str, Rendered], wanted: Mapping[str, Wanted], known: Mapping[str, Image]
) -> dict[str, dict[str, str | list[str]]]:
    return {
        host: facts.of_release(wanted[host], rendered, images_of(known, wanted[host]))
        for host, rendered in releases.items()
    }


def _with_lines(
    problems: list[MaestroError], inputs: Inputs, wanted: Mapping[str, Wanted]
) -> list[MaestroError]:
    """The problems, with the lines that a refusal prints."""
    request, first = inputs.request, next(iter(wanted.values()), None)
    # What is seen before Compose read the files may be seen again after it.
    problems = list({str(problem): problem for problem in problems}.values())
    file = str(next(iter(request.get("compose_files") or ()), "compose.yaml"))
    extension = first.extension if first else {}
    return pasting.with_lines(problems, file, str(request["environment"]), extension)


def _refusals(
    inputs: Inputs,
    plan: records.Plan,
    rendered: Rendered,
    wanted: Wanted,
    known: list[MaestroError],
) -> list[MaestroError]:
    """What cannot work on this host; ``known`` are the problems of all hosts so far."""
    found = inputs.states[plan.host]
    problems = list(preflight.preflight(plan, rendered, found))
    problems += ownership.judge(plan, wanted, rendered, found, adoption.Asked.of(inputs.request))
    problems += edge_names.problems(plan.host, plan.stack, wanted.extension, found["edge"])
    said = {str(problem) for problem in [*known, *problems]}
    far = reachability.problems(plan.stack, wanted.model, wanted.extension, Resources.of(found))
    return [*problems, *(problem for problem in far if str(problem) not in said)]


def _warnings(
    plan: records.Plan,
    rendered: Rendered,
    found: State,
    wanted: Wanted,
    images: Mapping[str, Image],
) -> list[str]:
    """What works, and an operator should know of it."""
    services = rendered.compose["services"]
    fresh = plan.services(records.CREATE, records.REPLACE, records.SCALE)
    return [
        *variables.left_open(wanted.model),
        *profiles.unknown(wanted.model, wanted.profiles),
        *reachability.unread(wanted.model, wanted.extension),
        *profiles.left_out(found["model"], wanted.model),
        *checks.of_plan(plan, found, rendered.services, wanted, images),
        *hardening.missing(services, fresh, found["engine"]),
        *lifecycle_hooks.warnings(services, fresh),
        *ignored_keys.warnings(services, fresh, str(found["engine"]["compose"])),
    ]


def _endangered(
    inputs: Inputs, plan: records.Plan, rendered: Rendered, wanted: Wanted
) -> list[MaestroError]:
    """What would cost data, or get into the way of another deploy."""
    found = inputs.states[plan.host]
    accepted = bool(inputs.request.get("accept_volume_change"))
    problems = list(
        preflight.resource_problems(plan, rendered, found, accept_volume_change=accepted)
    )
    data = View(plan, rendered, found, volumes.routed(wanted.routes))
    problems += volumes.review(data, accept=accepted)
    return problems if inputs.request.get("dry") else [*problems, *held(plan, found)]


def _rendered(
    inputs: Inputs, host: str, wanted: Wanted, known: Mapping[str, Image], release: str
) -> Rendered:
    """The release of one host, with ``release`` as the version of secrets that are new."""
    lacking = dict.fromkeys(inputs.request.get("lacking") or (), "")
    found = {**lacking, **inputs.states[host]["secrets"]}
    files = inputs.states[host].get("own", {}).get("files", inputs.request["files"])
    return draft(
        Wish(
            stack=str(inputs.request["stack"]),
            model=wanted.model,
            extension=wanted.extension,
            images=known,
            secrets={name: version or release for name, version in found.items()},
            files=files,
            layout=Layout(Path(wanted.root), str(inputs.request["stack"])),
            profiles=wanted.profiles,
            writable=hardening.writable(files, inputs.request["compose_files"])
            if wanted.extension.get(hardening.KEY)
            else frozenset(),
        )
    )


def _wish(request: DeployRequest, wanted: Wanted) -> compare.Wish:
    return {
        "stack": request["stack"],
        "version": wanted.version,
        "extension": wanted.extension,
        "routes": wanted.routes,
        "remove_unnamed": bool(request.get("remove_unnamed")),
    }


def _work(
    inputs: Inputs,
    plan: records.Plan,
    rendered: Rendered,
    wanted: Wanted,
    images: Mapping[str, Image],
    made_of: MadeOf,
) -> Work:
    """What the steps after the plan need on one host."""
    timeouts = {
        item["service"]: float(item.get("timeout", 300))
        for item in wanted.extension.get("migrations") or []
    }
    return {
        **work(
            plan,
            rendered,
            state=inputs.states[plan.host],
            manifest=_manifest(inputs, plan, rendered, wanted, images, made_of),
            staged=inputs.run.release,
            purpose=_purpose(wanted, overwritten(inputs.states[plan.host], wanted.version, images)),
            by=inputs.run.by,
        ),
        "reading": _reading(inputs.states[plan.host]),
        "migrations": [
            {
                **item,
                "timeout": timeouts[item["service"]],
                "networks": {renewed.key: renewed.name for renewed in plan.networks if renewed.key},
                "needs": needs_of(wanted.model, item["service"], rendered.order),
            }
            for item in plan.migrations
            if item["on"] == plan.host
        ],
    }


def _purpose(wanted: Wanted, anew: Sequence[str]) -> str:
    """What a host's history says of it; ``anew`` as from `overwritten`."""
    rules = sorted({made.rule for made in wanted.exceptions})
    also = f", allowed: {', '.join(rules)}" if rules else ""
    also += f", overwritten: {', '.join(anew)}" if anew else ""
    return f"deploy of {wanted.version}{also}"


def overwritten(state: State, version: str, images: Mapping[str, Image]) -> list[str]:
    """Images with the release's version that have other contents than when the host got them.

    ``make images FORCE=1`` does that, or whoever may push to the registry.
    """
    known = state["release"].get("images") or {}
    changed = [
        Reference.parse(name)
        for name, image in images.items()
        if name in known and known[name]["digest"] != image["digest"]
    ]
    return sorted(each.repository for each in changed if each.tag == version)


def _reading(state: State) -> ReadingFacts:
    """What the host keeps of how Compose read the stack, see `host.reading`."""
    read = state["reading"]
    return {"key": read, "compose": state["engine"]["compose"], "model": state["model"]}


def _manifest(
    inputs: Inputs,
    plan: records.Plan,
    rendered: Rendered,
    wanted: Wanted,
    images: Mapping[str, Image],
    made_of: MadeOf,
) -> Manifest:
    request = inputs.request
    origin = manifest.Origin(
        id=inputs.run.release,
        previous=plan.release,
        created=inputs.run.at,
        by=inputs.run.by,
        approved_by=request["approved_by"],
        plan="",  # `document.seal` knows it
    )
    content = manifest.Content(
        stack=request["stack"],
        environment=request["environment"],
        version=wanted.version,
        git_commit=request["git_commit"],
        images=images,
        migrated=[item["service"] for item in plan.migrations],
        breaking=_breaking(plan, wanted.extension),
        routes=wanted.routes,
        names=names.recorded(plan.stack, rendered.compose, wanted.extension),
        smoke=list(wanted.extension.get("smoke") or []),
        exceptions=[made.text for made in wanted.exceptions],
        userns=inputs.states[plan.host].get("userns") or {},
        made_of=made_of,
        promoted=promotion.origin(request),
    )
    return manifest.deployed(origin, rendered, content)


def _breaking(plan: records.Plan, extension: Extension) -> list[str]:
    """The migrations of this release after which an older one no longer works."""
    marked = {
        item["service"]
        for item in extension.get("migrations") or []
        if item.get("backward_compatible") is False
    }
    return [item["service"] for item in plan.migrations if item["service"] in marked]
