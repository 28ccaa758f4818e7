"""From the states of all hosts to the plan of each: what the deploy role decides on."""

from __future__ import annotations

import hashlib
import math
import re
import secrets as random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import (
    adoption,
    agent_archive,
    checks,
    edge_names,
    hardening,
    hooks,
    ignored,
    names,
    ownership,
    profiles,
    reached,
    settings,
    variables,
    volumes,
)
from . import plan as planning
from .controller import who
from .errors import MaestroError, raise_all
from .host.layout import Layout
from .host.resources import Resources
from .host.rules import UPDATE
from .render import Rendered, Wish, needs_of, render
from .wanted import Inputs, Wanted, images, images_of, of_hosts

__all__ = [
    "Decision",
    "Inputs",
    "Wanted",
    "config_hash",
    "decide",
    "held",
    "new_id",
    "waves",
    "work",
]
MANIFEST_SCHEMA = 1
_WAVE = re.compile(r"^([1-9][0-9]*)(%?)\Z")


@dataclass
class Decision:
    """The plans of all hosts, and per host what the following steps need."""

    release: str
    plans: list[planning.Plan]
    digest: str
    hosts: dict[str, dict[str, Any]]
    # Hosts in the order they are rolled: a wave begins when the one before serves.
    waves: list[list[str]] = field(default_factory=list)
    kind: str = UPDATE
    # What services need of each other is there already: nobody has to wait for another's new one.
    together: bool = False
    # What an operator must know besides the plan.
    notes: list[str] = field(default_factory=list)
    approved_by: str = ""

    def answer(self) -> dict[str, Any]:
        """The decision as the following steps read it."""
        changing = [plan.host for plan in self.plans if plan.changes]
        for work in self.hosts.values():
            work["claim"] |= {"approved_by": self.approved_by, "plan": self.digest}
        return {
            "release": self.release,
            "kind": self.kind,
            "together": self.together,
            "waves": self.waves,
            "plan": self.digest,
            "hosts": self.hosts,
            "fetches": any(self.hosts[host]["staged"] for host in changing),
            "migrates": any(work["migrations"] for work in self.hosts.values()),
            "changing": changing,
            "agent": agent_archive.identity() if changing else "",
        }


def decide(inputs: Inputs) -> Decision:
    """Decide everything, or refuse with all problems of all hosts at once."""
    request = inputs.request
    wanted = of_hosts(inputs)
    known = images(inputs, wanted)
    decision = Decision(new_id(), [], "", {}, approved_by=str(request["approved_by"]))
    problems: list[MaestroError] = []
    asked = adoption.Asked.of(request)
    releases: dict[str, Rendered] = {}
    for host, found in inputs.states.items():
        rendered = _rendered(inputs, host, wanted[host], known, decision.release)
        plan = planning.decide(
            host,
            str(request["environment"]),
            rendered,
            found,
            images=images_of(known, wanted[host]),
            wish=_wish(request, wanted[host]),
        )
        plan.settings = settings.changes(found, rendered, wanted[host].extension)
        problems += planning.preflight(plan, rendered, found)
        problems += ownership.judge(plan, wanted[host], rendered, found, asked)
        plan.warnings += variables.left_open(wanted[host].model)
        plan.warnings += profiles.unknown(wanted[host].model, wanted[host].profiles)
        plan.warnings += reached.unread(wanted[host].model, wanted[host].extension)
        plan.warnings += profiles.left_out(found["model"], wanted[host].model)
        problems += edge_names.problems(host, plan.stack, wanted[host].extension, found["edge"])
        plan.warnings += checks.of_plan(
            plan, found, rendered.services, wanted[host], images_of(known, wanted[host])
        )
        fresh = plan.services(planning.CREATE, planning.REPLACE, planning.SCALE)
        plan.warnings += hardening.missing(rendered.compose["services"], fresh, found["engine"])
        plan.warnings += hooks.warnings(rendered.compose["services"], fresh)
        version = str(found["engine"]["compose"])
        plan.warnings += ignored.warnings(rendered.compose["services"], fresh, version)
        far = reached.problems(
            plan.stack, wanted[host].model, wanted[host].extension, Resources.of(found)
        )
        said = {str(problem) for problem in problems}
        problems += [problem for problem in far if str(problem) not in said]
        accepted = bool(request.get("accept_volume_change"))
        problems += planning.resource_problems(
            plan, rendered, found, str(found["compose"]), accept_volume_change=accepted
        )
        data = volumes.View(plan, rendered, found, volumes.routed(wanted[host].routes))
        problems += volumes.review(data, accept=accepted)
        problems += held(plan, found) if not request.get("dry") else []
        decision.plans.append(plan)
        releases[host] = rendered
    raise_all(problems)
    planning.share_migrations(decision.plans)
    digests = {reference: str(image["digest"]) for reference, image in known.items()}
    content = {
        host: [wanted[host].root, wanted[host].model, rendered.configs]
        for host, rendered in releases.items()
    }
    decision.digest = planning.plans_hash(decision.plans, digests, content)
    for plan in decision.plans:
        work = _work(inputs, decision.release, plan, releases[plan.host], wanted[plan.host], known)
        work["manifest"]["plan"] = decision.digest
        decision.hosts[plan.host] = work
    decision.waves = waves([plan.host for plan in decision.plans if plan.changes], inputs.waves)
    return decision


