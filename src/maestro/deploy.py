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

from . import agent_archive, policy, routes
from . import plan as planning
from .controller import who
from .errors import MaestroError, raise_all
from .host.layout import Layout
from .host.rules import UPDATE
from .render import Rendered, Wish, narrow, needs_of, render, unescaped
from .stack import EXTENSION, extension_problems

MANIFEST_SCHEMA = 1
_WAVE = re.compile(r"^([1-9][0-9]*)(%?)\Z")


@dataclass(frozen=True)
class Inputs:
    """What the decision is made of.

    ``request`` is the answer of the request step, ``states`` maps hosts to the answers of
    the state step, ``resolver`` is the host that asked the registry.
    """

    request: Mapping[str, Any]
    states: Mapping[str, Mapping[str, Any]]
    resolver: str
    root: str
    profiles: frozenset[str]
    waves: tuple[str, ...] = ("100%",)


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

    def answer(self) -> dict[str, Any]:
        """The decision as the following steps read it."""
        changing = [plan.host for plan in self.plans if plan.changes]
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
    state = inputs.states[inputs.resolver]
    version = _version(inputs)
    if state["model_problem"]:
        raise MaestroError(str(state["model_problem"]))
    extension = unescaped(state["model"].get(EXTENSION) or {})
    place = f"{request['stack']}/compose.yaml: {EXTENSION}"
    raise_all(extension_problems(extension, place, list(state["model"]["services"]), filled=True))
    model = narrow(state["model"], extension, inputs.profiles)
    raise_all(policy.problems(model, str(request["environment"]), str(request["stack"])))
    images = _images(model, state)
    release = new_id()
    wish = {
        "stack": request["stack"],
        "version": version,
        "model": model,
        "extension": extension,
        "routes": routes.rendered(extension),
    }
    decision = Decision(release, [], "", {})
    problems: list[MaestroError] = []
    releases: dict[str, Rendered] = {}
    for host, found in inputs.states.items():
        rendered = render(
            Wish(
                stack=str(request["stack"]),
                model=model,
                extension=extension,
                images=images,
                secrets={name: known or release for name, known in found["secrets"].items()},
                files=request["files"],
                layout=Layout(Path(inputs.root), str(request["stack"])),
                profiles=inputs.profiles,
            )
        )
        plan = planning.decide(
            host, str(request["environment"]), rendered, found, images=images, wish=wish
        )
        problems += planning.preflight(plan, rendered, found)
        problems += routes.preflight(host, plan.stack, wish["routes"], found["edge"])
        if not request.get("accept_volume_change"):
            problems += planning.moved_volumes(host, str(found["compose"]), rendered.compose)
        problems += held(plan, found) if not request.get("dry") else []
        decision.plans.append(plan)
        releases[host] = rendered
    raise_all(problems)
    planning.share_migrations(decision.plans)
    digests = {reference: str(image["digest"]) for reference, image in images.items()}
    content = [model, releases[inputs.resolver].configs]
    decision.digest = planning.plans_hash(decision.plans, digests, content)
    for plan in decision.plans:
        work = _work(inputs, release, plan, releases[plan.host], wish, images)
        work["manifest"]["plan"] = decision.digest
        decision.hosts[plan.host] = work
    decision.waves = waves([plan.host for plan in decision.plans if plan.changes], inputs.waves)
    return decision


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


def _version(inputs: Inputs) -> str:
    """The version to deploy: the one asked for, or the one all hosts run."""
    if inputs.request["version"]:
        return str(inputs.request["version"])
    running = {host: str(state["version"]) for host, state in inputs.states.items()}
    found = sorted(set(running.values()))
    if found == [""]:
        raise MaestroError(
            f"which version? {inputs.request['stack']} has not been deployed here yet",
            where=", ".join(running),
            fix="say it: -e version=TAG (make images VERSION=TAG builds one)",
        )
    if len(found) > 1:
        detail = ", ".join(f"{host}: {version or 'none'}" for host, version in running.items())
        raise MaestroError(
            "the hosts run different versions", where=detail, fix="say which one: -e version=TAG"
        )
    return found[0]


def _images(model: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Digest, user and size of every image the stack deploys."""
    wanted = sorted({str(service["image"]) for service in model["services"].values()})
    refused = sorted({state["refused"][image] for image in wanted if image in state["refused"]})
    if refused:
        raise MaestroError("\n".join(refused))
    return {image: dict(state["resolved"][image]) for image in wanted}


def _work(
    inputs: Inputs,
    release: str,
    plan: planning.Plan,
    rendered: Rendered,
    wish: Mapping[str, Any],
    images: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What the steps after the plan need on one host."""
    timeouts = {
        item["service"]: float(item.get("timeout", 300))
        for item in wish["extension"].get("migrations") or []
    }
    return {
        **work(
            plan,
            rendered,
            state=inputs.states[plan.host],
            recorded=str(inputs.states[plan.host]["compose"]),
            manifest=_manifest(inputs, release, plan, rendered, wish, images),
            staged=release,
            purpose=f"deploy of {wish['version']}",
        ),
        "migrations": [
            {
                **item,
                "timeout": timeouts[item["service"]],
                "needs": needs_of(wish["model"], item["service"], rendered.order),
            }
            for item in plan.migrations
            if item["on"] == plan.host
        ],
    }


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
    ``recorded`` is the Compose file of the release that serves, ``manifest`` that of the one to
    come. ``staged`` is its id, empty when the host has it already: that one is not discarded
    when it does not go in.
    """
    touched = set(plan.services(planning.CREATE, planning.REPLACE, planning.START, planning.SCALE))
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
        "configs": rendered.config_texts,
        "secret_files": rendered.secret_files,
        "services": rendered.services,
        "routes": manifest.get("routes") or [],
        "levels": _only(rendered.order, touched),
        "recreate": [
            step.service
            for step in plan.steps
            if step.action == planning.REPLACE and step.reasons == (planning.UNHEALTHY,)
        ],
        "remove": plan.services(planning.REMOVE),
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
    wish: Mapping[str, Any],
    images: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """``release.json``: everything that is needed to say what serves, and to go back to it."""
    request = inputs.request
    return {
        "schema": MANIFEST_SCHEMA,
        "id": release,
        "stack": request["stack"],
        "environment": request["environment"],
        "version": wish["version"],
        "previous": plan.release,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "by": who(),
        "approved_by": request["approved_by"],
        "git_commit": request["git_commit"],
        "config_hash": config_hash(rendered),
        "images": {reference: dict(image) for reference, image in images.items()},
        "services": {
            name: {**facts, "digest": facts["image"].rpartition("@")[2]}
            for name, facts in rendered.services.items()
        },
        "migrations": {name: facts["hash"] for name, facts in rendered.migrations.items()},
        "migrated": [item["service"] for item in plan.migrations],
        "breaking": _breaking(plan, wish["extension"]),
        "order": rendered.order,
        "routes": wish["routes"],
        "smoke": list(wish["extension"].get("smoke") or []),
        "secrets": {item["name"]: item["version"] for item in rendered.secret_files},
        "configs": rendered.configs,
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
