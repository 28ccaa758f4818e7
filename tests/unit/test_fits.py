"""The quick look at an ``x-maestro``: where it says yes, the library has nothing to say."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from maestro.stack import fits, schema_problems, smoke

SCHEMA = smoke.schema()
WHOLE: dict[str, Any] = {
    "migrations": [{"service": "migrate", "backward_compatible": True}],
    "smoke": [
        {"name": "up", "http": {"port": 8000, "path": "/health", "json": {"version": "v1"}}},
        {"tcp": {"port": 5432, "service": "db"}, "attempts": 3},
        {"command": {"service": "web", "argv": ["true"]}},
    ],
    "routes": [
        {
            "service": "web",
            "port": 8000,
            "host": "shop.test",
            "health": ["/health"],
            "canary": {"weight": 10, "duration": 5},
        }
    ],
    "secret_owners": {"web": 1000},
    "hardened": ["web"],
}
ODD = (None, True, 0, -1, 1.5, 2.0, "", "a b\n", "x" * 300, [], {}, [None], {"nobody": 1})


def variants(value: Any) -> Iterator[Any]:
    """The value with each of its parts left out, and with something odd in its place."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            for part in variants(value[key]):
                other = copy.deepcopy(value)
                other[key] = part
                yield other
            less = copy.deepcopy(value)
            del less[key]
            yield less
        if isinstance(value, dict):
            yield {**value, "nobody": "knows"}
    yield from ODD


def test_a_yes_is_one_of_the_library_too() -> None:
    yes = 0
    for extension in variants(WHOLE):
        sure = fits.fits(extension, SCHEMA)
        right = not schema_problems.of(extension, SCHEMA, filled=True)
        assert not (sure and not right), extension
        yes += sure
    assert yes > 50


@pytest.mark.parametrize("schema", [{"format": "date"}, {"oneOf": [{"type": "string"}]}])
def test_words_that_are_not_known_are_never_sure(schema: dict[str, Any]) -> None:
    assert not fits.fits("text", schema)


def test_the_library_is_not_loaded_for_what_is_right() -> None:
    program = (
        "import json, sys; from maestro.stack import extension;"
        "problems = extension.extension_problems(json.loads(sys.argv[1]), 'x', ['web', 'db',"
        " 'migrate']); assert not problems, problems; assert 'jsonschema' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, json.dumps(WHOLE)], check=True)
