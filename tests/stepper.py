"""Takes the steps of deploys in one process on a host: starting Python costs more than most steps.

The host's own program takes each step in a process of its own, as a playbook has it; see
`Stepper.alone`, which is also what a step does that comes while another one is under way.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import threading
from typing import Any

from e2e import lab

from maestro.host.layout import AGENT
from maestro.play import agent_archive

PATIENCE = 900.0  # seconds for one step
# Answers a line with a line, with the modules that the agent unpacked.
SERVER = """
import json, sys, traceback
sys.path.insert(0, sys.argv[1])
from maestro.host import steps
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    name, params = json.loads(line)
    try:
        answer = steps.take(name, params)
    except BaseException:
        answer = {"traceback": traceback.format_exc()}
    print(json.dumps(answer), file=answers, flush=True)
"""


class Stepper:
    """The steps of one host."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._ssh = ["ssh", "-F", ".lab/ssh_config", *lab.SHARED, host]
        self._busy = threading.Lock()
        self._server: subprocess.Popen[str] | None = None

    def take(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer of one step; `AssertionError` with what it said when it has none."""
        if not self._busy.acquire(blocking=False):
            return self.alone(name, params)
        try:
            answer = self._ask(name, params)
        finally:
            self._busy.release()
        if answer is None:
            return self.alone(name, params)
        assert "traceback" not in answer, f"{name}: {answer['traceback']}"
        return answer

    def alone(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """The same by the host's program, in a process of its own."""
        done = subprocess.run(
            [*self._ssh, f"python3 -I -S {AGENT} take {name} {agent_archive.identity()}"],
            cwd=lab.PROJECT,
            input=json.dumps(params),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def close(self) -> None:
        """End the process on the host."""
        if self._server:
            with contextlib.suppress(OSError):
                self._server.communicate(timeout=10)
            self._server = None

    def _ask(self, name: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the host has no such process, after it was restarted for one."""
        if self._server is None or self._server.poll() is not None:
            home = AGENT.with_name(agent_archive.identity())
            self._server = subprocess.Popen(
                # A connection of its own: a shared one has room for ten sessions.
                [
                    *("ssh", "-F", ".lab/ssh_config", "-o", "ServerAliveInterval=2", self.host),
                    f"test -d {home} && exec python3 -c '{SERVER}' {home}",
                ],
                cwd=lab.PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        asks, answers = self._server.stdin, self._server.stdout
        assert asks
        assert answers
        try:
            asks.write(json.dumps([name, params]) + "\n")
            asks.flush()
        except OSError:
            self._server = None
            return None
        with selectors.DefaultSelector() as ready:
            ready.register(answers, selectors.EVENT_READ)
            assert ready.select(PATIENCE), f"{name} did not end within {PATIENCE:.0f} s"
        line = answers.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        ended, self._server = self._server.wait(), None
        # Nothing there to run, or it was ended in the middle of a step (137: a restart, a kill).
        assert ended in (1, 255), f"{name}: the process on {self.host} ended with {ended}"
        return None
