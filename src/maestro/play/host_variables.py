"""What a host's own variables say of a deploy, beside what is asked for all hosts alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import MaestroError
from ..host import naming
from ..stack import files, profiles, secret_variables, variables
from . import problems, variable_text

if TYPE_CHECKING:
    from ..records import DeployRequest, FilesRead, ProblemFacts, Settings

# What cannot differ between the hosts of one run, and where it is set.
SHARED = {
    "stack": "maestro_stack",
    "environment": "maestro_environment",
    "directory": "maestro_stacks_dir",
}


def settings(own: Mapping[str, Any], stack: str, project: Path | None = None) -> Settings:
    """A host's own version, variables, profiles, registry and source of secrets.

    ``own`` has ``version``, ``variables``, ``profiles``, ``registry``, ``registry_username`` and
    ``secrets`` as the host's variables give them. Raises `MaestroError` on a version, profile or
    variable that is no text; ``project`` shortens the place it names.
    """
    registry = str(own["registry"])
    return {
        "version": variable_text.text(own["version"], "version"),
        "variables": {
            **variable_text.texts(own["variables"], stack, project),
            "REGISTRY": registry,
        },
        "profiles_said": profiles.said(own["profiles"], stack),
        "registry": registry,
        "registry_username": str(own["registry_username"]),
        "secrets_settings": dict(own["secrets"] or {}),
    }


def settled(
    request: DeployRequest, own: Mapping[str, Any], project: Path | None = None
) -> DeployRequest:
    """The request with a host's own `settings` in it."""
    return {**request, **settings(own, str(request["stack"]), project)}


def read(
    directory: Path, stack: str, environment: str, own: Settings
) -> tuple[files.Stack, FilesRead]:
    """A stack's files, and what a request says of them.

    What is wrong with them goes along, so that a plan tells it together with all else: nothing
    is changed then. Variables without a value have one that stands in for it.
    """
    naming.version(own["version"])
    loaded, found = files.look(
        directory,
        stack,
        environment,
        own["variables"],
        version=own["version"],
        profiles=own["profiles_said"],
    )
    said = read_of(loaded)
    if found:
        said["problems"] = problems.as_facts(found)
        said["open_variables"] = variables.open_names(loaded.tree)
    return loaded, said


def read_of(loaded: files.Stack) -> FilesRead:
    """What a request says of the files that were read."""
    return {
        "files": loaded.files,
        "compose_files": loaded.compose_files,
        "secret_names": loaded.secret_names,
        "profiles": sorted(loaded.profiles),
        "there": loaded.there,
        "code": loaded.code,
        "secret_variables": dict(loaded.secret_variables),
        # Compose finds this one by itself, and only where no other is named.
        "env_files": [] if loaded.env_files == [variables.ENV_FILE] else loaded.env_files,
    }


def request_of(
    request: DeployRequest, own: Mapping[str, Any], project: Path
) -> tuple[DeployRequest, bool]:
    """`settled`, and whether this host may read its stack otherwise than the first one.

    Raises `MaestroError` on what cannot differ, and on values that do not fit the stack.
    """
    first: Mapping[str, object] = request
    for name, variable in SHARED.items():
        if str(own[name]) != str(first[name]):
            raise MaestroError(
                f"the {name} is {own[name]} here and {first[name]} on the first host",
                where=variable,
                fix=f"deploy them one after the other, or set {variable} alike",
            )
    found = settled(request, own, project)
    here: Mapping[str, object] = found
    differs = any(here[key] != first[key] for key in ("version", "variables", "profiles_said"))
    if differs:
        _, said = read(
            project / str(own["directory"]), str(own["stack"]), str(own["environment"]), found
        )
        found.pop("problems", None)
        found.pop("open_variables", None)
        found = cast("DeployRequest", {**found, **said})
    return as_first(found), differs


def as_first(request: DeployRequest) -> DeployRequest:
    """What a host is asked whose variables say the same as those of the first one."""
    return {**request, "variables": filled(request)}


def filled(request: DeployRequest) -> dict[str, str]:
    """The variables that a host reads the stack with: something stands for what has no value yet.

    For what lacks one, and for secrets.
    """
    stand_ins = dict.fromkeys(request.get("open_variables") or (), variables.STAND_IN)
    marks = {
        variable: secret_variables.mark(name)
        for variable, name in (request.get("secret_variables") or {}).items()
    }
    return {**stand_ins, **request["variables"], **marks}


def problems_of(request: DeployRequest) -> list[ProblemFacts]:
    """What is wrong with the files of a request."""
    return request.get("problems") or []
