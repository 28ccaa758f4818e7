"""Values of variables as what they are meant to be: a text given with `-e` is no number yet."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..errors import MaestroError

EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a mapping",
}


def checked(value: Any, option: dict[str, Any], name: str) -> Any:
    """A value as an option of Ansible's argument specification says.

    Raises `MaestroError` with the variable's name, and never with its value.
    """
    found = ArgumentSpecValidator({name: option}).validate({name: value})
    if found.error_messages:
        kind = str(option.get("type", "str"))
        allowed = option.get("choices")
        raise MaestroError(
            f"is not {EXPECTED.get(kind, 'a value of the kind ' + kind)}"
            if not allowed
            else "is none of the values that are allowed",
            where=name,
            fix=f"allowed: {', '.join(map(str, allowed)) if allowed else EXPECTED.get(kind, kind)}",
        )
    return found.validated_parameters[name]


def boolean(value: Any, name: str) -> bool:
    """Whether a variable is true; its text may be `yes`, `on`, `1` and the like."""
    return bool(checked(value, {"type": "bool"}, name))


def number(value: Any, name: str) -> float:
    """The number a variable is."""
    return float(checked(value, {"type": "float"}, name))
