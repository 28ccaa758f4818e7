"""Each host gets its environment's values, whichever playbook is run.

group_vars/ is read only beside the inventory or beside the playbook, and with two inventories
loaded the `all` of one can override the other's: so every entry point is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLAYBOOKS = ["deploy.yml", *sorted(f"playbooks/{p.name}" for p in ROOT.glob("playbooks/*.yml"))]
ENVIRONMENTS = {
    "staging-1": "staging",
    "staging-2": "staging",
    "production-1": "production",
    "production-2": "production",
}
NAMES = [
    "maestro_environment",
    "maestro_project",
    "maestro_registry",
    "maestro_root",
    "maestro_secrets",
    "maestro_stack",
    "maestro_stacks_dir",
    "docker_engine_source",
]


@pytest.fixture(scope="module")
def resolved() -> dict[str, dict[str, dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "tests/resolved_vars.py", *PLAYBOOKS, "--", *NAMES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("host", ENVIRONMENTS)
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_host_gets_its_environment_s_values(
    resolved: dict[str, dict[str, dict[str, Any]]], playbook: str, host: str
) -> None:
    assert resolved[playbook][host] == {
        "maestro_environment": ENVIRONMENTS[host],
        "maestro_project": str(ROOT),
        "maestro_registry": "registry.test:5000",
        "maestro_root": "/opt/maestro",
        "maestro_secrets": {"source": "vault"},
        "maestro_stack": "jessy",
        "maestro_stacks_dir": "docker",
        "docker_engine_source": "distro",
    }


def test_no_other_host_is_loaded_by_default(
    resolved: dict[str, dict[str, dict[str, Any]]],
) -> None:
    assert set(resolved["deploy.yml"]) == set(ENVIRONMENTS)
