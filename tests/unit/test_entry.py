"""A run that is not what its command line means is refused before its first play."""

from __future__ import annotations

import configparser
import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.local_play import ROOT

from maestro.errors import MaestroError
from maestro.play import entry, guarded

KNOWN = entry.Known(ROOT)


def problems(extra: dict[str, Any], *hosts: dict[str, Any]) -> list[MaestroError]:
    return entry.problems(extra, KNOWN, lambda: hosts)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("stak", "stack"),
        ("verison", "version"),
        ("aproved_by", "approved_by"),
        ("maestro_stak", "maestro_stack"),
        ("deploy_timeot", "deploy_timeout"),
        ("edge_redirect_http", "edge_redirect_https"),
        ("accept_volume_changes", "accept_volume_change"),
        ("maintenence", "maintenance"),
        ("secrets", "secret"),
        ("image_host", "images_host"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_right_one(name: str, meant: str) -> None:
    (problem,) = problems({name: "x", "ansible_user": "root"})
    assert problem.where == f"-e {name}"
    assert problem.fix.startswith(f"did you mean {meant}? ")


def test_a_compose_variable_belongs_elsewhere() -> None:
    (problem,) = problems({"GREETING": "x"})
    assert "${GREETING} of a stack goes into maestro_stack_variables" in problem.fix


@pytest.mark.parametrize(
    "host",
    [
        {"own": 1},
        {"maestro_stack_variables": {"shop": {"A": "{{ own | default(1) }}"}}},
        {"x": ["{% if own %}a{% endif %}"]},
    ],
)
def test_a_variable_of_the_user_s_own_inventory_is_known(host: dict[str, Any]) -> None:
    assert problems({"own": 2}, {}, host) == []


@pytest.mark.parametrize("host", [{}, {"x": "own"}, {"x": {"own": 1}}])
def test_one_that_is_only_a_word_there_is_not(host: dict[str, Any]) -> None:
    assert len(problems({"own": 2}, host)) == 1


@pytest.mark.parametrize(
    ("playbooks", "extra", "fix"),
    [
        (["rollback.yml"], {"version": "v1"}, "name the release to roll back to: -e to=RELEASE"),
        (["deploy.yml"], {"to": "r1"}, "it is for rollback.yml"),
        (["deploy.yml"], {"maintenance": "on"}, "it is for maintenance.yml"),
        (["remove.yml"], {"version": "v1"}, "it is for deploy.yml, plan.yml, fetch.yml"),
        (["maintenance.yml"], {"service": "web"}, "it is for logs.yml"),
        (["rotate_secrets.yml"], {"service": "web"}, "it is for logs.yml"),
        (["deploy.yml"], {"version": "v1", "stack": "shop"}, ""),
        (["rotate_secrets.yml"], {"version": "v1"}, ""),
        (["rollback.yml"], {"version": "", "to": "r1"}, ""),
        # Together with one that reads it, with others' plays, and where nothing is changed.
        (["rollback.yml", "deploy.yml"], {"version": "v1"}, ""),
        (["provision.yml", "rollback.yml"], {"version": "v1"}, ""),
        ([], {"version": "v1"}, ""),
        (["status.yml"], {"version": "v1"}, ""),
    ],
)
def test_a_variable_that_the_playbook_does_not_read_is_refused(
    playbooks: list[str], extra: dict[str, str], fix: str
) -> None:
    found = entry.unread(extra, playbooks)
    assert [problem.fix.startswith(fix) for problem in found] == [True] * bool(fix)


def test_the_playbooks_named_are_there() -> None:
    there = {path.name for path in (ROOT / "playbooks").glob("*.yml")} | {"deploy.yml"}
    assert {name for names in entry.READ_BY.values() for name in names} | {*entry.CHANGING} <= there


@functools.cache
def every_option() -> dict[str, dict[str, Any]]:
    return {
        name: option
        for path in ROOT.glob("roles/*/meta/argument_specs.yml")
        for one in yaml.safe_load(path.read_text())["argument_specs"].values()
        for name, option in (one.get("options") or {}).items()
    }


def test_every_option_and_all_that_the_pages_show_is_known() -> None:
    assert set(every_option()) <= set(KNOWN.options)
    shown = (
        *(
            "stack",
            "version",
            "wait",
            "secret",
            "to",
            "maintenance",
            "approved_by",
            "since",
            "tail",
        ),
        *("accept_volume_change", "approved_plan", "accept_schema", "service", "images_host"),
        *("maestro_waves", "maestro_stack_profiles", "maestro_approval_required", "maestro_root"),
        *("maestro_stack_variables", "maestro_secrets", "maestro_registry_password"),
    )
    for name in shown:
        assert name in KNOWN.options or name in KNOWN.others, name


@pytest.mark.parametrize("name", sorted(every_option()))
def test_every_typed_option_is_judged_and_converted(name: str) -> None:
    texts = {
        "bool": ("no", False),
        "int": ("7", 7),
        "float": ("0.5", 0.5),
        "list": ("a,b", ["a", "b"]),
    }
    option = every_option()[name]
    if option["type"] not in texts or option.get("elements") == "dict":
        return
    text, value = texts[option["type"]]
    if option.get("choices"):
        text, value = ",".join(option["choices"][:2]), option["choices"][:2]
    assert entry.converted({name: text}, KNOWN) == {name: value}
    if option["type"] != "list":
        (problem,) = problems({name: "flase"})
        assert problem.where == name


def test_a_short_name_has_the_type_of_what_it_stands_for() -> None:
    found = entry.converted({"wait": "5", "maestro_waves": "1,50%", "stack": "shop"}, KNOWN)
    assert found == {"wait": 5.0, "maestro_waves": ["1", "50%"]}
    assert problems({"maestro_approval_required": "nope"})[0].where == "maestro_approval_required"
    assert problems({"wait": "{{ 5 }}", "maestro_stack_profiles": {"shop": ["x"]}}) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stack", value) for value in ("../../etc", "a/b", "..", "shop\n", "-x", "A")),
        *(("maestro_stack", "../x"), ("to", "../../x"), ("to", "r1\n"), ("version", "latest")),
        *(("version", "a/b"), ("secret", "a,../b"), ("service", "web,-f"), ("volumes", "../x")),
        *(("edge_maintenance_stack", "../../etc"), ("images_stack", "a/b"), ("deploy_stack", "..")),
        *(("images_host", "a b"), ("stack", ["a"]), ("stack", {"a": 1})),
    ],
)
def test_a_name_that_is_none(name: str, value: Any) -> None:
    assert len(problems({name: value})) == 1


