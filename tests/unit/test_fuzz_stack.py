"""Whatever stands in a stack's files: an answer or an error with a place, soon, no traceback."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import compose_keys
import pytest
import stack_models as models
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import MaestroError
from maestro.plan import deploy
from maestro.plan.wanted import Inputs
from maestro.play import variable_text
from maestro.stack import compose_yaml, files, interpolation

SOON = 10.0  # seconds for one file, on a machine that has other work
WORDS = st.sampled_from(
    [
        *("web", "db", "other", "", " ", ".", "..", "../..", "/", "/etc/passwd", "~", "-", "a/b"),
        *("$", "${", "${}", "${A", "${A:-${B:-${C}}}", "$A", "$$A", "${A:?w}", "${VERSION}"),
        *("80", "80:80", "[::1]:80:80", "1-70000:1", "0", "-1", "1e999", "latest", "x:y@z", "::"),
        *("compose.yaml", "part.yaml", "pipe", "zero", "loop", "here.env", "gone", "folder"),
        *("\0", "\n", "\u202e", "\U0001f600", "a" * 3000, "<<", "!reset", "http://x", "*", "&a"),
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=20)
)
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=12,
)
FORMS = [(key, form) for key, forms in compose_keys.SERVICE.items() for form in forms]
NAMED = ["secrets", "configs", "env_file", "label_file", "extends", "profiles", "deploy", "scale"]
SCHEMA = json.loads(resources.files("maestro.stack").joinpath("x-maestro.json").read_text())


@st.composite
def services(draw: st.DrawFn) -> Any:
    """Keys of the specification with their own values, and some with any."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(["web", "db", "a.b", "on"]), max_size=3)):
        service: dict[str, Any] = dict(draw(st.lists(st.sampled_from(FORMS), max_size=4)))
        for key in draw(st.lists(st.sampled_from([*NAMED, *compose_keys.SERVICE]), max_size=3)):
            service[key] = draw(JUNK)
        found[name] = draw(st.one_of(st.just(service), JUNK)) if name == "a.b" else service
    return found


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values for a part of the schema: mostly what it says, now and then anything else."""
    if "enum" in schema:
        right: st.SearchStrategy[Any] = st.sampled_from(schema["enum"])
    elif "properties" in schema:
        right = st.fixed_dictionaries(
            {},
            optional={name: of_schema(part) for name, part in schema["properties"].items()},
        )
    elif schema.get("type") == "array":
        right = st.lists(of_schema(schema.get("items") or {}), max_size=3)
    elif schema.get("type") in ("integer", "number"):
        right = st.one_of(st.integers(), st.floats())
    elif schema.get("type") == "boolean":
        right = st.booleans()
    else:
        right = st.one_of(WORDS, st.sampled_from(["web", "db", "migrate", "a.test", "/x"]))
    return st.integers(0, 11).flatmap(lambda dice: right if dice else JUNK)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    found: dict[str, Any] = {"services": draw(st.one_of(services(), services(), JUNK))}
    for key in draw(st.lists(st.sampled_from([*files.TOP_LEVEL, "x-maestro", "x-a"]), max_size=4)):
        found[key] = draw(of_schema(SCHEMA) if key == "x-maestro" else JUNK)
    return found


def soon(work: Any, *given: Any, **named: Any) -> Any:
    """Do it; an error a user can act on is an answer."""
    start = time.monotonic()
    try:
        return work(*given, **named)
    except MaestroError:
        return None
    finally:
        assert time.monotonic() - start < SOON


@pytest.fixture(scope="module")
def home() -> Any:
    """A stack's directory with all that does not belong there."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "shop"
        (path / "folder").mkdir(parents=True)
        os.mkfifo(path / "pipe")
        (path / "zero").symlink_to("/dev/zero")
        (path / "loop").symlink_to("loop")
        (path / "here.env").write_text("A=1\nB=${A}\n")
        yield path


@given(base=documents(), part=documents(), dotenv=st.one_of(st.just(""), st.text(max_size=60)))
def test_a_stack_s_files(home: Path, base: Any, part: Any, dotenv: str) -> None:
    (home / "compose.yaml").write_text(json.dumps(base), encoding="utf-8", errors="replace")
    (home / "part.yaml").write_text(yaml.safe_dump(part), encoding="utf-8", errors="replace")
    (home / ".env").write_text(dotenv, encoding="utf-8", errors="replace")
    found = soon(files.load, home.parent, "shop", "staging", {"A": "web"})
    if found is not None:
        assert all(".." not in name.split("/") and name[0] != "/" for name in found.files)
        assert found.secret_names == sorted(found.secret_names)


@given(text=st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=30).map(": ".join)))
def test_any_text_as_yaml(text: str) -> None:
    soon(compose_yaml.parse, text, "x")


YAML_PARTS = [
    *(
        "&a ",
        "*a",
        "<<: ",
        "a: ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\n",
        "  ",
        "? ",
        "&b ",
        "*b",
        "~",
    ),
    *(
        "!!int ",
        "!override ",
        "!reset ",
        "!!set ",
        "!!omap ",
        "!!binary ",
        "!!timestamp ",
        "| ",
        "'",
    ),
    *(
        '"',
        "2024-99-99",
        "---",
        "%YAML 1.2",
        "1e400",
        "0x",
        "!!python/object:os.system ",
        "!!merge ",
    ),
]


@given(parts=st.lists(st.sampled_from(YAML_PARTS), max_size=40))
def test_any_syntax_as_yaml(parts: list[str]) -> None:
    soon(compose_yaml.parse, "".join(parts), "x")


@given(text=st.one_of(WORDS, st.text(alphabet="${}:-+?AB ", max_size=60)))
def test_any_text_with_variables(text: str) -> None:
    list(interpolation.uses(text))
    interpolation.dotenv(f"A={text}\nB='{text}\n{text}", {"A": "x"})
    with contextlib.suppress(interpolation.Missing):
        interpolation.fill(text, {"A": "x"})


@given(extension=of_schema(SCHEMA))
def test_any_extension_is_decided_on(extension: Any) -> None:
    """With its variables filled in, as a host reads it."""
    model = {**models.shop(), "x-maestro": extension}
    state = {**models.bare(), "model": model, "resolved": models.images(model)}
    request = {**models.REQUEST, "accept_volume_change": False}
    soon(deploy.decide, Inputs(request, {"a": state}, "a", "/opt/maestro", run=models.run()))


@given(variables=JUNK)
def test_any_values_of_variables(variables: Any) -> None:
    found = soon(variable_text.texts, variables, "shop")
    assert found is None or all(isinstance(value, str) for value in found.values())
