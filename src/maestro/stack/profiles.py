"""The profiles of a stack that are on: as they are said, and as its services know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from .compose_tree import Tree

if TYPE_CHECKING:
    from ..records import Compose, Service

VARIABLE = "maestro_stack_profiles"
# Compose's word for every profile there is.
# https://docs.docker.com/reference/cli/docker/compose/#use---profile-to-enable-optional-services
ALL = "*"


def said(value: Any, stack: str) -> list[str]:
    """The profiles that a host's variables give a stack, sorted; text is names with commas between.

    Raises `MaestroError` where they are not said for the stack.
    """
    names = value.split(",") if isinstance(value, str) else value or ()
    if isinstance(names, Mapping | bool | int | float) or not all(
        isinstance(name, str) for name in names
    ):
        raise MaestroError(
            f"did not find a list of names for {stack}",
            where=VARIABLE,
            fix=f"write {stack}: [PROFILE] in it; on a command line: "
            f"""-e '{{"{VARIABLE}": {{"{stack}": ["PROFILE"]}}}}'""",
        )
    return sorted({name.strip() for name in names} - {""})


def meant(wanted: frozenset[str], tree: Tree) -> frozenset[str]:
    """The profiles by their names where all of them are wanted."""
    if ALL not in wanted:
        return wanted
    services = {name for part in tree.parts for name in part.services}
    return frozenset().union(*(tree.profiles_of(name) for name in services))


def unknown(model: Compose, wanted: Iterable[str]) -> list[str]:
    """Warnings about wanted profiles that no service of Compose's own reading is of."""
    known = {name for service in model["services"].values() for name in service.get("profiles", ())}
    return [
        f"no service is of the profile {name}; the stack has "
        + (", ".join(sorted(known)) or "no profiles")
        for name in sorted(set(wanted) - known)
    ]


def left_out(model: Compose, deployed: Compose) -> list[str]:
    """Warnings about services that are not deployed, and that a deployed one depends on.

    ``model`` is Compose's own reading, ``deployed`` the same without what is not. Compose refuses
    it, unless the dependency says ``required: false``.
    """
    return [
        f"services.{name}.depends_on: {other} is not deployed ({_why(model['services'][other])}), "
        f"and {name} starts without it"
        for name, service in sorted(deployed["services"].items())
        for other, need in sorted((service.get("depends_on") or {}).items())
        if other not in deployed["services"]
        and other in model["services"]
        and (need or {}).get("required", True)
    ]


def _why(service: Service) -> str:
    names = ", ".join(service.get("profiles") or ())
    return f"to have it, name its profile {names} in {VARIABLE}" if names else "it has no replicas"
