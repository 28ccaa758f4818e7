"""Tell of a failed run: in the job's summary, and to a webhook where NOTIFY_WEBHOOK names one.

Reads what the failed stages left behind (`record.py`): failure-*.json below .cache/ci. The
variable NEEDS may hold the results of jobs as GitHub has them, so that a job which left nothing
behind is named as well. The webhook gets one POST with JSON, and is tried three times.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import record

TRIES, PAUSE, TIMEOUT = 3, 2.0, 10.0  # times, seconds, seconds


def main() -> int:
    """Exit code 1 where the webhook took it not once."""
    failures = [
        json.loads(path.read_text()) for path in sorted(record.HOME.rglob("failure-*.json"))
    ]
    told = {failure["job"] for failure in failures}
    failures += [_silent(job) for job in _failed() if job not in told]
    _summary(failures)
    webhook = os.environ.get("NOTIFY_WEBHOOK", "")
    return 0 if not webhook or _posted(webhook, _payload(failures)) else 1


def _failed() -> list[str]:
    needs: dict[str, Any] = json.loads(os.environ.get("NEEDS") or "{}")
    return sorted(job for job, found in needs.items() if found.get("result") == "failure")


def _silent(job: str) -> dict[str, Any]:
    """Of a job that failed outside of our stages."""
    return {
        "job": job,
        "step": "",
        "exit_code": 1,
        "commit": os.environ.get("GITHUB_SHA", ""),
        "branch": os.environ.get("GITHUB_REF_NAME", ""),
        "url": record._url(),  # noqa: SLF001 -- beside it
        "lines": [],
    }


def _payload(failures: list[dict[str, Any]]) -> dict[str, Any]:
    first = failures[0] if failures else _silent("unknown")
    text = f"CI failed: {first['job']}, step {first['step'] or 'unknown'}, {first['commit'][:12]}"
    return {**first, "text": f"{text} {first['url']}".strip(), "failures": failures}


def _summary(failures: list[dict[str, Any]]) -> None:
    lines = ["### Failed", ""]
    for failure in failures:
        where = f"[{failure['job']}]({failure['url']})" if failure["url"] else failure["job"]
        lines += [
            f"- {where}, step `{failure['step'] or 'unknown'}`, commit `{failure['commit'][:12]}`",
            "",
            "```text",
            *(line.replace("```", "'''") for line in failure["lines"]),
            "```",
            "",
        ]
    text = "\n".join(lines) + "\n"
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(text)
    sys.stdout.write(text)


def _posted(webhook: str, payload: dict[str, Any]) -> bool:
    if not webhook.startswith(("https://", "http://")):
        sys.stderr.write("notify: NOTIFY_WEBHOOK is no http address\n")
        return False
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * attempt)
        request = urllib.request.Request(  # noqa: S310 -- http, see above
            webhook,
            json.dumps(payload).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310 -- the same
                return True
        except (urllib.error.URLError, OSError) as error:
            # The address itself may be the secret.
            why = getattr(error, "code", None) or type(error).__name__
            sys.stderr.write(f"notify: the webhook did not take it: {why}\n")
    return False


if __name__ == "__main__":
    sys.exit(main())
