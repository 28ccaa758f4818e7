"""Record a stage of CI in .cache/ci: how long it took, and how it failed: STAGE STATUS BEGAN LOG.

Needs Python alone, for it also says that the toolkit's environment could not be made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HOME = Path(".cache/ci")
LINES = 20  # of a log that a notification shows
LENGTH = 500  # characters of each


def main(stage: str, status: str, began: str, log: str) -> None:
    """Append to times.jsonl; write failure-STAGE.json for a stage that failed."""
    seconds = round(time.time() - float(began), 1)
    with (HOME / "times.jsonl").open("a", encoding="utf-8") as times:
        times.write(json.dumps({"stage": stage, "seconds": seconds, "ok": status == "0"}) + "\n")
    if status != "0":
        text = json.dumps(_failure(stage, int(status), Path(log)), indent=2)
        (HOME / f"failure-{stage}.json").write_text(text + "\n", encoding="utf-8")


def _failure(stage: str, status: int, log: Path) -> dict[str, Any]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.rstrip() for line in lines if line.strip()][-LINES:]
    return {
        "job": _first("GITHUB_JOB", "CI_JOB_NAME") or stage,
        "step": stage,
        "exit_code": status,
        "commit": _first("GITHUB_SHA", "CI_COMMIT_SHA") or _commit(),
        "branch": _first("GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"),
        "url": _url(),
        "lines": [line[:LENGTH] for line in _masked("\n".join(said)).splitlines()],
    }


def _masked(text: str) -> str:
    """Without secrets; nothing at all where the redaction is not there."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
    try:
        from maestro.redaction import Redactor  # noqa: PLC0415 -- where it is there
    except ImportError:
        return "(the log is not shown: the redaction is not installed)"
    words = ("KEY", "TOKEN", "PASSWORD", "SECRET", "WEBHOOK")
    known = {
        name: value
        for name, value in os.environ.items()
        if any(word in name.upper() for word in words) and len(value) > 3
    }
    return Redactor(known).text(text)


def _first(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _url() -> str:
    """Of the run, on GitHub, Forgejo or GitLab."""
    if url := os.environ.get("CI_JOB_URL"):
        return url
    parts = [os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return "{}/{}/actions/runs/{}".format(*parts) if all(parts) else ""


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607 -- git as the user has it
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main(*sys.argv[1:5])
