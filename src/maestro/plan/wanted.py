"""What each host shall run: the stack as that host reads it, with values of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.reference import Reference
from ..stack import (
    built_source,
    exceptions,
    host_paths,
    isolation,
    mounts,
    policy,
    ports,
    route_users,
    routes,
    secret_variables,
    smoke,
)
from ..stack.exceptions import Made
from ..stack.extension import EXTENSION, extension_problems
from ..stack.model import active_services, migration_services, plain_keys, unescaped
from ..stack.variables import STAND_IN
from . import reachability
from .run import Run

if TYPE_CHECKING:
    from ..records import Compose, DeployRequest, Extension, Image, Route, Service, State


LOGIN = "registry_password"  # the secret's name


@dataclass(frozen=True)
class Inputs:
    """What the decision is made of.

    ``request`` is the answer of the request step, ``states`` maps hosts to the answers of
    the state step, ``resolver`` is the host that asked the registry. ``root`` and ``profiles``
    are those of a host whose state names none of its own.
    """

    request: DeployRequest
    states: Mapping[str, State]
    resolver: str
    root: str = ""
    profiles: frozenset[str] = frozenset()
    waves: tuple[str, ...] = ("100%",)
    run: Run = field(kw_only=True)


@dataclass(frozen=True)
class Wanted:
    """The stack of one host: hosts that read it alike share one of these.

    ``model`` is Compose's canonical reading without the services that are not deployed,
    ``routes`` is as in `routes.rendered`.
    """

    version: str
    root: str
    profiles: frozenset[str]
    model: Compose
    extension: Extension
    routes: list[Route]
    # What the plan tells besides.
    warnings: list[str] = field(default_factory=list)
    # What the stack is allowed by name.
    exceptions: list[Made] = field(default_factory=list)
    # Why it cannot be: what else is wrong is looked for all the same.
    problems: list[MaestroError] = field(default_factory=list)


def of_hosts(inputs: Inputs) -> tuple[dict[str, Wanted], list[MaestroError]]:
    """What each host shall run, and all that is wrong with it, each of it once.

    Where not all hosts have the same problem it is said on which ones. A host whose Compose
    cannot read the stack is left out.
    """
    versions = _versions(inputs)
    read: list[tuple[Compose, Any, Wanted]] = []
    found: dict[str, Wanted] = {}
    refused: dict[str, list[MaestroError]] = {}
    for host, state in inputs.states.items():
        root, profiles = _own(inputs, state)
        of_host = (versions[host], root, profiles)
        same = [
            wanted
            for model, paths, wanted in read
            if (wanted.version, wanted.root, wanted.profiles) == of_host
            and (model, paths) == (state["model"], state.get("paths"))
        ]
        if state["model_problem"]:
            # What is wrong with the files is said already, and Compose stumbles over it too.
            said = bool(inputs.request.get("problems") or state.get("own", {}).get("problems"))
            refused[host] = [] if said else [MaestroError(str(state["model_problem"]))]
            continue
        found[host] = same[0] if same else _wanted(inputs, state, of_host)
        refused[host] = found[host].problems
        if not same:
            read.append((state["model"], state.get("paths"), found[host]))
    return found, once(refused, list(inputs.states))


def images(
    inputs: Inputs, wanted: Mapping[str, Wanted]
) -> tuple[dict[str, Image], list[MaestroError]]:
    """Digest, user and size of every image that a host deploys: one digest for all hosts.

    The answer of the host that asks for all counts first. A host with values of its own asks
    for what only it deploys. Then why there is none of some: `UNKNOWN` stands for these.
    """
    order = [inputs.resolver, *(host for host in inputs.states if host != inputs.resolver)]
    references = sorted({str(s["image"]) for host in wanted.values() for s in _services(host)})
    found: dict[str, Image] = {}
    refused: set[str] = set()
    # Without a password the registry tells nothing, and that it lacks is said already.
    without_login = LOGIN in (inputs.request.get("lacking") or ())
    registry = inputs.request.get("registry", "")
    references = [name for name in references if STAND_IN not in name]
    for reference in references:
        for state in (inputs.states[host] for host in order):
            if reference in state["refused"]:
                if not without_login or Reference.parse(reference).registry != registry:
                    refused.add(str(state["refused"][reference]))
                break
            if reference in state["resolved"]:
                found[reference] = {**state["resolved"][reference]}
                break
        else:
            refused.add(_unknown(reference))
    everything = {str(s["image"]) for host in wanted.values() for s in _services(host)}
    found |= {name: UNKNOWN for name in everything if name not in found}
    return found, [MaestroError(text) for text in sorted(refused)]


def _services(wanted: Wanted) -> list[Service]:
    """Those that have an image: one without is refused for it."""
    return [service for service in wanted.model["services"].values() if service.get("image")]


# Of an image that no registry has: what else is wrong is looked for with it.
UNKNOWN: Image = {"digest": f"sha256:{'0' * 64}", "user": "", "size": 0}


def images_of(known: Mapping[str, Image], wanted: Wanted) -> dict[str, Image]:
    """Those of the images that one host deploys."""
    names = {str(service["image"]) for service in wanted.model["services"].values()}
    return {name: {**known[name]} for name in sorted(names)}


def _unknown(reference: str) -> str:
    problem = MaestroError(
        f"no host asked the registry for {reference}",
        fix="run it again: the hosts changed meanwhile",
    )
    return str(problem)


def _own(inputs: Inputs, state: State) -> tuple[str, frozenset[str]]:
    own = state.get("own")
    if own is None:
        return inputs.root, inputs.profiles
    return str(own["root"]), frozenset(map(str, own["profiles"]))


def _wanted(inputs: Inputs, state: State, of_host: tuple[str, str, frozenset[str]]) -> Wanted:
    version, root, profiles = of_host
    stack, environment = str(inputs.request["stack"]), str(inputs.request["environment"])
    said = unescaped(plain_keys(state["model"].get(EXTENSION) or {}))
    place = f"{stack}/compose.yaml: {EXTENSION}"
    problems = extension_problems(said, place, list(state["model"]["services"]), filled=True)
    extension = _without(said, place, problems) if problems else said
    model = narrow({**state["model"], EXTENSION: extension}, extension, profiles)
    files = inputs.request["files"]
    model, warnings = _without_source(model, inputs.request)
    of_place = _place(model, root, state, inputs.request)
    problems += policy.problems(model, environment, stack, of_place)
    problems += route_users.problems(model, extension, stack)
    problems += secret_variables.out_of_place(model, stack)
    warnings += secret_variables.weaker(model)
    if environment != policy.DEVELOPMENT:
        warnings += secret_variables.literal(model)
    made = policy.made(model, environment, of_place)
    model = mounts.as_configs(model, files)
    if environment != policy.DEVELOPMENT:
        model = ports.left_to_the_edge(model, extension)
    return Wanted(
        version,
        root,
        profiles,
        model,
        extension,
        reachability.named(routes.rendered(extension), model, extension),
        warnings,
        made,
        problems,
    )


def _without_source(model: Compose, request: DeployRequest) -> tuple[Compose, list[str]]:
    """The model without mounts that are for whoever develops the stack, and what is said of it."""
    if str(request["environment"]) == policy.DEVELOPMENT:
        return model, []
    return built_source.left_out(model, request.get("code") or {})


def _without(extension: Extension, place: str, problems: Iterable[MaestroError]) -> Extension:
    """``x-maestro`` without the keys that something is wrong with."""
    if not isinstance(extension, dict):
        return {}
    wrong = {
        re.split(r"[.\[]", problem.where.removeprefix(place).lstrip("."))[0] for problem in problems
    }
    known = set(smoke.schema()["properties"]) - wrong
    return {key: value for key, value in extension.items() if key in known}


def narrow(model: Compose, extension: Extension, profiles: Iterable[str]) -> Compose:
    """The model without the services that are not deployed."""
    kept = [*active_services(model, extension, profiles), *migration_services(extension)]
    return {**model, "services": {name: model["services"][name] for name in kept}}


def _place(model: Compose, root: str, state: State, request: DeployRequest) -> isolation.Place:
    """What the policy needs to know of a host: links there, and where others' files lie."""
    engine = state.get("engine")
    data = str(engine.get("data") or "") if engine else ""
    never = [
        (root, "the releases and secrets of all stacks are there", ""),
        (data, "the volumes of all stacks are there", host_paths.DATA),
    ]
    known = tuple(item for item in never if item[0].startswith("/"))
    digests = {name: image["digest"] for name, image in state["resolved"].items()}
    return isolation.Place(
        model,
        state.get("paths") or {},
        known,
        request["files"],
        request.get("there") or {},
        digests,
        exceptions.of_environment(
            request.get("allow") or [], str(request["environment"]), str(request["stack"])
        ),
    )


