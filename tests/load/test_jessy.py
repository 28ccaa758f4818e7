"""Jessy under load: versions, rollbacks, and the secrets that its services share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e import lab
from load.test_zero_failures import RATE, load

STEPS = ("deploy", "token", "rollback", "password", "deploy", "all", "rollback", "all")


def notes(host: str) -> int:
    """How many notes the host's database holds."""
    database = lab.containers(host, "jessy")["db"]
    query = "select count(*) from notes"
    return int(lab.ssh(host, f"docker exec {database} psql -U jessy -tAc '{query}'"))


@pytest.mark.alone
@pytest.mark.long
def test_no_request_of_jessy_fails(
    demo: lab.Run, show: Callable[[str, str], None], tmp_path: Path
) -> None:
    version = f"load-{secrets.token_hex(3)}"
    lab.run("make", "images", f"VERSION={version}").ok()
    rotate = ("playbooks/rotate_secrets.yml", "-l", "staging")
    plays = {
        "deploy": ("deploy.yml", "-l", "staging", "-e", f"version={version}"),
        "rollback": ("playbooks/rollback.yml", "-l", "staging"),
        "all": rotate,
        "token": (*rotate, "-e", "secret=api_token"),
        "password": (*rotate, "-e", "secret=db_password"),
    }
    before = [notes(host) for host in lab.STAGING]
    log: list[str] = []
    failed = ""
    with load(tmp_path / "report.json", "jessy") as end:
        try:
            for step in STEPS:
                run = lab.playbook(*plays[step]).ok()
                log.append(f"{step:<10} {run.seconds:5.1f} s")
        except AssertionError as error:
            failed = str(error)
        report = end()
    show("load: Jessy", "\n".join([*log, (tmp_path / "report.txt").read_text()]))
    lab.playbook("deploy.yml", "-l", "staging", "-e", "version=demo").ok()
    assert not failed, failed
    assert report["failures"] == []
    written = sum(count for kind, count in report["kinds"].items() if kind.startswith("a new note"))
    assert sum(notes(host) for host in lab.STAGING) - sum(before) == written, "each once"
    assert report["requests"] >= 0.95 * RATE * report["seconds"] - RATE * 5
