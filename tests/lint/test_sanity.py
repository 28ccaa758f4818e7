"""The collection in the eyes of ansible-test, as an archive of Ansible Galaxy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# ansible-test fetches pip's own installer, where a network lets it; Python brings one along.
PIP = """\
import subprocess, sys
python = [sys.executable, "-m"]
subprocess.check_call([*python, "ensurepip"])
wanted = [word for word in sys.argv[1:] if word.startswith("pip==")]
subprocess.check_call([*python, "pip", "install", "--quiet", *wanted])
"""


@pytest.mark.long
def test_nothing_is_left_to_say_of_the_collection(tmp_path: Path) -> None:
    subprocess.run(["scripts/package"], cwd=ROOT, capture_output=True, check=True)
    (archive,) = (ROOT / "dist").glob("maestro-stacks-*.tar.gz")
    collection = tmp_path / "ansible_collections/maestro/stacks"
    shutil.unpack_archive(archive, collection)
    cache = tmp_path / ".ansible/test/cache"
    cache.mkdir(parents=True)
    for version in wanted_pips():
        (cache / f"get_pip_{version}.py").write_text(PIP)
    done = subprocess.run(
        [ROOT / ".venv/bin/ansible-test", "sanity", "--venv", "--python", "3.11"],
        cwd=collection,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    errors = [line for line in said.splitlines() if line.startswith(("ERROR", "FATAL"))]
    assert (done.returncode, errors) == (0, []), said[-3000:]
    assert 'Running sanity test "validate-modules"' in said


def wanted_pips() -> set[str]:
    """The versions of pip that ansible-test asks for, as they stand in a file's name."""
    (source,) = (ROOT / ".venv/lib").glob(
        "python3*/site-packages/ansible_test/_internal/python_requirements.py"
    )
    found = re.findall(r"\bpip='([\d.]+)'", source.read_text())
    return {version.replace(".", "_") for version in found}
