"""What happens to the containers of Jessy's stack on the build host, as its Engine tells it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator

from e2e import lab
from jessy_stack import HOST, shell


class Events:
    """What happens to containers of the stack, from now on: service, event, second.

    They are read as they come: the Engine remembers 256 events, checks of health among them, so
    a minute later the first ones are gone.
    """

    def __init__(self, *services: str) -> None:
        self.services = services
        self.seen: list[tuple[str, str, float]] = []
        self.newest = 0.0  # second of the last event that came, whatever it was
        self._more = threading.Condition()

    def read(self, lines: Iterable[str]) -> None:
        """Take lines of `docker events` until there are no more."""
        for line in lines:
            event = json.loads(line)
            about = event["Actor"]["Attributes"]
            service, action = about["com.docker.compose.service"], event["Action"]
            # A check of health is a program too: what it runs stands behind the colon.
            action = action.partition(":")[0] if action.startswith("exec_") else action
            action = f"die {about['exitCode']}" if action == "die" else action
            with self._more:
                self.newest = event["timeNano"] / 1e9
                if not self.services or service in self.services:
                    self.seen.append((service, action, self.newest))
                self._more.notify_all()

    def until(self, found: Callable[[], bool], seconds: int = 60) -> None:
        """Wait until something holds of the events that came."""
        with self._more:
            assert self._more.wait_for(found, seconds), self.seen

    def settle(self) -> None:
        """Wait for all that happened so far: a program is begun, and its event is the last one."""
        project = "label=com.docker.compose.project=jessy"
        before = float(now())
        shell(f"docker exec $(docker ps -q --filter {project} | head -n1) true", check=False)
        self.until(lambda: self.newest >= before)

    def seconds(self) -> dict[tuple[str, str], float]:
        """When each event of each service came last."""
        return {(service, action): second for service, action, second in self.seen}

    def actions(self) -> list[str]:
        """What happened, in its order."""
        return [action for _, action, _ in self.seen]


@contextlib.contextmanager
def events(*services: str) -> Iterator[Events]:
    """The events of the stack, or of some of its services, while the block runs."""
    found = Events(*services)
    command = (
        f"timeout 900 docker events --since {now()} --filter type=container "
        "--filter label=com.docker.compose.project=jessy --format '{{json .}}'"
    )
    with subprocess.Popen(
        ["ssh", "-F", ".lab/ssh_config", HOST, command],
        cwd=lab.PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    ) as following:  # fmt: skip
        assert following.stdout
        reader = threading.Thread(target=found.read, args=(following.stdout,), daemon=True)
        reader.start()
        try:
            yield found
            found.settle()
        finally:
            following.terminate()
            reader.join()


def now() -> str:
    """The second of the build host's clock."""
    return shell("date +%s.%N").strip()
