"""The profiles of a stack, as they are said and as its services know them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stack_models as models
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from unit.local_play import ROOT

from maestro.errors import MaestroError
from maestro.stack import files, profiles


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("debug", ["debug"]),
        ("b, a,", ["a", "b"]),
        (["b", "a"], ["a", "b"]),
        (["*"], ["*"]),
    ],
)
def test_profiles_are_names(value: Any, found: list[str]) -> None:
    assert profiles.said(value, "shop") == found


@pytest.mark.parametrize("value", [{"shop": ["a"]}, [1], [["a"]], True, 5, 1.5])
def test_what_is_no_list_of_names_is_refused(value: Any) -> None:
    with pytest.raises(MaestroError) as caught:
        profiles.said(value, "shop")
    assert caught.value.where == "maestro_stack_profiles"
    assert caught.value.fix.startswith("write shop: [PROFILE] in it; on a command line: -e '{")


@pytest.mark.parametrize(
    ("wanted", "active"), [(["*"], {"a", "b"}), (["one"], {"a"}), ([], set()), (["no"], set())]
)
def test_all_of_them_are_wanted_by_one_sign(
    tmp_path: Path, wanted: list[str], active: set[str]
) -> None:
    services = {"a": ["one"], "b": ["two", "three"]}
    text = {
        "services": {name: {"image": "r.test/x:1", "profiles": of} for name, of in services.items()}
    }
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").write_text(yaml.safe_dump(text))
    found = files.read(tmp_path, "shop", "staging", {}, profiles=wanted)
    assert {name for name, of in services.items() if found.profiles & set(of)} == active


def test_one_that_no_service_is_of_is_named() -> None:
    model = models.shop()
    assert profiles.unknown(model, ()) == []
    assert profiles.unknown(model, ["debug"]) == []
    assert profiles.unknown(model, ["tool"]) == [
        "no service is of the profile tool; the stack has debug"
    ]
    model["services"].pop("tool")
    assert profiles.unknown(model, ["tool"]) == [
        "no service is of the profile tool; the stack has no profiles"
    ]


OF_SHOP = {"A": "x"}


@pytest.mark.parametrize(
    ("variable", "value", "stack_name", "variables", "said"),
    [
        ("maestro_stack_variables", {"shop": OF_SHOP}, "shop", OF_SHOP, []),
        ("maestro_stack_variables", {"shop": OF_SHOP}, "other", {}, []),
        # Also what a mapping has as a method names a stack.
        ("maestro_stack_variables", {"copy": OF_SHOP}, "copy", OF_SHOP, []),
        ("maestro_stack_variables", {"shop": OF_SHOP}, "items", {}, []),
        ("maestro_stack_variables", None, "shop", {}, []),
        # Not by stack: handed on, to be refused.
        ("maestro_stack_variables", '{"shop": {"A": "x"}}', "shop", '{"shop": {"A": "x"}}', []),
        ("maestro_stack_variables", [1], "shop", [1], []),
        ("maestro_stack_profiles", {"shop": ["a"], "copy": ["b"]}, "shop", {}, ["a"]),
        ("maestro_stack_profiles", {"shop": ["a"]}, "update", {}, []),
        ("maestro_stack_profiles", ["a"], "shop", {}, {"shop": ["a"]}),
        ("maestro_stack_profiles", "a", "shop", {}, {"shop": "a"}),
    ],
)
def test_a_stack_gets_its_own_of_what_is_set_by_stack(
    variable: str, value: Any, stack_name: str, variables: Any, said: Any
) -> None:
    given: dict[str, Any] = {}
    for role in ("deploy", "images"):
        for part in ("defaults", "vars"):
            given |= yaml.safe_load((ROOT / f"roles/{role}/{part}/main.yml").read_text())
    given = {name: trust_as_template(v) if isinstance(v, str) else v for name, v in given.items()}
    given |= {"stack": stack_name, variable: value}
    templar = Templar(loader=DataLoader(), variables=given)
    found = [
        templar.template(trust_as_template(f"{{{{ {name} }}}}"))
        for name in ("deploy_variables", "deploy_profiles", "images_variables")
    ]
    assert found == [variables, said, variables]


@pytest.mark.parametrize(
    ("need", "other", "said"),
    [
        ({"condition": "service_started", "required": True}, {"profiles": ["a", "b"]}, "a, b in"),
        ({"condition": "service_healthy"}, {"deploy": {"replicas": 0}}, "it has no replicas"),
        ({"condition": "service_started", "required": False}, {"profiles": ["a"]}, ""),
    ],
)
def test_a_dependency_that_is_not_deployed_is_named(
    need: dict[str, Any], other: dict[str, Any], said: str
) -> None:
    web = {"depends_on": {"tool": need, "db": {}}}
    model = {"services": {"web": web, "db": {}, "tool": other}}
    found = profiles.left_out(model, {"services": {"web": web, "db": {}}})
    assert [said in line for line in found] == ([True] if said else [])
    assert profiles.left_out(model, {"services": {"db": {}}}) == []
