"""The workflows as a forge runs them: by act, on this machine, up to a host of the lab.

Stages that have tests of their own (lint, builds, scans) are named and left out; deploys, plans,
approvals and notifications are real. Actions of others are replaced: artifacts go to a directory.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from direct import IMAGE, REGISTRY, Direct
from direct import ROOT as ON_HOST
from e2e import lab
from e2e.test_promotion import compose
from forge import TOKEN, Forge

pytestmark = pytest.mark.long

STACK = "flow"
TAGGED = f"{REGISTRY}/flow"


@pytest.fixture(scope="module")
def forge(direct: Direct, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    found = Forge(tmp_path_factory.mktemp("forge"), direct, STACK)
    stack = compose()
    stack["services"]["web"] = {
        **stack["services"]["web"],
        "image": f"{TAGGED}:${{VERSION}}",
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


@pytest.mark.requirement("R4.5")
def test_a_green_push_is_deployed_to_staging(forge: Forge) -> None:
    sha = forge.commit("A commit")
    image = f"{TAGGED}:{sha}"  # what the stage `push` has pushed by then
    lab.ssh(
        "registry", f"docker pull -q {IMAGE}; docker tag {IMAGE} {image} && docker push -q {image}"
    )
    run = forge.run("push", "ci.yml").ok()
    order = re.findall(r"\| stage ([a-z-]+)", run.out)
    assert order.index("scan") < order.index("push")
    manifest = lab.manifest(forge.direct.host, STACK)
    assert manifest["version"] == sha
    container = lab.containers(forge.direct.host, STACK)["web"]
    # A container is pinned: it runs what the registry has under this commit.
    digests = lab.ssh("registry", f"docker image inspect --format '{{{{.RepoDigests}}}}' {image}")
    assert lab.inspect(forge.direct.host, container)["Config"]["Image"] in digests
    forge.idle()
    again = forge.run("push", "ci.yml").ok()
    assert f"{STACK} {sha}: nothing to change" in again.out
    assert lab.containers(forge.direct.host, STACK)["web"] == container


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
