"""Values of variables arrive as they were written, or are refused with their place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

from maestro.errors import MaestroError, MaestroErrors
from maestro.play import variable_text


def loaded(tmp_path: Path, text: str) -> Any:
    """A file of variables as Ansible reads it: every value knows where it stands."""
    path = tmp_path / "group_vars/staging.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"shop:\n{text}")
    return DataLoader().load_from_file(str(path))["shop"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"false"', "false"),
        ("'1.10'", "1.10"),
        ('""', ""),
        ("plain", "plain"),
        ("1.2.3", "1.2.3"),
        ("8000", "8000"),
        ("0", "0"),
        ("-5", "-5"),
        ("8000  # a comment", "8000"),
        ("&port 8000", "8000"),
        ('!!int "78"', "78"),
        ('"01234"', "01234"),
        ("08", "08"),
        ("|\n    two\n    lines\n", "two\nlines\n"),
    ],
)
def test_a_value_is_what_was_written(tmp_path: Path, value: str, text: str) -> None:
    found = variable_text.texts(loaded(tmp_path, f"  A: {value}\n"), "shop", tmp_path)
    assert found == {"A": text}
    assert type(found["A"]) is str


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("false", "true or false"),
        ("yes", "true or false"),
        ("", "nothing"),
        ("~", "nothing"),
        ("1.10", "a number with a fraction"),
        ("1e3", ""),
        (".inf", "a number with a fraction"),
        ("01234", "written otherwise than it is read"),
        ("1_000", "written otherwise than it is read"),
        ("0x1F", "written otherwise than it is read"),
        ("+5", "written otherwise than it is read"),
        ("22:22", "written otherwise than it is read"),
        ("12:30:00", "written otherwise than it is read"),
        ("2024-01-01", "a date"),
        ("2024-01-01 10:00:00", "a time"),
        ("[a, b]", "a list"),
        ("{a: b}", "a mapping"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path, value: str, what: str) -> None:
    variables = loaded(tmp_path, f"  OTHER: ok\n  A: {value}\n")
    if not what:  # YAML 1.1 has no number without a point
        assert variable_text.texts(variables, "shop")["A"] == value
        return
    with pytest.raises(MaestroError) as caught:
        variable_text.texts(variables, "shop", tmp_path)
    assert caught.value.where == "group_vars/staging.yml:3: maestro_stack_variables.shop.A"
    assert what in caught.value.what
    assert caught.value.fix == 'put the value into quotes: A: "..."'


def test_all_are_named_at_once_and_no_value_is_shown(tmp_path: Path) -> None:
    with pytest.raises(MaestroErrors) as caught:
        variable_text.texts(
            loaded(tmp_path, "  A: 01234\n  B: 3.14159\n  C: ok\n  true: x\n"), "shop"
        )
    assert len(caught.value.problems) == 3
    for value in ("668", "01234", "3.14"):
        assert value not in str(caught.value).replace("(01234 would be 668)", "")


@pytest.mark.parametrize("found", [["a"], "text", 5, False])
def test_variables_are_a_mapping(found: Any) -> None:
    with pytest.raises(MaestroError, match=r"^maestro_stack_variables: found .* not a mapping"):
        variable_text.texts(found, "shop")
    assert variable_text.texts(None, "shop") == {}


def test_a_number_of_unknown_origin_is_refused() -> None:
    with pytest.raises(MaestroError, match="not known how it is written"):
        variable_text.texts({"A": 668}, "shop")


PLAY = """
- hosts: localhost
  gather_facts: false
  vars:
    base: 5
    all: "{{ shop }}"
  tasks:
    - probe: {values: "{{ all }}"}
"""
PROBE = """
from ansible.plugins.action import ActionBase
from maestro.play import variable_text as written
from maestro.errors import MaestroError
class ActionModule(ActionBase):
    _requires_connection = False
    def run(self, tmp=None, task_vars=None):
        found = super().run(tmp, task_vars)
        try:
            said = written.texts(self._task.args["values"], "shop")
        except MaestroError as error:
            return {**found, "failed": True, "msg": str(error)}
        return {**found, "msg": repr(sorted(said.items()))}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('{"shop": {"A": 8080, "B": "01"}}', "('A', '8080'), ('B', '01')"),
        ("{shop: {A: 0777}}", "CLI option '-e': maestro_stack_variables.shop.A: found a number"),
        ('{"shop": {"A": 1.10}}', "found a number with a fraction"),
        ('{"shop": {"A": "{{ base + 1 }}"}}', "('A', '6')"),
        ("@vars.yml", "('A', '8080'), ('B', '6')"),
        ("@template.yml", r'make text of it: A: "{{ (...) | string }}"'),
        ("@template.yml", r'make text of it: B: "{{ (...) | string }}"'),
        ("@octal.yml", "octal.yml:2: maestro_stack_variables.shop.B: found a number that is"),
    ],
)
def test_as_a_play_hands_them_over(tmp_path: Path, extra: str, said: str) -> None:
    """Ansible keeps a value's place through templates, and of JSON that it is exact."""
    (tmp_path / "action_plugins").mkdir()
    (tmp_path / "action_plugins/probe.py").write_text(PROBE)
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "vars.yml").write_text('shop:\n  A: 8080\n  B: "{{ base + 1 }}"\n')
    (tmp_path / "template.yml").write_text('shop:\n  A: "{{ 1.10 }}"\n  B: "{{ base == 5 }}"\n')
    (tmp_path / "octal.yml").write_text("shop:\n  B: 0777\n")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("-i", "localhost,", "-c", "local", "play.yml", "-v", "-e", extra),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said in done.stdout.replace("\\n", " ").replace('\\"', '"'), done.stdout + done.stderr
