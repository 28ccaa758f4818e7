"""What a host's own variables say of a deploy, beside what is asked for all hosts alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from ..host import naming
from ..stack import files, profiles
from . import variable_text

# What cannot differ between the hosts of one run, and where it is set.
SHARED = {
    "stack": "maestro_stack",
    "environment": "maestro_environment",
    "directory": "maestro_stacks_dir",
}


def settled(
    request: Mapping[str, Any], own: Mapping[str, Any], project: Path | None = None
) -> dict[str, Any]:
    """The request with a host's own version, variables, registry and source of secrets.

    ``own`` has ``stack``, ``environment``, ``directory``, ``version``, ``variables``, ``profiles``,
    ``registry``, ``registry_username`` and ``secrets`` as the host's variables give them.
    Raises `MaestroError` on a version, profile or variable that is no text; ``project`` shortens
    the place it names.
    """
    registry = str(own["registry"])
    return {
        **request,
        "version": variable_text.text(own["version"], "version"),
        "variables": {
            **variable_text.texts(own["variables"], str(request["stack"]), project),
            "REGISTRY": registry,
        },
        "profiles_said": profiles.said(own["profiles"], str(request["stack"])),
        "registry": registry,
        "registry_username": str(own["registry_username"]),
        "secrets_settings": dict(own["secrets"] or {}),
    }


def read_of(loaded: files.Stack) -> dict[str, Any]:
    """What a request says of the files that were read."""
    return {
        "files": loaded.files,
        "compose_files": loaded.compose_files,
        "secret_names": loaded.secret_names,
        "profiles": sorted(loaded.profiles),
    }


def request_of(
    request: Mapping[str, Any], own: Mapping[str, Any], project: Path
) -> tuple[dict[str, Any], bool]:
    """`settled`, and whether this host may read its stack otherwise than the first one.

    Raises `MaestroError` on what cannot differ, and on values that do not fit the stack.
    """
    for name, variable in SHARED.items():
        if str(own[name]) != str(request[name]):
            raise MaestroError(
                f"the {name} is {own[name]} here and {request[name]} on the first host",
                where=variable,
                fix=f"deploy them one after the other, or set {variable} alike",
            )
    found = settled(request, own, project)
    differs = any(found[key] != request[key] for key in ("version", "variables", "profiles_said"))
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
        found |= read_of(loaded)
    return found, differs
