"""The key `x-maestro` of a stack: what it may say, and what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jsonschema

from ..errors import MaestroError
from . import routes, smoke

if TYPE_CHECKING:
    from ..records import Entry, Extension, Written

EXTENSION = "x-maestro"
_TYPES = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number"}
# What a value must be, by the word of the schema that says so.
_BOUNDS = {
    "minimum": "{} or more",
    "maximum": "{} or less",
    "exclusiveMinimum": "more than {}",
    "minItems": "a list of at least {}",
    "pattern": "text that matches {}",
}


def _whole(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterable[jsonschema.ValidationError]:
    """JSON Schema's ``pattern``, whose end is the end of the text: no line break goes past it."""
    del validator, schema
    pattern_to_end = re.sub(r"\$\Z", r"\\Z", pattern)
    if isinstance(instance, str) and not re.search(pattern_to_end, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _whole}
)


def extension_problems(
    extension: Any, place: str, services: list[str], *, filled: bool = False
) -> list[MaestroError]:
    """What is wrong with an ``x-maestro``: against its schema, and in the services it names.

    A value that still is a ``${VARIABLE}`` is not judged, unless they are ``filled`` in.
    """
    validator = _Validator(smoke.schema())
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
        extension = _of_right_kind(extension, found)
        problems += [
            problem
            for problem in _unknown_services(place, extension, services)
            if filled or "$" not in problem.what
        ]
        problems += [
            problem
            for problem in (
                *routes.problems(extension, place, services),
                *routes.two_networks(extension, place),
                *smoke.problems(place, extension.get("smoke")),
            )
            if filled or "$" not in str(problem)
        ]
    return problems


def _of_right_kind(extension: Written, found: Iterable[jsonschema.ValidationError]) -> Written:
    """What can be looked at further: without entries that are of another kind than they must be."""
    wrong = {
        tuple(error.absolute_path)[:2]
        for error in found
        if error.validator in ("type", "enum", "anyOf", "oneOf", "required", "pattern")
        and isinstance(error.instance, dict | list)
    }
    return {
        # In its place, so that those after it keep their number.
        key: [None if (key, number) in wrong else item for number, item in enumerate(value)]
        if isinstance(value, list)
        else value
        for key, value in extension.items()
        if (key,) not in wrong
    }


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
            fix = "; ".join(did_you_mean(key, allowed) for key in unknown)
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
            what, fix = f"found {kind_of(instance)}", f"allowed: {_TYPES.get(value, value)}"
        case validator:
            fix = f"allowed: {_BOUNDS[validator].format(value)}"
    return MaestroError(what, where=path, fix=fix)


def _unknown_services(
    place: str, extension: Extension, services: list[str]
) -> Iterable[MaestroError]:
    named: list[tuple[str, Entry]] = [
        (f"{key}[{number}]", item)
        for key in ("migrations", "jobs", "routes")
        for number, item in mappings(extension.get(key))
    ]
    named += smoke.asked(extension.get("smoke"))
    found = [(f"{path}.service", item["service"]) for path, item in named if "service" in item]
    for key in ("secret_owners", "throw_away", "watchdog"):
        by_service = extension.get(key)
        if isinstance(by_service, dict):
            found += [(f"{key}.{name}", name) for name in by_service]
    hardened = extension.get("hardened")
    if isinstance(hardened, list):
        found += [(f"hardened[{number}]", name) for number, name in enumerate(hardened)]
    for path, name in found:
        if isinstance(name, str) and name not in services:
            yield MaestroError(
                f"unknown service {name!r}",
                where=f"{place}.{path}",
                fix=did_you_mean(name, services),
            )


def mappings(value: Any) -> list[tuple[int, Written]]:
    """The mappings of a list and where in it they stand; what else is there is another problem."""
    entries = value if isinstance(value, list) else []
    return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return what to write instead: the word that comes closest, or all that are known."""
    allowed = sorted(allowed)
    close = difflib.get_close_matches(found, allowed, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def kind_of(value: Any) -> str:
    """Return what a value is, in the words of somebody who writes YAML."""
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        bool: "true/false",
        type(None): "nothing",
    }
    kind = next((name for type_, name in names.items() if isinstance(value, type_)), "a number")
    return f"{kind} ({value!r})" if isinstance(value, (str, int, float, bool)) else kind
