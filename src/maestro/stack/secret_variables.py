"""Variables whose value is a secret: a service has it in its environment, and no file has it.

In Compose's own words, ``secrets: {db_password: {environment: DB_PASSWORD}}`` says that the
variable DB_PASSWORD is a secret. While files are read a mark stands for its value; the release has
a variable in its place, which a host fills in when it starts the container.
https://docs.docker.com/reference/compose-file/secrets/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Line, MaestroError
from ..redaction.keys import is_secret
from ..redaction.redactor import Redactor
from .development import ENVIRONMENT
from .interpolation import dotenv, uses

if TYPE_CHECKING:
    from ..records import Compose, Service, Written

MARK = re.compile(r"@@maestro/([A-Za-z0-9_][A-Za-z0-9_.-]*)@@")
_PLAIN = frozenset(("", "true", "false", "yes", "no", "on", "off", "none", "null"))
_FILE = re.compile(r"/(run|var/run|etc|usr|opt|srv)/\S*\Z")


def mark(secret: str) -> str:
    """What stands for the value of a secret."""
    return f"@@maestro/{secret}@@"


def declared(documents: Iterable[Written]) -> dict[str, str]:
    """The variables that are secrets, and the secrets' names."""
    found = {}
    for document in documents:
        secrets = document.get("secrets")
        for name, said in (secrets if isinstance(secrets, dict) else {}).items():
            variable = said.get("environment") if isinstance(said, dict) else None
            if isinstance(variable, str) and variable:
                found[variable] = str(name)
    return found


def read_by(service: Service, env_files: Iterable[str], variables: Mapping[str, str]) -> set[str]:
    """The secrets that a service has by their variables: in its keys, or in files it names.

    ``env_files`` are the texts of these.
    """
    found = {use.name for text in _texts(service) for use in uses(text)}
    environment = service.get("environment")
    if isinstance(environment, dict):
        found |= {str(name) for name, value in environment.items() if value is None}
    elif isinstance(environment, list):
        found |= {str(entry) for entry in environment if "=" not in str(entry)}
    for text in env_files:
        found |= {*dotenv(text, {}), *(use.name for use in uses(text))}
    return {secret for variable, secret in variables.items() if variable in found}


def marked(text: str, variables: Mapping[str, str]) -> str:
    """An env file with marks in place of the values of secrets."""
    values = dotenv(text, {})
    here = [name for name in values if name in variables]
    if not here:
        return text
    for name in here:
        # With all lines of a value in quotes.
        line = re.compile(
            rf"^(\s*(?:export\s+)?{re.escape(name)}\s*[=:])"
            r"""[^\S\n]*(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\n]*)[^\n]*$""",
            re.MULTILINE,
        )
        put = mark(variables[name])
        text = line.sub(lambda found, put=put: found[1] + put, text)  # type: ignore[misc]
    return text


def in_env_file(
    text: str, where: str, environment: str, variables: Mapping[str, str]
) -> Iterator[MaestroError]:
    """Values of an env file that are secrets, by their name or their form."""
    if environment == ENVIRONMENT:
        return
    for name, value in sorted(dotenv(text, {}).items()):
        if name in variables or not _secret(name, value):
            continue
        secret = name.lower()
        yield MaestroError(
            f"the value of {name} looks like a secret",
            where=where,
            fix="let it come from the secrets of the environment (see docs/secrets.md): in the "
            f"Compose file, `secrets: {{{secret}: {{environment: {name}}}}}` says that ${{{name}}} "
            f"is the secret {secret}; the value here is then for development alone",
            lines=[Line(("secrets", secret), {"environment": name})],
        )


def _secret(name: str, value: str) -> bool:
    said = value.strip()
    if said.lower() in _PLAIN or MARK.search(said):
        return False
    if is_secret(name):
        return not _FILE.match(said)
    return Redactor(()).text(said) != said


def out_of_place(model: Compose, stack: str) -> Iterator[MaestroError]:
    """Secrets that Compose's reading has elsewhere than in the environment of a service."""
    for path, text in _paths(model, ""):
        if re.match(r"services\.[^.]+\.environment\.", path):
            continue
        for found in MARK.finditer(text):
            yield MaestroError(
                f"the secret {found[1]} would be seen there by everybody",
                where=f"{stack}/compose.yaml: {path}",
                fix="only the `environment` of a service may have it; a command can read it there "
                "by a shell of the container: `sh -c 'exec program $$NAME'`",
            )


def weaker(model: Compose) -> list[str]:
    """What a plan says of secrets in the environment of containers."""
    found = []
    for service, definition in sorted(model["services"].items()):
        environment = definition.get("environment")
        for name, value in sorted(environment.items() if isinstance(environment, dict) else ()):
            found += [
                f"services.{service}.environment.{name}: the secret {one[1]} is in the "
                "environment: every process of the container and `docker inspect` on the host "
                "show it; a file at /run/secrets is safer"
                for one in MARK.finditer(str(value or ""))
            ]
    return found


def literal(model: Compose) -> list[str]:
    """What a plan says of values that look like secrets, and that files in git have as they are."""
    found = []
    for service, definition in sorted(model["services"].items()):
        environment = definition.get("environment")
        for name, value in sorted(environment.items() if isinstance(environment, dict) else ()):
            if _secret(str(name), str(value or "")):
                secret = str(name).lower()
                found.append(
                    f"services.{service}.environment.{name} looks like a secret, in plain text: "
                    "whoever reads the Compose file or the release has it. "
                    f"`secrets: {{{secret}: {{environment: {name}}}}}` and `{name}: ${{{name}}}` "
                    "take it from the secrets of the environment (docs/secrets.md)"
                )
    return found


def _texts(value: Any) -> Iterator[str]:
    yield from (text for _, text in _paths(value, ""))


def _paths(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            inside = f"{path}.{key}" if path else str(key)
            yield inside, str(key)
            yield from _paths(item, inside)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _paths(item, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value