def test_names_that_are_some() -> None:
    given = {"stack": "shop", "version": "", "secret": "a, b", "service": "", "to": "r1"}
    assert problems(given) == []


# From the command line


def run(
    *words: str, cwd: Path = ROOT, program: str = "ansible-playbook", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".venv/bin" / program, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_wrong_variable_in_a_file_or_in_json_ends_the_run(tmp_path: Path) -> None:
    file = tmp_path / "variables.yml"
    file.write_text("stak: shop\n")
    both = ("-e", f"@{file}", "-e", json.dumps({"vesion": "v1"}))
    done = run("playbooks/status.yml", "-l", "staging", *both)
    assert done.returncode == 5
    assert "-e stak: nothing reads this variable" in done.stderr
    assert "did you mean version?" in done.stderr
    assert "PLAY" not in done.stdout


def test_what_an_inventory_says_of_a_group_and_nobody_would_hear(tmp_path: Path) -> None:
    """Ansible lets the playbook's group_vars/all count more, without a word."""
    host = {"a": {"ansible_connection": "local"}}
    said = {"maestro_stack": "shop", "my_own": "1", "maestro_root": "/opt/maestro"}
    groups = {"staging": {"hosts": host, "vars": said}, "other": {"hosts": {"b": {}}, "vars": said}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps(groups))
    done = run("-i", str(inventory), "playbooks/status.yml", "-l", "a")
    assert done.returncode == 5
    wrong = "maestro_stack: the inventory sets it for the group staging, and group_vars/all.yml"
    assert wrong in done.stderr
    assert "move it to group_vars/staging.yml, or set it for each host" in done.stderr
    assert "my_own" not in done.stderr, "nobody else sets it"
    assert "maestro_root" not in done.stderr, "the same in both"
    assert "other" not in done.stderr, "none of its hosts is in this run"
    # What is said on the command line counts before all of it.
    assert not entry.overridden(ROOT, [("staging", {})])


@pytest.mark.parametrize(
    ("text", "given", "refused"),
    [
        # An inventory in the INI format gives text, where YAML gives a boolean or a number.
        ("it: true", "true", False),
        ("it: true", "yes", False),
        ("it: false", "no", False),
        ("it: false", "true", True),
        ("it: 'true'", True, False),
        ("it: 5", "5", False),
        ("it: /Data", "/data", True),
        ("it: [a]", "[a]", True),
        ("it: [a]", ["a"], False),
        # Files of variables that are none, or that nobody can read here.
        ("- it", "1", False),
        ("it", "1", False),
        ("$ANSIBLE_VAULT;1.1;AES256\n6974", "1", False),
        ("", "1", False),
    ],
)
def test_what_counts_as_the_same_value(
    tmp_path: Path, text: str, given: object, refused: bool
) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(text)
    found = entry.overridden(tmp_path, [("staging", {"it": given})])
    assert [problem.where for problem in found] == (["it"] if refused else [])


def test_a_setting_that_leaves_secrets_on_hosts_ends_the_run() -> None:
    done = run("playbooks/status.yml", "-l", "staging", ANSIBLE_KEEP_REMOTE_FILES="1")
    assert done.returncode == 5
    assert "unset ANSIBLE_KEEP_REMOTE_FILES" in done.stderr


def test_other_programs_of_ansible_mask_and_hosts_log_no_arguments(tmp_path: Path) -> None:
    secret = tmp_path / "secrets/development/common"
    secret.mkdir(parents=True)
    secret.chmod(0o700)
    (secret / "registry_password").write_text("a-long-sentinel-value")
    (secret / "registry_password").chmod(0o600)
    inventory = tmp_path / "hosts.yml"
    source = {"source": "directory", "path": str(tmp_path / "secrets")}
    variables = {
        "maestro_secrets": source,
        "maestro_registry_ca": "",
        "maestro_environment": "development",
    }
    hosts = {"a": {"ansible_connection": "local", **variables}}
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    done = run("-i", str(inventory), "a", "-m", "debug", "-a", "var=hostvars", program="ansible")
    assert done.returncode == 0
    assert "maestro_registry_password: '***'" in done.stdout.replace(": ***", ": '***'")
    assert "a-long-sentinel-value" not in done.stdout + done.stderr
    listed = run("-i", str(inventory), "--list", program="ansible-inventory")
    assert "maestro_registry_password" in listed.stdout
    assert "a-long-sentinel-value" not in listed.stdout + listed.stderr
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    assert settings["defaults"]["no_target_syslog"] == "true"


def test_a_play_without_hosts_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {}}\n")
    done = run("-i", str(tmp_path / "hosts.yml"), "deploy.yml")
    assert done.returncode == 5
    assert f"{tmp_path}/hosts.yml: no host is in this play" in done.stderr


