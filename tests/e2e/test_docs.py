"""The pages whose commands need the lab, run in their order as they stand."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import lanes
import pytest
import yaml
from counter import Counter
from e2e import lab

TABLE = lab.PROJECT / "tests/doc_commands.yml"


def commands(page: str) -> list[str]:
    """The commands of a page that the table gives to this test."""
    known = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    text = (lab.PROJECT / page).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"(?ms)^```sh\n(.*?)^```", text):
        lines = re.sub(r"\\\n\s*", "", block).splitlines()
        found += [line.strip() for line in lines if known.get(line.strip()) == "lab"]
    return found


def as_here(command: str, plan: str) -> str:
    """The command with the ports of this lab and the hash of the plan that was shown last."""
    settings = lab.settings()
    for port, host in ((8081, "staging-1"), (8082, "staging-2")):
        command = command.replace(f":{port}/", f":{settings['ports'][host]['http']}/")
    command = command.replace(":8441/", f":{settings['ports']['staging-1']['https']}/")
    return command.replace("approved_plan=HASH", f"approved_plan={plan}")


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/quick-start.md",
        "docs/troubleshooting.md",
        "docs/edge.md",
        "docs/security.md",
    ],
)
def test_the_commands_of_a_page_work_in_their_order(demo: lab.Run, page: str) -> None:
    plan = ""
    lines = commands(page)
    assert lines
    with contextlib.ExitStack() as alone:
        ours = False
        for line in lines:
            # Tests in another lane use the production hosts as well.
            if "production" in line and not ours:
                alone.enter_context(lanes.in_turn(lanes.PRODUCTION))
                # The commands make these hosts ask for approvals; other tests need them without.
                alone.callback(lab.forget, *lab.PRODUCTION)
                ours = True
            # A benchmark once: here it is seen that it runs.
            words = ("bash", "-c", as_here(line, plan))
            done = lab.run(*words, env={"ROUNDS": "1"}, timeout=1800).ok()
            if shown := re.search(r"^\s*plan ([0-9a-f]{12})\b", done.out, re.MULTILINE):
                plan = shown[1]
        if ours:
            # Nobody asks for it there again, and its health checks take their share of a core.
            for host in lab.PRODUCTION:
                lab.ssh(host, "docker compose --project-name jessy stop")


def test_a_stack_that_was_added_can_be_planned(counter: Counter) -> None:
    before = [lab.footprint(host, "counter") for host in lab.STAGING]
    words = counter.arguments("-e", "version=v1")
    run = lab.playbook("playbooks/plan.yml", "-l", "staging", *words).ok()
    assert re.search(r"^\s*plan [0-9a-f]{12}\b", run.out, re.MULTILINE)
    assert [lab.footprint(host, "counter") for host in lab.STAGING] == before


def test_every_page_with_lab_commands_is_run() -> None:
    known = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    ours = {command for command, where in known.items() if where == "lab"}
    pages = test_the_commands_of_a_page_work_in_their_order.pytestmark[0].args[1]
    assert ours == {command for page in pages for command in commands(page)}
    assert all(Path(lab.PROJECT / page).exists() for page in pages)
