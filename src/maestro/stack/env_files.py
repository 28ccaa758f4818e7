"""The env files of a stack: what gives its variables their values, and what containers are given.

``.env`` beside the Compose file is read as Compose reads it, and after it ``.env.ENVIRONMENT``, as
with ``--env-file .env --env-file .env.staging``: the later one counts more.
https://docs.docker.com/compose/how-tos/environment-variables/envvars-precedence/
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import MaestroError
from . import secret_variables
from .compose_tree import Part, Tree, entries
from .development import development_only
from .directory import Sources
from .interpolation import dotenv
from .variables import ENV_FILE

if TYPE_CHECKING:
    from ..records import Service


def own(sources: Sources, environment: str) -> list[str]:
    """Those beside the Compose file that count in an environment; they go along."""
    found = [name for name in (ENV_FILE, f"{ENV_FILE}.{environment}") if sources.stands(name)]
    if ENV_FILE in found and development_only(sources.peek(ENV_FILE), environment):
        found.remove(ENV_FILE)
    return found


def values(sources: Sources, names: list[str], given: Mapping[str, str]) -> dict[str, str]:
    """What they say, with ``given`` counting more; `MaestroError` for one that is no text."""
    found: dict[str, str] = {}
    for name in names:
        found |= dotenv(sources.text(name), {**found, **given})
    return found


def secrets_of(tree: Tree, service: str, variables: Mapping[str, str]) -> set[str]:
    """The secrets that a service has by their variables."""
    found: set[str] = set()
    for part in tree.parts:
        said = part.services.get(service)
        if said is not None:
            texts = [text for _, text in _named(tree, part, said)]
            found |= secret_variables.read_by(said, texts, variables)
    for (_, name), part in tree.extended.items():
        found |= secret_variables.read_by(part.services.get(name, {}), (), variables)
    return found


def problems(
    tree: Tree, names: list[str], environment: str, variables: Mapping[str, str]
) -> Iterator[MaestroError]:
    """Secrets in the env files of a stack, each once; ``names`` are those beside its file."""
    files = dict.fromkeys(names)
    for part in tree.parts:
        for service in part.services.values():
            files |= dict.fromkeys(path for path, _ in _named(tree, part, service))
    for path in files:
        text = tree.sources.text(path)
        where = f"{tree.sources.name}/{path}"
        yield from secret_variables.in_env_file(text, where, environment, variables)


def mark(tree: Tree, names: list[str], variables: Mapping[str, str]) -> None:
    """Let no value of a secret variable go along in these files."""
    files = dict.fromkeys(names)
    for part in tree.parts:
        for service in part.services.values():
            files |= dict.fromkeys(path for path, _ in _named(tree, part, service))
    for path in files:
        file = tree.sources.files[path]
        text = secret_variables.marked(tree.sources.text(path), variables)
        tree.sources.files[path] = replace(file, content=text.encode())


def _named(tree: Tree, part: Part, service: Service) -> Iterator[tuple[str, str]]:
    """Path and text of the env files that a service names and that go along."""
    for entry in entries(service.get("env_file")):
        said = entry.get("path") if isinstance(entry, dict) else entry
        path = posixpath.normpath(posixpath.join(part.home, part.filled(said or "") or ""))
        if path in tree.sources.files:
            yield path, tree.sources.text(path)
