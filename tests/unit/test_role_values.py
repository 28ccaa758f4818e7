"""Every boolean and number of every role, given as text: what the roles make of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from maestro.errors import MaestroError
from maestro.play import values

ROOT = Path(__file__).parents[2]
TEXTS = {
    "bool": [
        ("false", False),
        ("no", False),
        ("off", False),
        ("0", False),
        ("true", True),
        ("True", True),
    ],
    "int": [("7", 7)],
    "float": [("7", 7.0), ("0.5", 0.5)],
}


def options() -> Iterable[tuple[str, str, str]]:
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in (entry.get("options") or {}).items():
                if option["type"] in TEXTS:
                    yield path.parents[1].name, name, option["type"]


OPTIONS = sorted(set(options()))


def uses(role: str, name: str) -> list[str]:
    """The expressions of a role in which the option is converted."""
    files = [path for path in (ROOT / "roles" / role).rglob("*") if path.suffix in (".yml", ".j2")]
    pattern = re.compile(rf"(?<![\w.]){name} \| (?:bool|int|float)\b")
    return [found for path in files for found in pattern.findall(path.read_text())]


@pytest.mark.parametrize(("role", "name", "kind"), OPTIONS)
def test_a_text_is_what_it_says(role: str, name: str, kind: str) -> None:
    templar_of = {
        text: Templar(loader=DataLoader(), variables={name: text}) for text, _ in TEXTS[kind]
    }
    for text, meant in TEXTS[kind]:
        assert values.checked(text, {"type": kind}, name) == meant
        for expression in uses(role, name):
            found = templar_of[text].template(trust_as_template(f"{{{{ {expression} }}}}"))
            assert (type(found), found) == (type(meant), meant)


@pytest.mark.parametrize(("role", "name", "kind"), OPTIONS)
@pytest.mark.parametrize("nonsense", ["flase", "", "1 2", [1], {}])
def test_nonsense_is_refused_by_the_variable_s_name(
    role: str, name: str, kind: str, nonsense: Any
) -> None:
    del role
    with pytest.raises(MaestroError) as caught:
        values.checked(nonsense, {"type": kind}, name)
    assert caught.value.where == name
    assert values.EXPECTED[kind] in caught.value.what