def once(refused: Mapping[str, list[MaestroError]], hosts: list[str]) -> list[MaestroError]:
    """Each problem once, with the hosts that have it where others have not."""
    by_text: dict[str, tuple[MaestroError, list[str]]] = {}
    for host, problems in refused.items():
        for problem in problems:
            by_text.setdefault(str(problem), (problem, []))[1].append(host)
    return [
        problem if found == hosts else _on(found, problem) for problem, found in by_text.values()
    ]


def _on(hosts: Iterable[str], problem: MaestroError) -> MaestroError:
    where = ": ".join(filter(None, [", ".join(hosts), problem.where]))
    return MaestroError(problem.what, where=where, fix=problem.fix, lines=problem.lines)


def _versions(inputs: Inputs) -> dict[str, str]:
    """The version of each host: its own, the one asked for, or the one that all others run."""
    asked = {
        host: str(state.get("own", inputs.request)["version"])
        for host, state in inputs.states.items()
    }
    open_hosts = [host for host, version in asked.items() if not version]
    if not open_hosts:
        return asked
    running = {host: str(inputs.states[host]["version"]) for host in open_hosts}
    found = sorted(set(running.values()))
    if found == [""]:
        raise MaestroError(
            f"no version was given: {inputs.request['stack']} has not been deployed here yet",
            where=", ".join(running),
            fix="add -e version=TAG (make images VERSION=TAG builds one)",
        )
    if len(found) > 1:
        detail = ", ".join(f"{host}: {version or 'none'}" for host, version in running.items())
        raise MaestroError(
            "the hosts run different versions", where=detail, fix="choose one: -e version=TAG"
        )
    return {**asked, **running}
