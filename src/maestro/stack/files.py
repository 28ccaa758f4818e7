"""A stack's files on the controller, and what can be said about them without a host."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all
from ..host import naming
from . import dates, env_files, item_names, mounts, outside_mounts, project_name, secret_variables
from . import variables as variable_checks
from .compose_tree import Part, Tree
from .directory import Sources
from .extension import EXTENSION, extension_problems, mappings
from .profiles import meant
from .words import did_you_mean, kind_of

if TYPE_CHECKING:
    from ..records import Extension, FileFacts, Service, Written

NAME = naming.STACK
_SAME_WORD = 0.87  # of `difflib`: one letter swapped, lost or doubled in `x-maestro`
TOP_LEVEL = (
    *("name", "version", "include", "services"),
    *("networks", "volumes", "secrets", "configs"),
)
MAPPINGS = ("networks", "volumes", "secrets", "configs")


# In Compose's own order; of several, it reads the first.
# https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file
BASE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(frozen=True)
class Stack:
    """One stack as its files say, before Compose has read them.

    ``compose_files`` names the stack's own Compose files, base first; ``tree`` has these and
    all that they include. ``profiles`` are those that are deployed.
    """

    name: str
    directory: Path
    compose_files: list[str]
    tree: Tree
    profiles: frozenset[str] = frozenset()
    # Its env files, the one that counts most last, and the variables that are secrets, by name.
    env_files: list[str] = field(default_factory=list)
    secret_variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, FileFacts]:
        """``{relative path: File.as_json}`` of everything Compose needs on a host."""
        return {name: file.as_json() for name, file in sorted(self.tree.sources.files.items())}

    @property
    def there(self) -> dict[str, str]:
        """What is at the paths that services mount, see `mounts.kinds`."""
        return mounts.kinds(self.tree.parts, self.tree.sources)

    @property
    def code(self) -> dict[str, str]:
        """Which of these paths have source code, see `program_text.kind`."""
        return mounts.code(self.tree.parts, self.tree.sources)

    @property
    def extension(self) -> Extension:
        """The ``x-maestro`` key; a later file's entries replace an earlier file's."""
        merged: Written = {}
        for part in self.tree.parts:
            found = part.document.get(EXTENSION) if part.base else None
            merged.update(found if isinstance(found, dict) else {})
        return merged

    @property
    def services(self) -> Mapping[str, Service]:
        """Service definitions of all files, a later file's keys over an earlier file's."""
        merged: dict[str, Written] = {}
        for part in self.tree.parts:
            for name in part.replaced:
                merged.pop(name, None)
            for name, service in part.services.items():
                merged.setdefault(name, {}).update(service)
        return merged

    @property
    def secret_names(self) -> list[str]:
        """The secrets that services read which are deployed (not those only a build uses)."""
        wanted = (name for name in self.services if self._active(name))
        return sorted({secret for name in wanted for secret in self.secrets_of(name)})

    def secrets_of(self, service: str) -> set[str]:
        """The secrets that one service reads: as files, and in its environment."""
        found = self.tree.secrets_of(service)
        if self.secret_variables:
            found |= env_files.secrets_of(self.tree, service, self.secret_variables)
        return found

    def _active(self, name: str) -> bool:
        """Whether a service may be deployed, as far as it is known before Compose read it."""
        migrations = self.extension.get("migrations")
        if any(item.get("service") == name for _, item in mappings(migrations)):
            return True
        profiles = self.tree.profiles_of(name)
        deploy = self.tree.last(name, "deploy")
        count = deploy.get("replicas") if isinstance(deploy, dict) else None
        count = self.tree.last(name, "scale") if count is None else count
        return str(count) != "0" and (not profiles or bool(profiles & self.profiles))


def load(
    directory: Path,
    name: str,
    environment: str,
    variables: Mapping[str, str],
    *,
    version: str = "",
    profiles: Iterable[str] = (),
) -> Stack:
    """Read a stack and refuse what can be refused without a host.

    ``version`` may be empty: the one that runs, which only hosts know. Raises `MaestroError`
    (or several at once) with the file, the path in it, what was found there and what is allowed.
    """
    stack, problems = look(
        directory, name, environment, variables, version=version, profiles=profiles
    )
    raise_all(problems)
    return stack


def look(
    directory: Path,
    name: str,
    environment: str,
    variables: Mapping[str, str],
    *,
    version: str = "",
    profiles: Iterable[str] = (),
) -> tuple[Stack, list[MaestroError]]:
    """Read a stack, and say what can be said without a host of what is wrong with it.

    As `load`; `MaestroError` only for what cannot be read as Compose files at all.
    """
    stack = read(directory, name, environment, variables, version=version, profiles=profiles)
    problems = [
        *stack.tree.problems,
        *variable_checks.steering(
            name, variables, env_files.values(stack.tree.sources, stack.env_files, variables)
        ),
        *env_files.problems(stack.tree, stack.env_files, environment, stack.secret_variables),
        *_shape(stack),
        *project_name.problems(stack.tree, name),
        *_extension(stack),
        *variable_checks.missing(stack.tree),
        *outside_mounts.problems(stack.tree, name, environment),
    ]
    if not problems and not stack.services:
        problems.append(
            MaestroError(
                "has no services",
                where=f"{name}/{stack.compose_files[0]}",
                fix="to remove the stack from its hosts: ansible-playbook maestro.stacks.remove "
                f"-l LIMIT -e stack={name}",
            )
        )
    return stack, _each_once(problems)


def read(
    directory: Path,
    name: str,
    environment: str,
    variables: Mapping[str, str],
    *,
    version: str = "",
    profiles: Iterable[str] = (),
) -> Stack:
    """The files of a stack; `MaestroError` only for those that cannot be read as YAML."""
    sources = Sources(_home(directory, name), name)
    tree = Tree(sources)
    documents: dict[str, Written] = {}
    problems: list[MaestroError] = []
    for file in _own_files(sources.directory, environment):
        try:
            document = tree.base(file, first=not documents)
        except MaestroError as problem:
            problems.append(problem)
        else:
            documents[file] = document
    raise_all(problems)
    names = env_files.own(sources, environment)
    dotenv = env_files.values(sources, names, variables)
    secret = secret_variables.declared(documents.values())
    marks = {variable: secret_variables.mark(found) for variable, found in secret.items()}
    given = {**dotenv, **variables, **marks, "COMPOSE_PROJECT_NAME": name}
    tree.grow(documents, {**given, "VERSION": version} if version else given)
    wanted = frozenset(profiles) or frozenset(
        filter(None, dotenv.get("COMPOSE_PROFILES", "").replace(" ", "").split(","))
    )
    if secret:
        env_files.mark(tree, names, secret)
    profiled = meant(wanted, tree)
    return Stack(name, sources.directory, list(documents), tree, profiled, names, secret)


def _own_files(home: Path, environment: str) -> list[str]:
    """The base file, and the environment's beside it where there is one."""
    base = next(file for file in BASE_FILES if _stands(home / file))
    stems = [base.rpartition(".")[0], "compose", "docker-compose"]
    beside = [f"{stem}.{environment}.{end}" for stem in stems for end in ("yaml", "yml")]
    return [base, *[file for file in beside if _stands(home / file)][:1]]


