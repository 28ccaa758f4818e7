"""A play on hosts that stand for this machine, with the project's own settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def local_play(playbook: Path, hosts: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook for ``hosts``, named as in ``a,b``; it may fail."""
    return subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible-playbook"), playbook),
            *("-i", f"{hosts},", "-e", "ansible_connection=local", *words),
        ],
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
