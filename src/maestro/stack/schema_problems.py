"""What is wrong with an ``x-maestro`` by its JSON Schema, in words for who wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jsonschema

from ..errors import MaestroError
from .words import did_you_mean, kind_of

if TYPE_CHECKING:
    from ..records import Written

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


def of(extension: Any, schema: Any, *, filled: bool) -> list[jsonschema.ValidationError]:
    """All that is wrong, by its place.

    A value that still is a ``${VARIABLE}`` is not judged, unless they are ``filled`` in.
    """
    found = [
        error
        for error in _Validator(schema).iter_errors(extension)
        if filled or not (isinstance(error.instance, str) and "$" in error.instance)
        # Its own problem, that it is no mapping, says it all.
        if not (error.validator == "oneOf" and not isinstance(error.instance, dict))
    ]
    return sorted(found, key=lambda error: str(error.absolute_path))


def of_right_kind(extension: Written, found: Iterable[jsonschema.ValidationError]) -> Written:
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


def explained(place: str, error: jsonschema.ValidationError) -> MaestroError:
    """One of them, with what to write instead."""
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
