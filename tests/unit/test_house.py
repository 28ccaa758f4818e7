"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import configparser
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from maestro.host.steps import STEPS

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parent for path in (ROOT / "roles").glob("*/tasks"))
PLAYBOOKS = sorted([*ROOT.glob("*.yml"), *(ROOT / "playbooks").glob("*.yml")])
PLAYBOOKS = [path for path in PLAYBOOKS if "hosts:" in path.read_text()]


def tracked(*patterns: str) -> list[Path]:
    """The files git knows or would know; links and what is gone left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


CODE = ("src", "roles", "playbooks", "library", "*_plugins", "deploy.yml", "scripts")


@pytest.mark.parametrize("folder", ["docker", "tests/stacks"])
def test_no_code_knows_a_stacks_name(folder: str) -> None:
    """A stack is data: its directory, and its values in group_vars."""
    stacks = [path.parent.name for path in (ROOT / folder).glob("*/compose.yaml")]
    assert stacks
    word = re.compile(rf"(?i)(?<![a-z])(?:{'|'.join(map(re.escape, stacks))})(?![a-z])")
    # The demo deploys the default stack unless another is named: the one place with a name. A kind
    # of metrics is called as one of the stacks.
    kinds = ("exposition.py", "metrics.py", "usage.py")
    files = [path for path in tracked(*CODE) if path.name not in ("demo", *kinds)]
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if word.search(line)
    ]
    assert hits == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_roles_defaults_and_its_argument_specs_name_the_same(role: Path) -> None:
    """What may be left out has a default and is specified; what is required has none."""
    path = role / "defaults/main.yml"
    defaults = set(yaml.safe_load(path.read_text()) or {}) if path.exists() else set()
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    optional, required = set(), set()
    for entry in specs.values():
        for name, option in (entry.get("options") or {}).items():
            (required if option.get("required") else optional).add(name)
    assert optional == defaults
    assert required & defaults == set()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_documents_each_argument_and_prefixes_it(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    for entry in specs.values():
        assert entry["short_description"]
        for name, option in (entry.get("options") or {}).items():
            assert name.startswith((f"{role.name}_", "maestro_", "stack", "version")), name
            assert option["description"], name
            assert option["type"], name


# Parameters that are converted where they arrive: by a step's specification or by name.
CONVERTED = {
    *("limit_required", "approval_required", "accept_schema", "accept_volume_change", "claim"),
    *(
        name
        for step in STEPS.values()
        for name, option in step.arguments.items()
        if option["type"] in ("bool", "int", "float")
    ),
}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_converts_each_boolean_and_each_number_where_it_is_used(role: Path) -> None:
    """What is given with -e, or in an INI inventory, is text: `false` would count as true."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    kinds = {
        name: option["type"]
        for entry in specs.values()
        for name, option in (entry.get("options") or {}).items()
        if option["type"] in ("bool", "int", "float")
    }
    files = [path for path in role.rglob("*") if path.is_file() and path.parent.name != "meta"]
    lines = [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in files
        if path.suffix != ".pyc"
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if not line.lstrip().startswith("#")
    ]
    raw = [
        f"{place}: {line.strip()}"
        for name, kind in kinds.items()
        for place, line in lines
        for found in re.finditer(rf"(?<![\w.]){name}(?![\w:])", line)
        if not re.match(rf" \| {kind}\b", line[found.end() :])
        and not (role.name == "deploy" and line.strip().partition(":")[0] in CONVERTED)
    ]
    assert raw == []


def test_every_mode_is_octal_text() -> None:
    """A number is read as decimal by one module and as octal by another: 0600 became 1130."""
    files = tracked("roles/*.yml", "playbooks/*.yml", "molecule/*.yml")
    modes = [
        (f"{path.relative_to(ROOT)}: {line.strip()}", line.partition("mode:")[2].strip())
        for path in files
        for line in text_of(path).splitlines()
        if re.match(r"\s+(?:- )?(?:directory_)?mode: ", line)
    ]
    assert modes
    wrong = [place for place, mode in modes if not re.match(r'"(0?[0-7]{3}|0?\{\{.*\}\})"', mode)]
    assert wrong == []
    # This one reads text as decimal unless it is told otherwise.
    copies = [path for path in files if "docker_container_copy_into:" in text_of(path)]
    for path in copies:
        text = text_of(path)
        assert text.count("copy_into:") == text.count("mode_parse: octal_string_only"), path


