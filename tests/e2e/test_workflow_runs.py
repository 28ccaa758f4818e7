"""The workflows as a forge runs them: by act, on this machine, up to a host of the lab.

Stages that have tests of their own (lint, builds, scans) are named and left out; deploys, plans,
approvals and notifications are real. Actions of others are replaced: artifacts go to a directory.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from counter import write_secret
from direct import ROOT as ON_HOST
from direct import Direct
from e2e import lab
from e2e.test_promotion import compose

pytestmark = pytest.mark.long

STACK = "flow"
TOKEN = "correct-horse-battery-staple"  # a secret of the run, which no message may show
STAGES = """include Makefile
ci-deploy ci-smoke ci-plan:
	@LIMIT='$(LIMIT)' STACK=flow INVENTORY='$(INVENTORY)' scripts/ci/hosts $(@:ci-%=%)
ci-approve:
	@scripts/ci/approve
ci-notify:
	@python3 scripts/ci/notify.py
ci-%:
	@echo "stage $*"
	@case " $(FAIL) " in *" $* "*) echo "it broke, API_TOKEN is $$API_TOKEN" >&2; exit 3;; esac
"""
NOTHING = """name: nothing
description: does nothing
runs: {using: composite, steps: [{run: "true", shell: bash}]}
"""
UPLOAD = """name: upload
description: keeps files
inputs: {name: {default: artifact}, path: {required: true}, if-no-files-found: {default: warn},
  include-hidden-files: {default: "false"}, retention-days: {default: ""}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}", STORE: "PLACE"}
      run: |
        mkdir -p "$STORE/$NAME"
        for file in $FILES; do if [ -e "$file" ]; then cp -r "$file" "$STORE/$NAME/"; fi; done
"""
DOWNLOAD = """name: download
description: brings files
inputs: {name: {default: ""}, pattern: {default: ""}, path: {default: .},
  merge-multiple: {default: "false"}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}", STORE: "PLACE"}
      run: mkdir -p "$TO"; if [ -d "$STORE/$NAME" ]; then cp -r "$STORE/$NAME/." "$TO/"; fi