def _stands(path: Path) -> bool:
    """Whether something stands there, be it a link to nothing."""
    return path.exists() or path.is_symlink()


def _each_once(problems: Iterable[MaestroError]) -> list[MaestroError]:
    return list({str(problem): problem for problem in problems}.values())


def known(directory: Path) -> list[str]:
    """The stacks that stand in a directory."""
    return sorted({path.parent.name for file in BASE_FILES for path in directory.glob(f"*/{file}")})


def _home(directory: Path, name: str) -> Path:
    home = directory / name
    if NAME.match(name) and any(_stands(home / file) for file in BASE_FILES):
        return home
    stacks = known(directory)
    if name in stacks:
        raise MaestroError(
            f"{name!r} cannot name a stack",
            where=f"{directory.name}/{name}/",
            fix="rename the directory; allowed: lower-case letters, digits, '_' and '-', "
            "a letter or digit first",
        )
    close = difflib.get_close_matches(name, stacks, n=1)
    hint = f"did you mean `-e stack={close[0]}`? " if close else ""
    raise MaestroError(
        f"unknown stack {name!r}",
        where=f"{directory.name}/",
        fix=f"{hint}known stacks: {', '.join(stacks) or 'none'}; a stack is a directory "
        f"there with a {BASE_FILES[0]}",
    )


