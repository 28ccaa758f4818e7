"""The variables a stack's files use: which of them have no value, and what steers Compose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from .compose_tree import Tree
from .interpolation import Use, uses

if TYPE_CHECKING:
    from ..records import Compose

# What every stack may refer to.
GIVEN = ("REGISTRY", "VERSION", "COMPOSE_PROJECT_NAME")
ENV_FILE = ".env"
# Of a variable without a value, where the rest of the files is looked at all the same: a port, a
# tag or a count can be this, and nobody means it.
STAND_IN = "64999"
# Parts of a service that a shell or a program in the container may fill in itself.
_FOR_THE_CONTAINER = (".command", ".entrypoint", ".healthcheck", "_start", "_stop")
# What Compose and the Engine's command take from their environment beside ``COMPOSE_*``.
# https://docs.docker.com/reference/cli/docker/#environment-variables
_STEERS = (
    *("DOCKER_API_VERSION", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT"),
    *("DOCKER_DEFAULT_PLATFORM", "DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY"),
)


def missing(tree: Tree) -> list[MaestroError]:
    """Variables without a value and without a default: Compose would read them as empty."""
    found: dict[str, MaestroError] = {}
    for part, document in tree.all_parts():
        for path, text in _strings(document, ""):
            for use in _open(text, part.values):
                where = f"{tree.sources.name}/{part.path}: {path}"
                found.setdefault(use.name, _problem(use, where, path, tree.sources.name))
    return [problem for _, problem in sorted(found.items())]


def open_names(tree: Tree) -> list[str]:
    """The names of these variables."""
    return sorted(
        {
            use.name
            for part, document in tree.all_parts()
            for _, text in _strings(document, "")
            for use in _open(text, part.values)
        }
    )


def _open(text: str, values: Mapping[str, str], depth: int = 0) -> Iterator[Use]:
    for use in uses(text):
        value = values.get(use.name, "" if use.name in GIVEN else None)
        empty = value is None or (not value and use.operator.startswith(":"))
        if use.operator.endswith("?") or not use.operator:
            if value is None or (empty and use.operator == ":?" and use.name not in GIVEN):
                yield use
        elif depth < 20 and empty == use.operator.endswith("-"):
            yield from _open(use.rest, values, depth + 1)


def _problem(use: Use, where: str, path: str, stack: str) -> MaestroError:
    words = f": {use.rest}" if use.operator.endswith("?") and use.rest else ""
    fix = (
        f"set it in maestro_stack_variables.{stack}.{use.name} of the environment's "
        f"group_vars, or write ${{{use.name}:-default}}"
    )
    if any(key in f".{path}" for key in _FOR_THE_CONTAINER):
        fix += f"; when the container itself fills it in, write $${use.name}"
    return MaestroError(
        f"the variable {use.name} has no value and no default{words}", where=where, fix=fix
    )


def steering(stack: str, given: Mapping[str, str], dotenv: Mapping[str, str]) -> list[MaestroError]:
    """Values that would change what Compose does and not what the stack is."""
    problems = [
        MaestroError(
            f"{name} configures Compose itself and is not a variable of a stack",
            where=f"maestro_stack_variables.{stack}.{name}",
            fix="remove it; profiles are set by maestro_stack_profiles, files by their names "
            "(compose.ENVIRONMENT.yaml)",
        )
        for name in sorted(given)
        if name.startswith("COMPOSE_") or name in _STEERS
    ]
    project = dotenv.get("COMPOSE_PROJECT_NAME", stack)
    if project != stack:
        problems.append(
            MaestroError(
                f"COMPOSE_PROJECT_NAME is {project}, and the stack's directory is {stack}",
                where=f"{stack}/{ENV_FILE}",
                fix="give both one name: containers, volumes and networks are named by it",
            )
        )
    if dotenv.get("COMPOSE_FILE"):
        problems.append(
            MaestroError(
                "COMPOSE_FILE chooses other files than those that are deployed",
                where=f"{stack}/{ENV_FILE}",
                fix="remove it; what differs in one environment goes into "
                "compose.ENVIRONMENT.yaml, other files are named by `include:`",
            )
        )
    return problems


def left_open(model: Compose) -> list[str]:
    """Warnings about names in ``environment`` that nobody gives a value, as `TOKEN` alone does."""
    found = []
    for service, definition in sorted(model["services"].items()):
        environment = definition.get("environment")
        values = environment if isinstance(environment, dict) else {}
        names = sorted(name for name, value in values.items() if value is None)
        if names:
            found.append(
                f"{service}: {', '.join(names)} of its environment {_have(names)} no value and "
                "stays unset: give one in maestro_stack_variables, or leave the name out"
            )
    return found


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _strings(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value
