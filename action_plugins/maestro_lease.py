"""Take a stack's lease, and say on the host from now on that this run lives."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import select
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from maestro.host.layout import AGENT
from maestro.host.lease import BEATS
from maestro.play import values
from maestro.play.action import StepAction


class ActionModule(StepAction):
    """Takes the step `maestro_lease`; after taking a lease a small process keeps it alive."""

    def step(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the step answers."""
        if args["state"] == "acquired":
            numbers = {
                name: values.number(args["claim"][name], variable)
                for name, variable in (
                    ("limit", "deploy_lease_limit"),
                    ("timeout", "deploy_timeout"),
                )
            }
            # Ansible takes a step anew when its connection breaks: it asks for the same lease.
            args["claim"] = {**args["claim"], **numbers, "token": secrets.token_hex(8)}
        result = super().step(args, task_vars)
        if args["state"] == "acquired" and not result.get("failed"):
            words = ["python3", "-I", "-S", str(AGENT), "--root", str(args["root"]), "beat"]
            command = shlex.join([*words, str(args["stack"]), str(result["token"])])
            pause = float(args["claim"]["limit"]) / BEATS
            playbook = multiprocessing.parent_process()
            # One that was killed a moment ago has nobody left to beat for.
            if playbook is not None and playbook.pid == os.getppid():
                pid = playbook.pid
                apart(lambda: self._beat(command, pause, pid))
        return result

    def _beat(self, command: str, pause: float, playbook: int) -> None:
        """Beat until the playbook has ended, or the host says that the lease is not ours."""
        # What this process says would come between the lines of the play.
        Display().verbosity = 0
        ended = _end_of(playbook)
        while not ended(pause):
            if _suspended(playbook):
                continue
            with contextlib.suppress(Exception):
                if self._low_level_execute_command(command)["rc"] == 1:
                    return


def apart(work: Callable[[], None]) -> None:
    """Do ``work`` in a process of its own, without a terminal and without output."""
    if os.fork():
        return
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        work()
    finally:
        os._exit(0)


def _end_of(pid: int) -> Callable[[float], bool]:
    """A function that waits so many seconds and says whether the process has ended by then."""
    if not hasattr(os, "pidfd_open"):

        def gone(seconds: float) -> bool:
            time.sleep(seconds)
            try:
                os.kill(pid, 0)
            except OSError:
                return True
            return False

        return gone
    # Tells the end of a process that was killed and that nobody has waited for yet.
    watched = select.poll()
    watched.register(os.pidfd_open(pid), select.POLLIN)
    return lambda seconds: bool(watched.poll(seconds * 1000))


def _suspended(pid: int) -> bool:
    """Whether a process was stopped (Ctrl-Z): what stands still must not keep others out."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in "Tt"
