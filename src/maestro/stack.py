"""A stack's files on the controller, and what can be said about them without a host."""

from __future__ import annotations

import difflib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from . import routes
from .errors import MaestroError, raise_all

EXTENSION = "x-maestro"
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*\Z")
# A tag by the grammar of the distribution specification.
TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_TYPES = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number"}
# What a value must be, by the word of the schema that says so.
_BOUNDS = {
    "minimum": "{} or more",
    "maximum": "{} or less",
    "exclusiveMinimum": "more than {}",
    "minItems": "a list of at least {}",
    "pattern": "text that matches {}",
}
# ${NAME} or $NAME without a default; `$$` is a literal dollar.
_VARIABLE = re.compile(r"(?<!\$)(?:\$\$)*\$(?:\{([A-Za-z_]\w*)(:?[-?+][^}]*)?\}|([A-Za-z_]\w*))")
TOP_LEVEL = (
    *("name", "version", "include", "services"),
    *("networks", "volumes", "secrets", "configs"),
)
MAPPINGS = ("networks", "volumes", "secrets", "configs")
KINDS = ("http", "tcp", "command")  # of a smoke check
GIVEN = ("REGISTRY", "VERSION")  # what every stack may refer to


@dataclass(frozen=True)
class Stack:
    """One stack as its files say, before Compose has read them.

    ``files`` is ``{relative path: text}`` of everything Compose needs on a host;
    ``compose_files`` names those that are Compose files, base first.
    """

    name: str
    directory: Path
    files: dict[str, str]
    compose_files: list[str]
    documents: dict[str, dict[str, Any]]

    @property
    def extension(self) -> dict[str, Any]:
        """The ``x-maestro`` key; a later file's entries replace an earlier file's."""
        merged: dict[str, Any] = {}
        for document in self.documents.values():
            merged.update(document.get(EXTENSION) or {})
        return merged

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Service definitions of all files, a later file's keys over an earlier file's."""
        merged: dict[str, dict[str, Any]] = {}
        for document in self.documents.values():
            for name, service in _services(document).items():
                merged.setdefault(name, {}).update(service)
        return merged

    @property
    def secret_names(self) -> list[str]:
        """The secrets its services read when they run (not those only a build uses)."""
        # File by file: Compose adds a later file's secrets to an earlier file's.
        return sorted(
            {
                str(entry["source"] if isinstance(entry, dict) else entry)
                for document in self.documents.values()
                for service in _services(document).values()
                for entry in service.get("secrets") or []
            }
        )


def load(directory: Path, name: str, environment: str, variables: Mapping[str, str]) -> Stack:
    """Read a stack and refuse what can be refused without a host.

    Raises `MaestroError` (or several at once) with the file, the path in it, what was
    found there and what is allowed.
    """
    home = _home(directory, name)
    compose_files = ["compose.yaml"]
    if (home / f"compose.{environment}.yaml").exists():
        compose_files.append(f"compose.{environment}.yaml")
    files = {file: _read(home / file) for file in compose_files}
    documents = {}
    problems: list[MaestroError] = []
    for file, text in files.items():
        try:
            documents[file] = _parse(home / file, text)
        except MaestroError as problem:
            problems.append(problem)
    raise_all(problems)
    stack = Stack(name, home, files, compose_files, documents)
    problems += [*_shape(stack), *_extension(stack), *_variables(stack, variables)]
    raise_all([*problems, *_outside(stack)])
    files.update(_referenced(stack))
    return stack


def known(directory: Path) -> list[str]:
    """The stacks that stand in a directory."""
    return sorted(path.parent.name for path in directory.glob("*/compose.yaml"))


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a stack."""
    if not NAME.match(name):
        raise MaestroError(
            f"{name!r} cannot name a stack",
            where="-e stack",
            fix="allowed: lower-case letters, digits, '_' and '-', the first no sign",
        )


