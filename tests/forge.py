"""A clone of the project with its own runner: its workflows run by act, up to a host of the lab.

Stages that have tests of their own (lint, builds, scans) are named and left out; deploys, plans,
approvals and notifications are real. Actions of others are replaced: artifacts go to a directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import yaml
from counter import write_secret
from direct import ROOT, Direct
from e2e import lab

TOKEN = "correct-horse-battery-staple"  # a secret of the run, which no message may show
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
STAGES = """include Makefile
ci-deploy ci-smoke ci-plan:
	@LIMIT='$(LIMIT)' STACK=NAME INVENTORY='$(INVENTORY)' scripts/ci/hosts $(@:ci-%=%)
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


class Acting:
    """A run of act that goes on beside the test."""

    def __init__(self, argv: list[str], project: Path, env: dict[str, str]) -> None:
        self._argv, self.out = argv, ""
        self._process = subprocess.Popen(
            argv,
            cwd=project,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.out += line

    @property
    def runs(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    def ended(self, seconds: float) -> lab.Run:
        """What it was, when it has ended."""
        self._process.wait(seconds)
        # What it left may hold its output open.
        self._reader.join(10)
        return lab.ended(self._argv[:3], self._process.returncode, self.out, 0)

    def cancel(self) -> None:
        """End it as a person does: it ends its jobs."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and all that it began, at once, as a machine that is gone."""
        found: list[int] = []
        while more := [pid for pid in _children({self._process.pid, *found}) if pid not in found]:
            for pid in more:
                _send(pid, signal.SIGSTOP)
            found += more
        for pid in (self._process.pid, *found):
            _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(parents: set[int]) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) in parents:
                found.append(int(path.parent.name))
    return found


class Forge:
    """A clone with its own runner."""

    def __init__(self, home: Path, direct: Direct, stack: str, **settings: Any) -> None:
        self.home, self.project, self.direct = home, home / "project", direct
        self.stack, self.settings = stack, settings
        self.store = home / "store"
        self._clone()
        self.replaced = self._replace()
        self.inventory = self._inventory()
        tool = lab.run("scripts/go-tool", "act").ok()
        self.act = tool.out.strip().splitlines()[-1]

    def _clone(self) -> None:
        subprocess.run(["git", "clone", "-q", lab.PROJECT, self.project], check=True)
        for name in (".venv", ".lab"):
            (self.project / name).symlink_to((lab.PROJECT / name).resolve())
        (self.project / ".ci/stages.mk").write_text(STAGES.replace("NAME", self.stack))
        words = ["commit", "-qam", "Leave out what has tests of its own", "--no-verify"]
        subprocess.run([*GIT, "-C", self.project, *words], check=True)

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
            **self.settings,
        }
        password = (lab.PROJECT / ".lab/registry_password").read_text().strip()
        for environment in ("staging", "production"):
            write_secret(self.home / "secrets" / environment / "common/registry_password", password)
        other = {**host, "maestro_stack_variables": {self.stack: {"WHERE": "production"}}}
        groups = {
            "staging": {"hosts": {"first": host}},
            "production": {"hosts": {"second": other}},
        }
        path = self.home / "hosts.yml"
        path.write_text(yaml.safe_dump(groups))
        return path

    def run(self, event: str, workflow: str, *words: str, **secret: str) -> lab.Run:
        """Let act run a workflow as after ``event`` on main."""
        return self.start(event, workflow, *words, **secret).ended(900)

    def start(self, event: str, workflow: str, *words: str, **secret: str) -> Acting:
        """Begin that."""
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
        return Acting(argv, self.project, {**lab.surroundings(), **secret})

    def commit(self, subject: str) -> str:
        """One more commit of the clone, as a push brings it; its SHA."""
        words = ["commit", "-qam", subject, "--allow-empty", "--no-verify"]
        subprocess.run([*GIT, "-C", self.project, *words], check=True)
        head = ["git", "-C", str(self.project), "rev-parse", "HEAD"]
        return subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()

    def deploys_only(self) -> None:
        """Let ci.yml deploy without the jobs before that, which have runs of their own."""
        path = self.project / ".github/workflows/ci.yml"
        text = path.read_text()
        before = "    needs: [build, security]\n"
        assert text.count(before) == 1
        path.write_text(text.replace(before, ""))
        self.commit("Deploy without the jobs before")

    def idle(self) -> None:
        """No lock, and no release that only half came in."""
        lab.ssh(self.direct.host, f"! test -e {ROOT}/{self.stack}/lease.json")
        kept = lab.ssh(
            self.direct.host, f"cd {ROOT}/{self.stack}/releases; ls */release.json; ls -d *"
        )
        names = kept.split()
        whole = {name.partition("/")[0] for name in names if "/" in name}
        assert whole == {name for name in names if "/" not in name}
