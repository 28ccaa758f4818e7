"""What hosts say alike is compared by what it is made of, and resolved where that differs."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.play import alike

ROLE = {
    "deploy_root": "{{ maestro_root | default('/opt/maestro') }}",
    "deploy_timeout": 120,
    "deploy_profiles": ["{{ profile }}"],
}
NAMES = [*ROLE, "deploy_unknown"]


def of(**more: Any) -> str:
    return alike.mark({**ROLE, "maestro_root": "/srv", "profile": "a", **more}, NAMES)


def test_hosts_whose_variables_say_the_same_have_one_mark() -> None:
    assert of() == of()
    assert of() == of(another="variable", inventory_hostname="web-2")


@pytest.mark.parametrize(
    "changed",
    [
        {"maestro_root": "/opt"},
        {"profile": "b"},
        {"deploy_timeout": 60},
        {"deploy_timeout": "120"},
        {"deploy_unknown": "known here"},
        {"deploy_profiles": ["{{ profile }}", "c"]},
        {"profile": {"a": [1, "{% if inventory_hostname %}x{% endif %}"]}},
    ],
)
def test_a_variable_that_differs_makes_another_mark(changed: dict[str, Any]) -> None:
    assert of(inventory_hostname="web-1", **changed) != of(inventory_hostname="web-1")


def test_what_a_text_names_counts_however_deep_it_stands() -> None:
    deep = {"maestro_root": "{{ base }}/x", "base": "{{ disk['data'] }}"}
    assert of(**deep, disk={"data": "/a"}) == of(**deep, disk={"data": "/a"})
    assert of(**deep, disk={"data": "/a"}) != of(**deep, disk={"data": "/b"})
    mine = {"maestro_root": "/srv/{{ inventory_hostname }}"}
    assert of(**mine, inventory_hostname="web-1") != of(**mine, inventory_hostname="web-2")


@pytest.mark.parametrize(
    "text",
    [
        "{{ hostvars['web-1']['x'] }}",
        "{{ lookup('vars', 'x') }}",
        "{{ vars['x'] }}",
        "{{ query('file', '/x') }}",
        "{{ q('file', '/x') }}",
    ],
)
def test_what_reads_other_variables_than_it_names_is_resolved(text: str) -> None:
    assert of(maestro_root=text) == ""
    assert (
        alike.same({"arguments": NAMES, "own": "own", "alike": ""}, {"deploy_root": text}) is False
    )


def test_what_is_no_plain_value_is_resolved() -> None:
    assert of(profile=object()) == ""


def test_a_mark_tells_nothing_of_a_value_to_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    first = of(profile="a secret")
    monkeypatch.setattr("maestro.play.runs.key", lambda: b"of another run")
    assert of(profile="a secret") != first