def _rendered(
    inputs: Inputs, host: str, wanted: Wanted, known: Mapping[str, Mapping[str, Any]], release: str
) -> Rendered:
    """The release of one host, with ``release`` as the version of secrets that are new."""
    found = inputs.states[host]["secrets"]
    files = inputs.states[host].get("own", {}).get("files", inputs.request["files"])
    return render(
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


def _wish(request: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    return {
        "stack": request["stack"],
        "version": wanted.version,
        "model": wanted.model,
        "extension": wanted.extension,
        "routes": wanted.routes,
        "remove_unnamed": bool(request.get("remove_unnamed")),
    }


def new_id() -> str:
    """An id for a release: the time it is made, so that newer ones sort last."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + random.token_hex(2)


def waves(hosts: Sequence[str], sizes: Sequence[str]) -> list[list[str]]:
    """Cut hosts into waves; a size is a number of hosts or a share of all that change (``50%``).

    Each size says how many hosts have the release after that wave; what is left over goes
    in one last wave. Raises `MaestroError` on a size that is neither.
    """
    found: list[list[str]] = []
    done = 0
    for size in sizes:
        match = _WAVE.match(str(size))
        if not match:
            raise MaestroError(
                f"found {size!r} as the size of a wave",
                where="deploy_waves",
                fix='allowed: a number of hosts or a share of them, such as [1, "50%", "100%"]',
            )
        number = int(match[1])
        until = math.ceil(len(hosts) * number / 100) if match[2] else number
        if hosts[done:until]:
            found.append(list(hosts[done:until]))
            done = until
    if hosts[done:]:
        found.append(list(hosts[done:]))
    return found


def held(plan: planning.Plan, state: Mapping[str, Any]) -> list[MaestroError]:
    """Somebody else who changes the stack on this host right now."""
    lease = state["lease"]
    if not plan.changes or not lease.get("held"):
        return []
    return [
        MaestroError(
            f"{plan.stack} is being changed by {lease['owner']}",
            where=plan.host,
            fix="deploy when it has ended, or let this run wait: -e wait=SECONDS",
        )
    ]


def _work(
    inputs: Inputs,
    release: str,
    plan: planning.Plan,
    rendered: Rendered,
    wanted: Wanted,
    known: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
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
            recorded=str(inputs.states[plan.host]["compose"]),
            manifest=_manifest(inputs, release, plan, rendered, wanted, known),
            staged=release,
            purpose=f"deploy of {wanted.version}",
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


def _reading(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the host keeps of how Compose read the stack, see `host.reading`."""
    read = state["reading"]
    return {"key": read, "compose": state["engine"]["compose"], "model": state["model"]}


def work(
    plan: planning.Plan,
    rendered: Rendered,
    *,
    state: Mapping[str, Any],
    recorded: str,
    manifest: dict[str, Any],
    staged: str,
    purpose: str,
) -> dict[str, Any]:
    """What the steps after the plan need on one host, without migrations.

    ``state`` is what the plan was made on, ``purpose`` what the lease is taken for.
    ``recorded`` is the Compose file of the running release, ``manifest`` that of the one to
    come. ``staged`` is its id, empty when the host has it already: that one is not discarded
    when it does not go in.
    """
    untouched = {*plan.services(planning.KEEP, planning.REMOVE)}
    touched = {step.service for step in plan.steps} - untouched
    return {
        "plan": plan.as_dict(),
        "release": manifest["id"],
        "staged": staged,
        "claim": {
            "by": who(),
            "purpose": purpose,
            "release": staged,
            "serves": plan.release,
            "armed": True,
        },
        "expect": {
            "release": plan.release,
            "containers": sorted(str(item["id"]) for item in state["containers"]),
        },
        "compose": rendered.text,
        "reading": {},
        "configs": rendered.config_files,
        "secret_files": rendered.secret_files,
        "services": rendered.services,
        "routes": manifest.get("routes") or [],
        "levels": _only(rendered.order, touched),
        "recreate": [step.service for step in plan.steps if planning.recreates(step)],
        "remove": plan.services(planning.REMOVE),
        "networks": [item.name for item in plan.networks],
        "remove_first": planning.in_the_way(plan, rendered, recorded),
        "migrations": [],
        "smoke": manifest.get("smoke") or [],
        "manifest": manifest,
    }


def _only(levels: list[list[str]], wanted: set[str]) -> list[list[str]]:
    reduced = [[name for name in level if name in wanted] for level in levels]
    return [level for level in reduced if level]


def _manifest(
    inputs: Inputs,
    release: str,
    plan: planning.Plan,
    rendered: Rendered,
    wanted: Wanted,
    known: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """``release.json``: everything that is needed to say what serves, and to go back to it."""
    request = inputs.request
    return {
        "schema": MANIFEST_SCHEMA,
        "id": release,
        "stack": request["stack"],
        "environment": request["environment"],
        "version": wanted.version,
        "previous": plan.release,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "by": who(),
        "approved_by": request["approved_by"],
        "git_commit": request["git_commit"],
        "config_hash": config_hash(rendered),
        "images": {reference: dict(image) for reference, image in images_of(known, wanted).items()},
        "services": {
            name: {**facts, "digest": facts["image"].rpartition("@")[2]}
            for name, facts in rendered.services.items()
        },
        "migrations": {name: facts["hash"] for name, facts in rendered.migrations.items()},
        "migrated": [item["service"] for item in plan.migrations],
        "breaking": _breaking(plan, wanted.extension),
        "order": rendered.order,
        "routes": wanted.routes,
        "names": names.recorded(plan.stack, rendered.compose, wanted.extension),
        "smoke": list(wanted.extension.get("smoke") or []),
        "secrets": {item["name"]: item["version"] for item in rendered.secret_files},
        "configs": rendered.configs,
        # Which of the Engine's data this release's containers and volumes are in.
        "userns": inputs.states[plan.host].get("userns") or {},
    }


def config_hash(rendered: Rendered) -> str:
    """A name for the definitions of all services of a release."""
    shape = "".join(facts["hash"] for _, facts in sorted(rendered.services.items()))
    return hashlib.sha256(shape.encode()).hexdigest()


def _breaking(plan: planning.Plan, extension: Mapping[str, Any]) -> list[str]:
    """The migrations of this release after which an older one no longer works."""
    marked = {
        item["service"]
        for item in extension.get("migrations") or []
        if item.get("backward_compatible") is False
    }
    return [item["service"] for item in plan.migrations if item["service"] in marked]
