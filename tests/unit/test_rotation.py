"""Rotating secrets: what is chosen, how the vault's file fares, and what each host gets."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import stack_models as models
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from release_models import FIRST, SECOND, host, release, two

from maestro.errors import MaestroError
from maestro.plan import reasons, rotation
from maestro.plan.rollout import Decision
from maestro.play import controller
from maestro.secrets import renewal, vault_file

MADE = "0123456789abcdef" * 4
OWN = {"db_password": MADE, "api_token": "by hand"}


# Which secrets


def test_without_names_all_that_maestro_made() -> None:
    choice = renewal.choose([], ["api_token", "common_key", "db_password"], OWN, "the file")
    assert choice.names == choice.fresh == ["db_password"]
    assert [note.partition(" stays:")[0] for note in choice.notes] == ["common_key", "api_token"]
    assert "-e secret=api_token" in choice.notes[1]


def test_a_name_is_reason_enough() -> None:
    choice = renewal.choose(["api_token"], sorted(OWN), OWN, "the file")
    assert (choice.names, choice.fresh, choice.notes) == (["api_token"], ["api_token"], [])


def test_where_nothing_can_be_written_the_value_of_today_counts() -> None:
    assert renewal.choose([], ["b", "a"], None, "") == renewal.Choice(["a", "b"])
    assert renewal.choose(["b"], ["b", "a"], None, "") == renewal.Choice(["b"])


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (["nonsense"], "no service of the stack reads nonsense"),
        (["common_key"], "common_key does not stand in the file"),
    ],
)
def test_a_name_that_cannot_be_rotated(asked: list[str], what: str) -> None:
    with pytest.raises(MaestroError) as caught:
        renewal.choose(asked, [*OWN, "common_key"], OWN, "the file")
    assert caught.value.what.startswith(what)
    assert caught.value.fix


# The vault's file

TEXT = f"# kept by hand\ndb_password: {MADE}\napi_token: by hand  # until June\n"


@pytest.fixture
def vault(tmp_path: Path) -> vault_file.Vault:
    secret = VaultSecret(b"the password")
    path = tmp_path / "shop.yml"
    path.write_bytes(VaultLib().encrypt(TEXT, secret=secret))
    return vault_file.Vault(path, "shop.yml", [("default", VaultSecret(b"x")), ("d", secret)])


def text_of(vault: vault_file.Vault) -> str:
    return str(
        VaultLib([("d", VaultSecret(b"the password"))]).decrypt(vault.path.read_bytes()), "utf-8"
    )


def test_new_values_stand_in_the_place_of_the_old(vault: vault_file.Vault) -> None:
    vault.renew(["db_password"])
    new = vault.values()
    assert new["api_token"] == "by hand"
    assert new["db_password"] != MADE
    assert renewal.MADE.match(str(new["db_password"]))
    assert text_of(vault).startswith("# kept by hand\n")
    for path in (vault.path, vault.before):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert MADE.encode() not in path.read_bytes()
    assert vault.settle(keep=True) is True
    assert vault.values() == new
    assert not vault.before.exists()
    assert vault.settle(keep=False) is False
    assert vault.values() == new


def test_old_values_come_back_as_they_stood(vault: vault_file.Vault) -> None:
    before = vault.path.read_bytes()
    vault.renew(["db_password", "api_token"])
    assert vault.settle(keep=False) is True
    assert vault.path.read_bytes() == before
    assert [path.name for path in vault.path.parent.iterdir()] == ["shop.yml"]


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert vault_file.Vault(tmp_path / "none.yml", "none.yml", []).values() == {}


# Whether the new values serve

GOOD: dict[str, Any] = {"changed": True}


@pytest.mark.parametrize(
    ("plan", "hostvars", "kept"),
    [
        ({"changing": ["a"]}, {"a": {"__deploy_committed": GOOD}, "b": {}}, True),
        ({"changing": ["a", "b"]}, {"a": {"__deploy_committed": GOOD}, "b": {}}, False),
        ({"changing": ["a"]}, {"a": {"__deploy_committed": {"failed": True}}, "b": {}}, False),
        ({"changing": ["a"]}, {"a": {"__deploy_committed": {"unreachable": True}}, "b": {}}, False),
        (
            {"changing": ["a"]},
            {"a": {"__deploy_committed": GOOD}, "b": {"__deploy_put_back": GOOD}},
            False,
        ),
        ({"changing": []}, {"a": {}, "b": {}}, False),
        ({"failed": True}, {"a": {}, "b": {}}, False),
        (None, {"a": {}, "b": {}}, False),
    ],
)
def test_new_values_are_kept_only_where_they_serve(
    plan: Any, hostvars: dict[str, Any], kept: bool
) -> None:
    assert controller.new_values_serve(plan, ["a", "b"], hostvars) is kept


# The plan


def decide(states: dict[str, dict[str, Any]], names: list[str], *, fresh: bool = False) -> Decision:
    choice = renewal.Choice(names, names if fresh else [])
    return rotation.decide(
        rotation.Asked("shop", "staging", choice, "kim", run=models.run()), states
    )


def with_value(state: dict[str, Any], version: str) -> dict[str, Any]:
    """A host on which the value of today is that of a version, or of none."""
    return {**state, "secrets": {"db_password": version}}


def test_exactly_the_readers_are_replaced() -> None:
    states = {"a": with_value(two(), ""), "b": with_value(two(), FIRST)}
    decision = decide(states, ["db_password"])
    assert decision.answer()["changing"] == ["a"]
    assert decision.answer()["fetches"] is True
    assert decision.answer()["together"] is True, "who shares a secret gets it at the same time"
    work = decision.hosts["a"]
    assert work["levels"] == [["db"], ["web"]]
    assert work["release"] == work["staged"] == decision.release
    assert {item["version"] for item in work["secret_files"]} == {decision.release}
    manifest = work["manifest"]
    assert manifest["rotated"] == ["db_password"]
    assert manifest["secrets"] == {"db_password": decision.release}
    assert (manifest["version"], manifest["previous"]) == ("v2", SECOND)
    assert (manifest["by"].count("@"), manifest["approved_by"]) == (1, "kim")
    assert work["migrations"] == []
    compose = yaml.safe_load(work["compose"])
    assert (
        compose["services"]["web"]["image"]
        == yaml.safe_load(two()["compose"])["services"]["web"]["image"]
    )
    steps = {
        step.service: tuple(map(reasons.shown, step.reasons)) for step in decision.plans[0].steps
    }
    assert steps == {"db": ("secrets db_password",), "web": ("secrets db_password",)}
    assert decision.hosts["b"]["staged"] == ""


def test_a_value_that_is_about_to_be_made_counts_as_new() -> None:
    states = {"a": with_value(two(), FIRST)}
    assert decide(states, ["db_password"], fresh=True).answer()["changing"] == ["a"]


def test_the_hash_is_the_same_before_and_after_the_value_is_made() -> None:
    planned = decide({"a": with_value(two(), FIRST)}, ["db_password"], fresh=True)
    done = decide({"a": with_value(two(), "")}, ["db_password"], fresh=True)
    assert planned.digest == done.digest


def test_without_a_new_value_nothing_changes() -> None:
    states = {"a": with_value(two(), FIRST)}
    assert decide(states, ["db_password"]).answer()["changing"] == []
    choice = renewal.Choice(["db_password"])
    assert rotation.rounds(choice, [], states) == [["db_password"]], "one plan, which says so"
    with pytest.raises(MaestroError) as caught:
        rotation.rounds(choice, ["db_password"], states)
    assert caught.value.what.startswith("db_password has no new value")


def with_three(own: str = "") -> dict[str, Any]:
    """A host whose services share two secrets; one reads a third, which is ``own``."""
    model = models.shop("v1")
    model["secrets"] |= {name: {"file": f"./{name}"} for name in ("api_key", "mail_key")}
    model["services"]["db"]["secrets"].append({"source": "api_key", "target": "api_key"})
    model["services"]["web"]["secrets"] += [
        {"source": name, "target": name} for name in ("api_key", "mail_key")
    ]
    more = dict.fromkeys(("api_key", "mail_key"), FIRST)
    found = host(release(FIRST, "v1", model=model, more_secrets=more))
    return {**found, "secrets": {"mail_key": own}}


def test_secrets_that_services_share_are_rotated_one_after_the_other() -> None:
    choice = renewal.Choice(["api_key", "db_password", "mail_key"])
    one, other = with_three(), with_three(own=FIRST)
    assert rotation.rounds(choice, [], {"a": one}) == [["api_key", "mail_key"], ["db_password"]]
    assert rotation.rounds(choice, [], {"a": other}) == [["api_key"], ["db_password"]]
    assert rotation.rounds(choice, [], {"a": other, "b": one})[0] == ["api_key", "mail_key"]
    three = renewal.Choice(["db_password", "mail_key"])
    assert rotation.rounds(three, [], {"a": one}) == [["db_password", "mail_key"]]


def test_a_host_without_the_stack_is_left_to_the_plan() -> None:
    choice = renewal.Choice(["db_password"])
    assert rotation.rounds(choice, [], {"a": {**two(), "release": {}}}) == [["db_password"]]


def test_an_approval_is_for_one_plan() -> None:
    controller.check_one_plan("0123456789ab", ["api_key, mail_key"])
    controller.check_one_plan("", ["api_key", "db_password"])
    with pytest.raises(MaestroError) as caught:
        controller.check_one_plan("0123456789ab", ["api_key, mail_key", "db_password"])
    assert "takes 2, one after the other: api_key, mail_key; db_password" in caught.value.what
    assert "-e secret=NAME" in caught.value.fix


def test_a_host_without_the_stack_is_named() -> None:
    with pytest.raises(MaestroError) as caught:
        decide({"a": {**two(), "release": {}}}, ["db_password"])
    assert caught.value.where == "a"


def test_a_secret_the_release_does_not_read_is_left_alone() -> None:
    bare = host(release(FIRST, "v1"))
    bare["release"] = {**bare["release"], "secrets": {}}
    assert decide({"a": with_value(bare, "")}, ["db_password"]).answer()["changing"] == []