"""


class Forge:
    """A clone with its own runner."""

    def __init__(self, home: Path, direct: Direct) -> None:
        self.home, self.project, self.direct = home, home / "project", direct
        self.store = home / "store"
        self._clone()
        self.replaced = self._replace()
        self.inventory = self._inventory()
        tool = lab.run("scripts/go-tool", "act").ok()
        self.act = tool.out.strip().splitlines()[-1]

    def _clone(self) -> None:
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "clone", "-q", lab.PROJECT, self.project], check=True)
        for name in (".venv", ".lab"):
            (self.project / name).symlink_to((lab.PROJECT / name).resolve())
        (self.project / ".ci/stages.mk").write_text(STAGES)
        words = ["commit", "-qam", "Leave out what has tests of its own", "--no-verify"]
        subprocess.run([*git, "-C", self.project, *words], check=True)

    def _replace(self) -> list[str]:
        found = set()
        texts = {"nothing": NOTHING, "upload-artifact": UPLOAD, "download-artifact": DOWNLOAD}
        for name, text in texts.items():
            (self.home / name).mkdir()
            (self.home / name / "action.yml").write_text(text.replace("PLACE", str(self.store)))
        (self.home / "nothing/upload-sarif").mkdir()
        (self.home / "nothing/upload-sarif/action.yml").write_text(NOTHING)
        for path in (self.project / ".github").rglob("*.yml"):
            for action, commit in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", path.read_text()):
                owner, name = action.split("/")[:2]
                place = name if name in texts else "nothing"
                found.add(f"{owner}/{name}@{commit}={self.home / place}")
        return [word for each in sorted(found) for word in ("--local-repository", each)]

    def _inventory(self) -> Path:
        host = {
            "ansible_host": self.direct.host,
            "ansible_user": "root",
            "ansible_ssh_common_args": f"-F {lab.PROJECT}/.lab/ssh_config",
            "maestro_secrets": {"source": "directory", "path": str(self.home / "secrets")},
            "maestro_stacks_dir": str(self.direct.directory),
        }
        password = (lab.PROJECT / ".lab/registry_password").read_text().strip()
        for environment in ("staging", "production"):
            write_secret(self.home / "secrets" / environment / "common/registry_password", password)
        other = {**host, "maestro_stack_variables": {STACK: {"WHERE": "production"}}}
        groups = {
            "staging": {"hosts": {"first": host}},
            "production": {"hosts": {"second": other}},
        }
        path = self.home / "hosts.yml"
        path.write_text(yaml.safe_dump(groups))
        return path

    def run(self, event: str, workflow: str, *words: str, **secret: str) -> lab.Run:
        """Let act run a workflow as after ``event`` on main."""
        shutil.rmtree(self.store, ignore_errors=True)
        said = self.home / "event.json"
        repository = {"default_branch": "main", "owner": {"login": "us"}}
        said.write_text(json.dumps({"ref": "refs/heads/main", "repository": repository}))
        argv = [
            *(self.act, event, "-W", f".github/workflows/{workflow}", "--no-cache-server"),
            *(
                "-P",
                "ubuntu-latest=-self-hosted",
                "--use-gitignore=false",
                "--eventpath",
                str(said),
            ),
            *("--env", f"INVENTORY={self.inventory}", "--env", f"API_TOKEN={TOKEN}"),
            *(word for name in secret for word in ("-s", name)),
            *self.replaced,
            *words,
        ]
        done = subprocess.run(
            argv,
            cwd=self.project,
            env={**lab.surroundings(), **secret},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
            check=False,
        )
        return lab.ended(argv[:3], done.returncode, done.stdout, 0)

    def idle(self) -> None:
        """No lock, and no release that only half came in."""
        lab.ssh(self.direct.host, f"! test -e {ON_HOST}/{STACK}/lease.json")
        kept = lab.ssh(
            self.direct.host, f"cd {ON_HOST}/{STACK}/releases; ls */release.json; ls -d *"
        )
        names = kept.split()
        whole = {name.partition("/")[0] for name in names if "/" in name}
        assert whole == {name for name in names if "/" not in name}


@pytest.fixture(scope="module")
def forge(direct: Direct, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    found = Forge(tmp_path_factory.mktemp("forge"), direct)
    stack = compose()
    stack["services"]["web"] = {
        **stack["services"]["web"],
        "environment": {"WHERE": "${WHERE:-staging}"},
    }
    direct.write(STACK, stack, text="verified")
    lab.forget(direct.host)
    yield found
    lab.forget(direct.host)
    told = {"host": direct.host, "environment": "staging", "approval": False}
    direct.step("identity", settings=told, by="tests@here")


@pytest.fixture
def sink() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bodies: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", bodies
    server.shutdown()


def test_a_red_test_is_told_and_nothing_is_deployed(forge: Forge, sink: Any) -> None:
    where, bodies = sink
    run = forge.run("push", "ci.yml", "--env", "FAIL=unit", NOTIFY_WEBHOOK=where)
    assert run.rc != 0
    (body,) = bodies
    assert (body["job"], body["step"], body["exit_code"]) == ("unit", "unit", 2)
    assert any("it broke" in line for line in body["lines"])
    assert TOKEN not in json.dumps(body)
    assert "stage build" not in run.out
    lab.ssh(forge.direct.host, f"! test -e {ON_HOST}/{STACK}/current")


def test_a_green_push_is_deployed_to_staging(forge: Forge) -> None:
    run = forge.run("push", "ci.yml").ok()
    order = re.findall(r"\| stage ([a-z-]+)", run.out)
    assert order.index("scan") < order.index("push")
    head = ["git", "-C", str(forge.project), "rev-parse", "HEAD"]
    sha = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    assert lab.manifest(forge.direct.host, STACK)["version"] == sha
    forge.idle()


def test_production_waits_for_a_signer(forge: Forge, tmp_path: Path) -> None:
    direct = forge.direct
    for name in ("ci", "other"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(argv, check=True)
    settings = {
        "host": "second",
        "environment": "production",
        "approval": True,
        "signers": [{"name": "ci", "key": (tmp_path / "ci.pub").read_text().strip()}],
    }
    direct.step("identity", settings=settings, by="tests@here")
    before = lab.footprint(direct.host, STACK)
    words = ("--input", f"stack={STACK}", "--input", "promote=staging", "--var", "APPROVER=ci")
    # The gate was not passed: the job has no key of a signer.
    wrong = (tmp_path / "other").read_text()
    refused = forge.run("workflow_dispatch", "deploy.yml", *words, APPROVAL_KEY=wrong)
    assert refused.rc != 0
    assert "the signature is not ci's" in refused.out
    assert lab.footprint(direct.host, STACK) == before
    right = (tmp_path / "ci").read_text()
    forge.run("workflow_dispatch", "deploy.yml", *words, APPROVAL_KEY=right).ok()
    manifest = lab.manifest(direct.host, STACK)
    assert manifest["environment"] == "production"
    assert manifest["promoted"].startswith("staging ")
    events = direct.step("journal", stack=STACK, last=1)["events"]
    assert (events[0]["result"], events[0]["approved_by"]) == ("done", "ci")
    forge.idle()
    assert "plan" in os.listdir(forge.store)