@pytest.mark.parametrize(
    ("environment", "fix"),
    [
        ({}, "run it in the directory of your project's ansible.cfg"),
        ({"ANSIBLE_CONFIG": "other.cfg"}, "(not another one by ANSIBLE_CONFIG)"),
        ({"ANSIBLE_CALLBACKS_ENABLED": "junit"}, "add them to ANSIBLE_CALLBACKS_ENABLED: "),
    ],
)
def test_a_run_that_would_show_secrets_ends(
    tmp_path: Path, environment: dict[str, str], fix: str
) -> None:
    (tmp_path / "other.cfg").touch()
    done = run(str(ROOT / "deploy.yml"), "-l", "staging", cwd=tmp_path, **environment)
    assert done.returncode == 4
    assert "nothing masks the secrets in what this run shows" in done.stderr
    assert fix in " ".join(done.stderr.split())
    assert "PLAY" not in done.stdout


def test_why_the_callbacks_were_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "run it in the directory" in refused()
    (tmp_path / "ansible.cfg").touch()
    assert "callbacks_enabled = maestro.stacks.output,maestro.stacks.entry" in refused()
    tmp_path.chmod(0o777)
    assert f"chmod o-w {tmp_path}" in refused()


def refused() -> str:
    with pytest.raises(MaestroError) as caught:
        guarded.hosts("all")
    return caught.value.fix


def test_make_refuses_a_directory_that_everybody_can_write_to(tmp_path: Path) -> None:
    for name in ["Makefile", "make"]:
        (tmp_path / name).symlink_to(ROOT / name)
    tmp_path.chmod(0o777)
    done = subprocess.run(
        ["make", "lab"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"chmod o-w {tmp_path}" in done.stderr