def variables_from(playbook: Path) -> dict[str, dict[str, object]]:
    """What each host of the default inventories resolves when this playbook is run."""
    loader = DataLoader()
    loader.set_basedir(str(playbook.parent))
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    sources = [str(ROOT / name) for name in settings["defaults"]["inventory"].split(",")]
    inventory = InventoryManager(loader=loader, sources=sources)
    manager = VariableManager(loader=loader, inventory=inventory)
    own = ("maestro_", "docker_engine_", "ansible_user", "ansible_host")
    return {
        host.name: {
            name: value
            for name, value in manager.get_vars(host=host, include_hostvars=False).items()
            if name.startswith(own)
        }
        for host in inventory.get_hosts()
    }


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
def test_every_entry_point_sees_the_same_variables(playbook: Path) -> None:
    """group_vars is read beside the playbook or the inventory only: it must stand for all."""
    seen = variables_from(playbook)
    assert set(seen) == {"staging-1", "staging-2", "production-1", "production-2"}
    for host, values in seen.items():
        assert values["maestro_environment"] == host.rpartition("-")[0]
        assert values["maestro_stack"]
    assert seen == variables_from(ROOT / "deploy.yml")


def test_every_setting_of_ansible_has_its_reason() -> None:
    lines = (ROOT / "ansible.cfg").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"[a-z_]+ = ", line):
            assert before.startswith("#") or re.match(r"[a-z_]+ = ", before), line


def test_the_tree_is_as_documented_and_ansible_reads_it() -> None:
    folders = "playbooks roles inventories group_vars molecule filter_plugins collection docker"
    for name in ["ansible.cfg", "requirements.yml", *folders.split()]:
        assert (ROOT / name).exists(), name
    command = [Path(sys.executable).parent / "ansible-config", "dump", "--only-changed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'maestro.stacks.output', 'maestro.stacks.entry'" in done.stdout
    wanted = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    command = [Path(sys.executable).parent / "ansible-galaxy", "collection", "list"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for collection in wanted:
        assert re.search(rf"^{re.escape(collection['name'])} ", listed, re.MULTILINE)


def test_the_collections_that_are_used_are_required() -> None:
    used = set()
    for path in tracked("roles/*.yml", "playbooks/*.yml", "*.yml", "molecule/*.yml"):
        used.update(re.findall(r"\b((?:ansible|community)\.[a-z]+)\.[a-z_0-9]+:", text_of(path)))
    wanted = {c["name"] for c in yaml.safe_load(text_of(ROOT / "requirements.yml"))["collections"]}
    # community.sops is used by the Python that reads secrets.
    assert used - {"ansible.builtin"} | {"community.sops"} == wanted | {"community.sops"}


HOST_SIDE = sorted(
    {*(ROOT / "src/maestro/host").rglob("*.py"), *(ROOT / "src/maestro").glob("redaction*/**/*.py")}
)


@pytest.mark.parametrize("path", HOST_SIDE, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_what_runs_on_a_host_needs_nothing_but_an_old_python(path: Path) -> None:
    """Modules carry it to the hosts: the standard library, relative imports, Python 3.10."""
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names, f"{name} in line {node.lineno}"


def test_no_file_knows_where_it_was_written() -> None:
    hits = [path for path in tracked() if str(ROOT) in text_of(path)]
    assert hits == []


def test_links_point_inside_the_project() -> None:
    stacks = ROOT / "collection/ansible_collections/maestro/stacks"
    collection = [*stacks.glob("plugins/*"), stacks / "roles", stacks / "playbooks"]
    for path in (ROOT / "module_utils/maestro", ROOT / "playbooks/group_vars", *collection):
        assert path.is_symlink()
        assert path.resolve().is_relative_to(ROOT)
        assert path.resolve().is_dir()


def test_every_target_of_the_makefile_is_in_the_help() -> None:
    files = [ROOT / "Makefile", *sorted((ROOT / "make").glob("*.mk"))]
    lines = [line for path in files for line in text_of(path).splitlines()]
    phony = {n for line in lines if line.startswith(".PHONY:") for n in line.split()[1:]}
    shown = {m[1] for line in lines if (m := re.match(r"([a-z][a-z-]*):.* ## \S", line))}
    assert phony == shown
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(re.search(rf"^  {name} +\S", done.stdout, re.MULTILINE) for name in shown)
    assert "\x1b" not in done.stdout
    titles = [line[3:] for line in lines if line.startswith("## ")]
    assert len(titles) == len(files) - 1
    assert set(titles) <= set(done.stdout.splitlines()), "a file is not included"
    assert max(len(text_of(path).splitlines()) for path in files) <= 60
