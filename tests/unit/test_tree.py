"""The tree is the one that was promised, and Ansible finds its parts; Rust's linters hold it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMISED = (
    *("ansible.cfg", "playbooks", "roles", "inventories", "group_vars", "molecule"),
    *("filter_plugins", "docker", ".github", "requirements.yml"),
)


@pytest.mark.requirement("C1")
def test_the_tree_has_its_parts_and_ansible_finds_them() -> None:
    assert [name for name in PROMISED if not (ROOT / name).exists()] == []
    bin_ = ROOT / ".venv/bin"
    said = subprocess.run(
        [bin_ / "ansible-config", "dump", "--only-changed", "--format", "yaml"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {item["name"]: item["value"] for item in yaml.safe_load(said.stdout) if "name" in item}
    assert str(ROOT / "ansible.cfg") == found["CONFIG_FILE"]
    assert "maestro.stacks.output" in found["CALLBACKS_ENABLED"]
    # Roles and filters are parts of a collection, of which this is a development install.
    stacks = ROOT / "collection/ansible_collections/maestro/stacks"
    assert (stacks / "roles").resolve() == ROOT / "roles"
    assert (stacks / "plugins/filter").resolve() == ROOT / "filter_plugins"
    # The bundle has what requirements.yml asks for.
    wanted = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    home = next((ROOT / ".venv/lib").glob("python3*/site-packages/ansible_collections"))
    for collection in wanted:
        assert (home / collection["name"].replace(".", "/")).is_dir(), collection


@pytest.mark.requirement("D27")
def test_jessys_core_is_held_to_its_format_and_to_clippy(tmp_path: Path) -> None:
    """The stage's own commands, on a crate that is fine, badly formatted, or warned of."""
    lines = (ROOT / ".ci/stages.mk").read_text().splitlines()
    begin = lines.index("ci-lint-jessy:") + 1
    commands = [
        line.strip().removeprefix("@cd docker/jessy/core && ") for line in lines[begin : begin + 2]
    ]
    assert commands == [
        "cargo fmt --all -- --check",
        "cargo clippy --all-features -- -D warnings",
    ]
    assert shutil.which("cargo"), "Rust is not here"
    (tmp_path / "src").mkdir()
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n'
    )
    sources = {
        'fn main() {\n    println!("a");\n}\n': [0, 0],
        'fn main() {println!("a");}\n': [1, 0],
        "fn main() {\n    let a = 1;\n}\n": [0, 1],
    }
    for source, expected in sources.items():
        (tmp_path / "src/main.rs").write_text(source)
        codes = [
            subprocess.run(
                command.split(), cwd=tmp_path, capture_output=True, check=False
            ).returncode
            for command in commands
        ]
        assert [int(code != 0) for code in codes] == expected, source
