"""What the action plugins share: the guard, the payload, who deploys which commit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible import constants

from maestro import records
from maestro.errors import MaestroError, MaestroErrors, raise_all
from maestro.play import controller
from maestro.secrets.source import Secrets

NO_APPROVAL = {"required": False, "by": "", "plan": "", "file": "", "dry": False}
HASH = "0123456789ab"
REQUEST: dict[str, Any] = {
    "stack": "shop",
    "environment": "staging",
    "registry": "registry.test:5000",
    "registry_username": "maestro",
    "secret_names": ["token"],
    "secrets_settings": {"source": "environment"},
}


class NoVault:
    """The environment's source asks no vault."""

    def get_text_file_contents(self, file_name: str) -> str:
        raise AssertionError(file_name)


# The guard


def guard(**changes: Any) -> None:
    controller.guard(
        **{
            "limit": "staging",
            "limit_required": True,
            "environments": {"a": "staging", "b": "staging"},
            "approval": NO_APPROVAL,
            **changes,
        }
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"limit": "", "limit_required": False},
        {"approval": {"required": True, "by": "jo", "plan": HASH, "file": "", "dry": False}},
        {"approval": {"required": True, "by": "jo", "plan": HASH * 5, "file": "", "dry": False}},
        {"approval": {"required": True, "by": "", "plan": "", "file": "", "dry": True}},
    ],
)
def test_the_guard_lets_through(changes: dict[str, Any]) -> None:
    guard(**changes)


@pytest.mark.parametrize(
    ("changes", "what", "where", "fix"),
    [
        (
            {"limit": ""},
            "no limit was given, so every host would be changed",
            "",
            "deploy.yml -l staging",
        ),
        (
            {"environments": {"a": "staging", "b": "production"}},
            "the hosts are not of one environment",
            "a: staging, b: production",
            "maestro_environment",
        ),
        (
            {"environments": {"a": "staging", "b": ""}},
            "the hosts are not of one environment",
            "a: staging, b: none",
            "maestro_environment",
        ),
        (
            {"environments": {"a": ""}},
            "the hosts are not of one environment",
            "a: none",
            "-l staging",
        ),
        ({"environments": {}}, "the hosts are not of one environment", "", "-l staging"),
        (
            {
                "limit": "",
                "limit_required": False,
                "environments": {"a": "production"},
                "approval": {"required": True, "by": "", "plan": "", "file": "", "dry": False},
            },
            "production needs an approval",
            "",
            "maestro.stacks.plan -l production",
        ),
        (
            {"limit": "web-1", "approval": {**NO_APPROVAL, "required": True}},
            "staging needs an approval",
            "",
            "-l web-1), then deploy with -e approved_by=NAME",
        ),
    ],
)
def test_the_guard_refuses(changes: dict[str, Any], what: str, where: str, fix: str) -> None:
    with pytest.raises(MaestroError) as caught:
        guard(**changes)
    assert (caught.value.what, caught.value.where) == (what, where)
    assert fix in caught.value.fix


# Secrets


def test_secrets_are_read_for_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_SECRET_TOKEN", "swordfish")
    monkeypatch.setenv("MAESTRO_SECRET_REGISTRY_PASSWORD", "opensesame")
    assert dict(controller.read_secrets(REQUEST, NoVault())) == {"token": "swordfish"}
    both = controller.read_secrets(REQUEST, NoVault(), registry=True)
    assert dict(both) == {"token": "swordfish", "registry_password": "opensesame"}
    anonymous = {**REQUEST, "registry_username": ""}
    assert set(controller.read_secrets(anonymous, NoVault(), registry=True)) == {"token"}


def test_missing_secrets_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "REGISTRY_PASSWORD"):
        monkeypatch.delenv(f"MAESTRO_SECRET_{name}", raising=False)
    with pytest.raises(MaestroError) as caught:
        controller.read_secrets(REQUEST, NoVault(), registry=True)
    assert "token" in str(caught.value)
    assert "registry_password" in str(caught.value)


def test_a_module_gets_what_it_asks_for_as_one_text() -> None:
    values = Secrets(token="swordfish", other="not asked for")
    assert json.loads(controller.payload(values, ["token"], REQUEST)) == {
        "secrets": {"token": "swordfish"},
        "login": {},
    }
    values["registry_password"] = "opensesame"
    assert json.loads(controller.payload(values, [], REQUEST)) == {
        "secrets": {},
        "login": {
            "registry": "registry.test:5000",
            "username": "maestro",
            "password": "opensesame",
        },
    }


# Who, what, where


def test_the_project_is_where_its_settings_stand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "CONFIG_FILE", str(tmp_path / "ansible.cfg"))
    assert controller.project() == tmp_path.resolve()
    monkeypatch.setattr(constants, "CONFIG_FILE", None)
    monkeypatch.chdir(tmp_path)
    assert controller.project() == tmp_path.resolve()


