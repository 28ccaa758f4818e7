"""What a host's own variables say of a deploy, beside what is asked for all hosts alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host import naming
from ..stack import files, profiles
from . import variable_text

if TYPE_CHECKING:
    from ..records import DeployRequest, FilesRead, Settings

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


def read_of(loaded: files.Stack) -> FilesRead:
    """What a request says of the files that were read."""
    return {
        "files": loaded.files,
        "compose_files": loaded.compose_files,
        "secret_names": loaded.secret_names,
        "profiles": sorted(loaded.profiles),
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
        naming.version(found["version"])
        loaded = files.load(
            project / str(own["directory"]),
            str(own["stack"]),
            str(own["environment"]),
            found["variables"],
            version=found["version"],
            profiles=found["profiles_said"],
        )
        found = {**found, **read_of(loaded)}
    return found, differs
