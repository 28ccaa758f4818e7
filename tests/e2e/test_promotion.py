"""What one environment verified is promoted to another, by a run that reaches only the second.

One host stands for both: it has two names in the inventory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from direct import IMAGE, Direct
from e2e import lab

STACK = "promo"
WEB = {
    "image": IMAGE,
    "command": ["busybox", "httpd", "-f", "-p", "8000", "-h", "/etc"],
    "init": True,
    "stop_grace_period": "1s",
    "healthcheck": {
        "test": ["CMD", "busybox", "wget", "-qO-", "http://127.0.0.1:8000/text"],
        "interval": "1s",
    },
    "configs": [{"source": "text", "target": "/etc/text"}],
}


def compose() -> dict[str, Any]:
    return {"services": {"web": WEB}, "configs": {"text": {"file": "./text"}}}


def plan(at: Path, *words: str) -> lab.Run:
    arguments = ("playbooks/plan.yml", "-i", str(at), "-l", "production", "-e", f"stack={STACK}")
    return lab.run(".venv/bin/ansible-playbook", *arguments, *words)


def test_what_staging_verified_is_promoted(direct: Direct, tmp_path: Path) -> None:
    direct.write(STACK, compose(), text="verified")
    assert direct.deploy(STACK, "v1")
    # The host is one of staging and one of production.
    names = {"verified-there": "staging", "promoted-here": "production"}
    more = {"maestro_registry_username": "", "maestro_approval_required": False}
    at = direct.inventory(tmp_path / "hosts.yml", names, **more)
    out = tmp_path / "plan.json"
    plan(at, "-e", "promote=staging", "-e", f"plan_file={out}").ok()
    said = json.loads(out.read_text())
    manifest = lab.manifest(direct.host, STACK)
    assert f"promoted from staging: release {manifest['id']}" in said["text"]
    assert manifest["made_of"].items() <= said["hosts"]["promoted-here"]["facts"].items()
    # Another file than the one that was verified.
    direct.write(STACK, compose(), text="not verified")
    plan(at, "-e", "promote=staging").failed("config text: this is not what staging runs")
    direct.write(STACK, compose(), text="verified")
    direct.until(f"docker stop -t 0 $(docker ps -aq --filter name={STACK}-web)")
    plan(at, "-e", "promote=staging").failed("verified-there: web does not run")