def test_which_commit_is_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    stack = tmp_path / "docker" / "shop"
    stack.mkdir(parents=True)
    assert controller.git_commit(stack) == "", "no repository"

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    assert controller.git_commit(stack) == "", "no commit"
    (stack / "compose.yaml").write_text("services: {}\n")
    git("add", ".")
    git("commit", "-qm", "x")
    commit = git("rev-parse", "HEAD")
    assert controller.git_commit(stack) == commit
    (tmp_path / "elsewhere").write_text("no part of the stack")
    assert controller.git_commit(stack) == commit
    (stack / "compose.yaml").write_text("services: {web: {}}\n")
    assert controller.git_commit(stack) == f"{commit}-dirty"
    git("checkout", "-q", "--", ".")
    (stack / "new.yaml").write_text("")
    assert controller.git_commit(stack) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert controller.git_commit(stack) == "", "no git"


# Errors


def test_an_error_says_where_what_and_what_to_do() -> None:
    assert str(MaestroError("is broken")) == "is broken"
    assert str(MaestroError("is broken", where="web")) == "web: is broken"
    assert str(MaestroError("is broken", fix="mend it")) == "is broken\n  -> mend it"
    assert (
        str(MaestroError("is broken", where="web", fix="mend it")) == "web: is broken\n  -> mend it"
    )


def test_problems_are_raised_together() -> None:
    raise_all([])
    one, two = MaestroError("a", fix="b"), MaestroError("c", where="d")
    with pytest.raises(MaestroError) as caught:
        raise_all([one])
    assert caught.value is one
    with pytest.raises(MaestroErrors) as both:
        raise_all([one, two])
    assert both.value.problems == [one, two]
    assert str(both.value) == "a\n  -> b\nd: c"


# The guard of a play, from its hosts' variables


def guard_play(hosts: dict[str, dict[str, Any]], **settings: Any) -> None:
    asked = {
        "limit": "staging",
        "limit_required": True,
        "approval_required": False,
        "approved_by": "",
        "approved_plan": "",
        "plan_only": False,
        **settings,
    }
    every = {
        name: {"maestro_environment": "staging", "maestro_stack": "shop", **own}
        for name, own in hosts.items()
    }
    variables = {"hostvars": every, "ansible_play_hosts_all": list(every)}
    controller.guard_play(asked, variables, {}, check_mode=False)


@pytest.mark.parametrize("no", [False, "false", "no", "0", "off"])
def test_a_text_that_says_no_is_no(no: object) -> None:
    guard_play({"a": {}}, approval_required=no)
    guard_play({"a": {"maestro_approval_required": no}}, limit="", limit_required=no)


@pytest.mark.parametrize("yes", [True, "true", "yes", "1"])
def test_one_host_that_needs_an_approval_is_enough(yes: object) -> None:
    for settings in ({"maestro_approval_required": yes}, {"deploy_approval_required": yes}):
        with pytest.raises(MaestroError, match="needs an approval"):
            guard_play({"a": {}, "b": settings})
    with pytest.raises(MaestroError, match="needs an approval"):
        guard_play({"a": {}}, approval_required=yes)


@pytest.mark.parametrize("name", ["deploy_approval_required", "deploy_limit_required"])
def test_a_guard_that_says_nonsense_is_no_guard_that_is_off(name: str) -> None:
    with pytest.raises(MaestroError, match=rf"^{name}: is not true or false"):
        guard_play({"a": {}}, **{name.removeprefix("deploy_"): "flase"})


@pytest.mark.parametrize(
    "own", [{"maestro_stack": "notes"}, {"stack": "notes"}, {"deploy_stack": "notes"}]
)
def test_hosts_of_two_stacks_are_refused(own: dict[str, Any]) -> None:
    guard_play({"a": own, "b": {"deploy_stack": "notes"}})
    with pytest.raises(MaestroError, match=r"a: shop, b: notes: the hosts are not of one stack"):
        guard_play({"a": {}, "b": own})


def test_an_answer_that_lacks_something_is_refused_with_its_host() -> None:
    answer = dict.fromkeys(records.Removal.__required_keys__)
    assert controller.whole({"a": answer}, records.Removal) == {"a": answer}
    partial = {key: None for key in answer if key not in ("found", "lease")}
    with pytest.raises(MaestroError, match=r"b: its answer lacks found, lease") as caught:
        controller.whole({"a": answer, "b": partial}, records.Removal)
    assert "a: " not in str(caught.value)


def test_records_tell_what_must_be_there_from_what_may() -> None:
    """Python does not know it of a module that puts off its annotations."""
    assert records.State.__optional_keys__ >= {"own"}
    assert records.State.__required_keys__ >= {"release", "model", "containers"}
    assert not records.Manifest.__required_keys__