def _home(directory: Path, name: str) -> Path:
    home = directory / name
    if NAME.match(name) and (home / "compose.yaml").is_file():
        return home
    stacks = known(directory)
    close = difflib.get_close_matches(name, stacks, n=1)
    hint = f"did you mean `-e stack={close[0]}`? " if close else ""
    raise MaestroError(
        f"unknown stack {name!r}",
        where=f"{directory.name}/",
        fix=f"{hint}known stacks: {', '.join(stacks) or 'none'}; a stack is a directory "
        "there with a compose.yaml",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MaestroError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}",
            where=f"{path.parent.name}/{path.name}",
            fix="a Compose file is a readable text in UTF-8",
        ) from error


class _Loader(yaml.SafeLoader):
    """YAML with the two tags Compose adds for files that are merged."""

    def overriding(self, node: yaml.Node) -> Any:
        """What a node would be without its tag."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return node.value


_Loader.add_constructor("!reset", lambda _loader, _node: None)
_Loader.add_constructor("!override", _Loader.overriding)


def _services(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The services of one file, as far as they are mappings."""
    return {
        str(name): service or {}
        for name, service in document["services"].items()
        if isinstance(service, dict) or service is None
    }


def _parse(path: Path, text: str) -> dict[str, Any]:
    where = f"{path.parent.name}/{path.name}"
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader with two tags more
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise MaestroError(
            f"not valid YAML: {getattr(error, 'problem', None) or error}",
            where=place,
            fix="correct the file at this place; nothing was changed",
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise MaestroError(
            "not a Compose file: found no mapping under `services`",
            where=where,
            fix="a Compose file has at least `services: {NAME: {image: ...}}`",
        )
    return document


def _shape(stack: Stack) -> list[MaestroError]:
    """What is not of the kind it must be, and top-level keys Compose does not know."""
    problems: list[MaestroError] = []
    for file, document in stack.documents.items():
        where = f"{stack.name}/{file}"
        for key in document:
            if key not in TOP_LEVEL and not str(key).startswith("x-"):
                fix = _did_you_mean(str(key), [*TOP_LEVEL, EXTENSION])
                problems.append(MaestroError("unknown key", where=f"{where}: {key}", fix=fix))
            elif (
                str(key) != EXTENSION
                and str(key).startswith("x-")
                and difflib.get_close_matches(str(key), [EXTENSION], cutoff=0.8)
            ):
                problems.append(
                    MaestroError("looks misspelt", where=f"{where}: {key}", fix=f"use {EXTENSION}")
                )
        problems += [
            MaestroError(
                f"found {_kind(document[key])}, not a mapping",
                where=f"{where}: {key}",
                fix="write `NAME: {...}` for each, indented below the key",
            )
            for key in MAPPINGS
            if document.get(key) is not None and not isinstance(document[key], dict)
        ]
        for name, service in document["services"].items():
            if service is not None and not isinstance(service, dict):
                problems.append(
                    MaestroError(
                        f"found {_kind(service)}, a service is a mapping",
                        where=f"{where}: services.{name}",
                        fix="write its keys indented below the name",
                    )
                )
        for name, service in _services(document).items():
            problems += _readers(service, f"{where}: services.{name}")
    return problems


def _readers(service: Mapping[str, Any], where: str) -> Iterable[MaestroError]:
    """The lists of secrets and configs a service reads."""
    for key in ("secrets", "configs"):
        entries = service.get(key)
        if entries is not None and not isinstance(entries, list):
            yield MaestroError(
                f"found {_kind(entries)}, not a list",
                where=f"{where}.{key}",
                fix="write `- NAME` for each",
            )
            continue
        for number, entry in enumerate(entries or []):
            if not (isinstance(entry, str) or (isinstance(entry, dict) and "source" in entry)):
                yield MaestroError(
                    f"found {_kind(entry)}",
                    where=f"{where}.{key}[{number}]",
                    fix="allowed: a name, or a mapping with `source: NAME`",
                )


def _outside(stack: Stack) -> Iterable[MaestroError]:
    """Mounts of what lies beside the stack's directory.

    No host has it, and in Compose's own reading such a path is an absolute one.
    """
    for file, document in stack.documents.items():
        for name, service in _services(document).items():
            mounts = service.get("volumes")
            for number, mount in enumerate(mounts if isinstance(mounts, list) else []):
                source = mount.get("source") if isinstance(mount, dict) else mount
                source = str(source or "").partition(":")[0]
                if source and posixpath.normpath(source).split("/")[0] == "..":
                    yield MaestroError(
                        f"found {source}: a mount from outside the stack's directory",
                        where=f"{stack.name}/{file}: services.{name}.volumes[{number}]",
                        fix="allowed: named volumes and absolute paths",
                    )


def _extension(stack: Stack) -> list[MaestroError]:
    """``x-maestro`` of every file, as far as it can be judged before Compose read it."""
    problems = []
    for file, document in stack.documents.items():
        if EXTENSION in document:
            place = f"{stack.name}/{file}: {EXTENSION}"
            problems += extension_problems(document[EXTENSION], place, list(stack.services))
    return problems


def extension_problems(
    extension: Any, place: str, services: list[str], *, filled: bool = False
) -> list[MaestroError]:
    """What is wrong with an ``x-maestro``: against its schema, and in the services it names.

    A value that still is a ``${VARIABLE}`` is not judged, unless they are ``filled`` in.
    """
    schema = json.loads(resources.files("maestro").joinpath("schema/x-maestro.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    found = [
        error
        for error in validator.iter_errors(extension)
        if filled or not (isinstance(error.instance, str) and "$" in error.instance)
        # Its own problem, that it is no mapping, says it all.
        if not (error.validator == "oneOf" and not isinstance(error.instance, dict))
    ]
    found.sort(key=lambda error: str(error.absolute_path))
    problems = [_schema_problem(place, error) for error in found]
    if isinstance(extension, dict):
        problems += [
            problem
            for problem in _unknown_services(place, extension, services)
            if filled or "$" not in problem.what
        ]
        problems += [
            problem
            for problem in (
                *routes.problems(extension, place, services),
                *_unclear_targets(place, extension),
            )
            if filled or "$" not in str(problem)
        ]
    return problems


def _schema_problem(place: str, error: jsonschema.ValidationError) -> MaestroError:
    path = place + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path
    )
    value: Any = error.validator_value
    instance: Any = error.instance
    what, fix = f"found {instance!r}", ""
    match str(error.validator):
        case "additionalProperties":
            schema: Any = error.schema
            allowed = sorted(schema["properties"])
            unknown = [str(key) for key in instance if key not in allowed]
            what = f"unknown key {', '.join(unknown)}"
            fix = "; ".join(_did_you_mean(key, allowed) for key in unknown)
        case "oneOf":
            known = [choice["required"][0] for choice in value]
            kinds = [kind for kind in known if kind in instance]
            what = (
                f"found {' and '.join(kinds) or 'none'} of {', '.join(known[:-1])} and {known[-1]}"
            )
            fix = "a check has exactly one of them"
        case "anyOf":
            described: Any = error.schema
            fix = f"allowed: {described['description']}"
        case "enum":
            fix = f"allowed: {', '.join(map(str, value))}"
        case "required":
            missing = [key for key in value if key not in instance]
            what = f"lacks {', '.join(missing)}"
            fix = f"set it; found: {', '.join(sorted(map(str, instance))) or 'nothing'}"
        case "type":
            what, fix = f"found {_kind(instance)}", f"allowed: {_TYPES.get(value, value)}"
        case validator:
            fix = f"allowed: {_BOUNDS[validator].format(value)}"
    return MaestroError(what, where=path, fix=fix)


def _unclear_targets(place: str, extension: Mapping[str, Any]) -> Iterable[MaestroError]:
    """HTTP checks that say neither which port nor the edge, or both."""
    for number, item in _mappings(extension.get("smoke")):
        spec = item.get("http")
        if not isinstance(spec, dict):
            continue
        where = f"{place}.smoke[{number}].http"
        if spec.get("edge"):
            found = [key for key in ("service", "port", "scheme") if key in spec]
            if found:
                yield MaestroError(
                    f"found {' and '.join(found)} beside edge",
                    where=where,
                    fix="with edge: true the request goes to this host's edge; "
                    "say only host and path",
                )
        elif "port" not in spec:
            yield MaestroError("lacks port", where=where, fix="set port, or edge: true")
        elif "host" in spec:
            yield MaestroError(
                "found host without edge", where=where, fix="set headers: {Host: NAME} instead"
            )


def _unknown_services(
    place: str, extension: Mapping[str, Any], services: list[str]
) -> Iterable[MaestroError]:
    named = [
        (f"{key}[{number}]", item)
        for key in ("migrations", "routes")
        for number, item in _mappings(extension.get(key))
    ]
    for number, item in _mappings(extension.get("smoke")):
        named += [
            (f"smoke[{number}].{kind}", item[kind])
            for kind in KINDS
            if isinstance(item.get(kind), dict)
        ]
    found = [(f"{path}.service", item["service"]) for path, item in named if "service" in item]
    owners = extension.get("secret_owners")
    found += [(f"secret_owners.{name}", name) for name in owners or {} if isinstance(owners, dict)]
    for path, name in found:
        if isinstance(name, str) and name not in services:
            yield MaestroError(
                f"unknown service {name!r}",
                where=f"{place}.{path}",
                fix=_did_you_mean(name, services),
            )


def _mappings(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The mappings of a list and where in it they stand; what else is there is another problem."""
    entries = value if isinstance(value, list) else []
    return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]


def _variables(stack: Stack, given: Mapping[str, str]) -> list[MaestroError]:
    """Variables without a value and without a default: Compose would read them as empty."""
    missing: dict[str, str] = {}
    for file, document in stack.documents.items():
        for path, text in _strings(document, ""):
            for match in _VARIABLE.finditer(text):
                name, default = match.group(1) or match.group(3), match.group(2) or ""
                if (
                    name not in given
                    and name not in GIVEN
                    and not default.lstrip(":").startswith(("-", "+"))
                ):
                    missing.setdefault(name, f"{stack.name}/{file}: {path}")
    return [
        MaestroError(
            f"the variable {name} has no value and no default",
            where=where,
            fix=f"set it in maestro_stack_variables.{stack.name}.{name} of the environment's "
            f"group_vars, or write ${{{name}:-default}}",
        )
        for name, where in sorted(missing.items())
    ]


def _strings(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value


def _referenced(stack: Stack) -> dict[str, str]:
    """Configuration and environment files the Compose files name, and files they include."""
    names = set()
    for document in stack.documents.values():
        for config in (document.get("configs") or {}).values():
            if isinstance(config, dict) and "file" in config:
                names.add(str(config["file"]))
        for service in _services(document).values():
            names.update(_paths(service.get("env_file"), stack.directory))
            extends = service.get("extends")
            if isinstance(extends, dict) and "file" in extends:
                names.add(str(extends["file"]))
        names.update(_paths(document.get("include"), stack.directory))
    files = {}
    for name in sorted(names):
        path = (stack.directory / name).resolve()
        if not path.is_relative_to(stack.directory.resolve()):
            raise MaestroError(
                f"the file {name} lies outside the stack's directory",
                where=f"{stack.name}/compose.yaml",
                fix=f"move it below {stack.directory.name}/",
            )
        try:
            files[posixpath.normpath(name)] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MaestroError(
                f"the file {name} cannot be read: {getattr(error, 'strerror', None) or error}",
                where=f"{stack.name}/compose.yaml",
                fix="create it, or correct the path",
            ) from error
    return files


def _paths(value: Any, directory: Path) -> list[str]:
    """The paths in the short and long forms of ``env_file`` and ``include``.

    Without those that say ``required: false`` and are not there.
    """
    if value is None:
        return []
    entries = value if isinstance(value, list) else [value]
    found: list[str] = []
    for entry in entries:
        path = entry.get("path") if isinstance(entry, dict) else entry
        optional = isinstance(entry, dict) and entry.get("required") is False
        found += [
            str(item)
            for item in (path if isinstance(path, list) else [path])
            if item and not (optional and not (directory / str(item)).exists())
        ]
    return found


def _did_you_mean(found: str, allowed: Iterable[str]) -> str:
    allowed = sorted(allowed)
    close = difflib.get_close_matches(found, allowed, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def _kind(value: Any) -> str:
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true/false",
        type(None): "nothing",
    }
    kind = next((name for type_, name in names.items() if isinstance(value, type_)), "a number")
    return f"{kind} ({value!r})" if isinstance(value, (str, int, float, bool)) else kind
