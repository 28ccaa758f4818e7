"""detect-secrets over everything that git knows: takes half a minute, so a long test."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What it takes for a secret and is none, by the file: a part of each such line.
KNOWN = {
    "ansible.cfg": ("vault_password_file = scripts/",),
    "docker/jessy/api/internal/redact/redact.go": ("range secrets",),
    "docker/mami/ai/app/config.py": ("USER:PASSWORD@HOST",),
    "docker/mami/ai/tests/": ("key-groq-1", "p@ss", "canary"),
    # Nobody but this machine reaches it, and its page says so.
    "docker/mami/compose.development.yaml": ("ADMIN_PASSWORD: admin",),
    "docs/redaction.md": ("Kubernetes secret", "never secret"),
    "filter_plugins/redact.yml": ("EXAMPLES:",),
    "molecule/docker_engine/": ("fingerprint:",),
    "pyproject.toml": ("maestro-secrets =",),
    "roles/docker_engine/defaults/": ("fingerprint:",),
    "src/maestro/cli/main.py": ("maestro_secrets",),
}


@pytest.mark.long
@pytest.mark.requirement("T7.2")
def test_no_secret_is_in_what_git_knows() -> None:
    """Left out are the tests, which make secrets up, and the sums of lock files."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    made_up = ("tests/", "collection/")  # the second is links to what is looked at anyway
    sums = (".lock", ".sum", "package-lock.json")
    names = [name for name in listed if not name.startswith(made_up) and not name.endswith(sums)]
    found = json.loads(
        subprocess.run(
            [".venv/bin/detect-secrets", "scan", *names],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
    )["results"]  # fmt: skip
    for name, places in found.items():
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        parts = [part for path, many in KNOWN.items() if name.startswith(path) for part in many]
        for place in places:
            line = lines[place["line_number"] - 1]
            assert any(part in line for part in parts), f"{name}:{place['line_number']}"


def test_the_scan_finds_a_secret(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f'password = "{"x7Fq9" * 3}"\n')
    done = subprocess.run(
        [ROOT / ".venv/bin/detect-secrets", "scan", "settings.py", "--all-files"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert list(json.loads(done.stdout)["results"]) == ["settings.py"]
