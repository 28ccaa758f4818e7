"""Whether a value surely fits a JSON Schema: a quick yes, or no opinion.

The library that knows all of JSON Schema takes a tenth of a second to load, and most files are
right. What this does not know for sure, the library judges and explains (`schema_problems`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]


def _type(value: Any, kind: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001 -- as others
    kinds = kind if isinstance(kind, list) else [kind]
    return any(_KINDS[each](value) for each in kinds)


def _properties(value: Any, known: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    others = schema.get("additionalProperties", True)
    return all(_fits(item, known.get(key, others), root) for key, item in value.items())


def _others(value: Any, others: Any, schema: Schema, root: Schema) -> bool:
    # With named ones beside them `_properties` has looked at all.
    return "properties" in schema or _properties(value, {}, {"additionalProperties": others}, root)


def _items(value: Any, each: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001
    return not isinstance(value, list) or all(_fits(item, each, root) for item in value)


def _names(value: Any, each: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001
    return not isinstance(value, dict) or all(_fits(name, each, root) for name in value)


def _any_of(value: Any, choices: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001
    return any(_fits(value, choice, root) for choice in choices)


def _one_of(value: Any, choices: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001
    if any("required" not in choice or len(choice) > 1 for choice in choices):
        return False  # a no of `_fits` is no certain one
    return sum(_required(value, choice["required"]) for choice in choices) == 1


def _reference(value: Any, path: Any, schema: Schema, root: Schema) -> bool:  # noqa: ARG001
    name = str(path).removeprefix("#/$defs/")
    return _fits(value, root["$defs"][name], root)


def _required(value: Any, names: Any, *_: Any) -> bool:
    return not isinstance(value, dict) or all(name in value for name in names)


def _pattern(value: Any, pattern: Any, *_: Any) -> bool:
    # The end of a pattern is the end of the text: no line break goes past it.
    return not isinstance(value, str) or bool(re.search(re.sub(r"\$\Z", r"\\Z", pattern), value))


def _enum(value: Any, allowed: Any, *_: Any) -> bool:
    return any(type(value) is type(item) and value == item for item in allowed)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _number,
}
_WORDS: Mapping[str, Callable[[Any, Any, Schema, Schema], bool]] = {
    "$ref": _reference,
    "additionalProperties": _others,
    "anyOf": _any_of,
    "enum": _enum,
    "exclusiveMinimum": lambda value, least, *_: not _number(value) or value > least,
    "items": _items,
    "maximum": lambda value, most, *_: not _number(value) or value <= most,
    "minItems": lambda value, least, *_: not isinstance(value, list) or len(value) >= least,
    "minimum": lambda value, least, *_: not _number(value) or value >= least,
    "oneOf": _one_of,
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _required,
    "type": _type,
}
_SAY_NOTHING = {"$schema", "$defs", "title", "description", "default", "examples"}


def fits(value: Any, schema: Schema) -> bool:
    """Whether a value surely fits; a schema with words that are not known here is never sure."""
    return _fits(value, schema, schema)


def _fits(value: Any, schema: Any, root: Schema) -> bool:
    if isinstance(schema, bool):
        return schema
    return all(
        word in _SAY_NOTHING or (word in _WORDS and _WORDS[word](value, said, schema, root))
        for word, said in schema.items()
    )
