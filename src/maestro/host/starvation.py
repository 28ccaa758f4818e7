"""Whether a host has so little left for its programs that a health check ends too late by itself.

Pressure, in percent of the last ten seconds: https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROC = Path("/proc")
# A CPU: the percent of the time in which some program waited for one, and how many want each. On a
# host that is busy and no more, some program waits most of the time, and not for long.
WAITING, CROWD = 80.0, 4.0
# Memory and disk: the percent of the time in which no program got on for want of it.
STALLED = 50.0
# What the Engine writes where a check did not end in time; one that failed has an exit code.
LATE = "Health check exceeded timeout"


def reason(proc: Path = PROC, cpus: int = 0) -> str:
    """Why a check may end too late; empty where it may not, or where the kernel tells nothing."""
    count = cpus or os.cpu_count() or 1
    try:
        load = float((proc / "loadavg").read_text(encoding="utf-8").split()[0])
        waiting = _pressure(proc, "cpu", "some")
        if waiting >= WAITING and load >= CROWD * count:
            return f"load {load:.0f} on {count} CPUs, waiting for them {waiting:.0f} % of the time"
        for what in ("memory", "io"):
            if (stalled := _pressure(proc, what, "full")) >= STALLED:
                return f"waiting for {what} {stalled:.0f} % of the time"
    except (OSError, ValueError, IndexError):
        return ""
    return ""


def only_late(detail: Mapping[str, Any]) -> bool:
    """Whether a container is unhealthy because its checks were late: none of them said anything.

    ``detail`` is `docker inspect`; the Engine keeps the last five results.
    """
    health = (detail.get("State") or {}).get("Health") or {}
    last = (health.get("Log") or [])[-max(int(health.get("FailingStreak") or 0), 1) :]
    return bool(last) and all(
        entry.get("ExitCode") == -1 and str(entry.get("Output", "")).startswith(LATE)
        for entry in last
    )


def _pressure(proc: Path, what: str, which: str) -> float:
    """``avg10`` of one line, 0 where there is none."""
    for line in (proc / "pressure" / what).read_text(encoding="utf-8").splitlines():
        kind, *fields = line.split()
        if kind == which:
            return float(dict(field.split("=", 1) for field in fields)["avg10"])
    return 0.0
