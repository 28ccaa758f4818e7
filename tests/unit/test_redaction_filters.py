"""The filters `redact` and `redact_label`, through Ansible's own templating."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import Templar, trust_as_template

from maestro.play import output

PLUGINS = Path(__file__).resolve().parents[2] / "filter_plugins"
Template = Callable[..., Any]


@pytest.fixture(scope="module")
def template() -> Template:

    def run(text: str, **variables: Any) -> Any:
        return Templar(loader=DataLoader(), variables=variables).template(trust_as_template(text))

    return run


def _examples() -> list[tuple[str, str]]:
    found = []
    for name in ("redact", "redact_label"):
        tasks = yaml.safe_load(yaml.safe_load((PLUGINS / f"{name}.yml").read_text())["EXAMPLES"])
        for task in tasks:
            found += [
                (task["name"], condition) for condition in task["ansible.builtin.assert"]["that"]
            ]
    return found


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(("name", "condition"), _examples(), ids=lambda value: value[:40])
def test_the_documented_examples_hold(template: Template, name: str, condition: str) -> None:
    assert template("{{ " + condition + " }}") is True, name


@pytest.fixture
def vaulted() -> Iterator[Callable[[str], EncryptedString]]:
    secrets = [("default", VaultSecret(b"of-the-test"))]
    previous = VaultSecretsContext._current
    VaultSecretsContext._current = None
    VaultSecretsContext.initialize(VaultSecretsContext(secrets))

    def encrypt(text: str) -> EncryptedString:
        return EncryptedString(ciphertext=VaultLib(secrets).encrypt(text).decode())

    yield encrypt
    VaultSecretsContext._current = previous


def test_what_came_out_of_a_vault_is_masked_whole(
    template: Template, vaulted: Callable[[str], EncryptedString]
) -> None:
    values = {
        "first": vaulted("from-the-vault-1"),
        "second": {"inner": [vaulted("from-the-vault-2")]},
    }
    assert template("{{ first | maestro.stacks.redact }}", **values) == "***"
    assert template("{{ second | maestro.stacks.redact }}", **values) == {"inner": ["***"]}
    assert template("{{ 'x from-the-vault-2' | maestro.stacks.redact }}", **values) == "x ***"


@pytest.mark.parametrize("value", ["prod", "5432", "true", "db.internal.example.com"])
def test_a_vaulted_value_that_is_plainly_no_secret_stays(
    template: Template, vaulted: Callable[[str], EncryptedString], value: str
) -> None:
    assert template("{{ setting | maestro.stacks.redact }}", setting=vaulted(value)) == value


def test_tagged_values_come_back_plain(template: Template) -> None:
    result = template("{{ x | maestro.stacks.redact }}", x=trust_as_template("plain text"))
    assert result == "plain text"
    assert template("{{ x | maestro.stacks.redact }}", x=None) is None
    assert template("{{ x | maestro.stacks.redact }}", x=5) == 5


def test_registered_secrets_are_masked_by_the_filter(template: Template) -> None:
    output.register_secrets({"one": "registered-secret-1"})
    assert template("{{ 'a registered-secret-1 b' | maestro.stacks.redact }}") == "a *** b"
    assert "one" not in output.redactor().report()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3cr3t-of-one-line", {"a vaulted value": "s3cr3t-of-one-line"}),
        ("prod", {}),
        ("a: prod\nb: 5432\npassword: x1y2\n", {"vault.password": "x1y2"}),
        ("a:\n  - s3cr3t-item\n", {"vault.a[0]": "s3cr3t-item"}),
        ("a: !unsafe s3cr3t-item\n", {"vault.a": "s3cr3t-item"}),
        ("{broken: [yaml", {"a vaulted value": "{broken: [yaml"}),
    ],
)
def test_a_vault_file_gives_its_secrets_and_not_its_settings(
    text: str, expected: dict[str, str]
) -> None:
    assert output._vaulted(text) == expected


def test_the_no_log_inputs_of_a_role_are_secrets() -> None:
    spec = {
        "a": {"type": "str", "no_log": True},
        "b": {"type": "str"},
        "c": {"type": "dict", "options": {"d": {"no_log": True}, "e": {}}},
        "f": {"type": "list", "options": {"g": {"no_log": True}}},
        "h": {"no_log": True},
    }
    given = {
        "a": "A",
        "b": "B",
        "c": {"d": "D", "e": "E"},
        "f": [{"g": "G"}],
        "h": {"i": ["J", None]},
    }
    assert output._hidden_inputs(spec, given) == {
        "a": "A",
        "c[0].d": "D",
        "f[0].g": "G",
        "h.i[0]": "J",
    }