def _shape(stack: Stack) -> list[MaestroError]:
    """What is not of the kind it must be, and top-level keys Compose does not know."""
    problems: list[MaestroError] = []
    for part, document in stack.tree.all_parts():
        where = f"{stack.name}/{part.path}"
        problems += dates.problems(document, ("services", *MAPPINGS), where)
        problems += item_names.problems(document, ("services", *MAPPINGS), where)
    for part in stack.tree.parts:
        where = f"{stack.name}/{part.path}"
        problems += _keys(part, where)
        problems += _too_deep(part, where)
        services = part.document.get("services")
        for name, service in (services if isinstance(services, dict) else {}).items():
            if service is not None and not isinstance(service, dict):
                problems.append(
                    MaestroError(
                        f"found {kind_of(service)}, a service is a mapping",
                        where=f"{where}: services.{name}",
                        fix="write its keys indented below the name",
                    )
                )
        for name, service in part.services.items():
            problems += _readers(service, f"{where}: services.{name}")
            if name.startswith(("-", ".")):
                problems.append(
                    MaestroError(
                        f"{name!r} cannot name a service",
                        where=f"{where}: services",
                        fix="begin it with a letter or a digit",
                    )
                )
    return problems


def _keys(part: Part, where: str) -> Iterable[MaestroError]:
    """Top-level keys that Compose or Maestro does not know, or that are of another kind."""
    for key, value in part.document.items():
        place = f"{where}: {key}"
        if key == "models":
            yield MaestroError(
                "found models: no host has the program that Compose runs them with",
                where=place,
                fix="run the model as a service of the stack, and give its address to what uses it",
            )
        elif key not in TOP_LEVEL and not str(key).startswith("x-"):
            yield MaestroError(
                "unknown key", where=place, fix=did_you_mean(str(key), [*TOP_LEVEL, EXTENSION])
            )
        elif _misspelt(str(key)):
            yield MaestroError("looks misspelt", where=place, fix=f"use {EXTENSION}")
        elif key == EXTENSION and not part.base:
            yield MaestroError(
                f"{EXTENSION} of a file that is included is not read",
                where=place,
                fix="move it into the stack's own Compose file",
            )
        elif key in MAPPINGS and value is not None and not isinstance(value, dict):
            yield MaestroError(
                f"found {kind_of(value)}, not a mapping",
                where=place,
                fix="write `NAME: {...}` for each, indented below the key",
            )
        elif key in ("configs", "secrets"):
            for name in (name for name in value or {} if str(name) in (".", "..")):
                yield MaestroError(
                    f"{name!r} names no file", where=place, fix="give it another name"
                )


def _too_deep(part: Part, where: str) -> Iterable[MaestroError]:
    """Our key in a service, network or the like: Compose lets it pass, and nobody reads it."""
    for section in ("services", *MAPPINGS):
        items = part.document.get(section)
        for name, item in (items if isinstance(items, dict) else {}).items():
            for key in item if isinstance(item, dict) else ():
                if key == EXTENSION or _misspelt(str(key)):
                    yield MaestroError(
                        f"{key} is not read here",
                        where=f"{where}: {section}.{name}.{key}",
                        fix=f"move it to the top level of the stack's own file, as {EXTENSION}; "
                        "its keys name the services they are for",
                    )


def _misspelt(key: str) -> bool:
    """Whether a key of an extension is meant to be ours: swapped, lost or doubled letters.

    A word of its own, such as ``x-master``, is another tool's.
    """
    return (
        key != EXTENSION
        and key.startswith("x-")
        and difflib.SequenceMatcher(None, key.lower(), EXTENSION).ratio() >= _SAME_WORD
    )


def _readers(service: Service, where: str) -> Iterable[MaestroError]:
    """The lists of secrets and configs a service reads."""
    for key in ("secrets", "configs"):
        entries = service.get(key)
        if entries is not None and not isinstance(entries, list):
            yield MaestroError(
                f"found {kind_of(entries)}, not a list",
                where=f"{where}.{key}",
                fix="write `- NAME` for each",
            )
            continue
        for number, entry in enumerate(entries or []):
            if not (isinstance(entry, str) or (isinstance(entry, dict) and "source" in entry)):
                yield MaestroError(
                    f"found {kind_of(entry)}",
                    where=f"{where}.{key}[{number}]",
                    fix="allowed: a name, or a mapping with `source: NAME`",
                )


def _extension(stack: Stack) -> list[MaestroError]:
    """``x-maestro`` of every file, as far as it can be judged before Compose read it."""
    problems = []
    for part in stack.tree.parts:
        if part.base and EXTENSION in part.document:
            place = f"{stack.name}/{part.path}: {EXTENSION}"
            problems += extension_problems(part.document[EXTENSION], place, list(stack.services))
    return problems
