"""What a host waits for while a step works there: asked of its Engine beside the step."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator

from ..host.labels import PROJECT, SERVICE
from . import output

# Steps during which containers start.
LONG = ("up", "put_back", "recover", "commit")
FIRST, PAUSE = 2.0, 3.0  # seconds until the first look, and between two


def question(stack: str) -> str:
    """The command that lists a stack's containers, whatever became of them."""
    form = '{{.Label "%s"}}\t{{.State}}\t{{.Status}}' % SERVICE  # noqa: UP031 -- braces of Go
    words = ["docker", "ps", "--all", "--filter", f"label={PROJECT}={stack}", "--format", form]
    return shlex.join(words)


def pending(listed: str) -> str:
    """The services that are not ready yet, from an answer to `question`; empty when all are."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        service, state, status = (*line.split("\t"), "", "")[:3]
        if "health: starting" in status:
            found.setdefault(service, "starting")
        elif "(unhealthy)" in status:
            found[service] = "unhealthy"
        elif state in ("restarting", "created"):
            found[service] = state
    return ", ".join(f"{service} {how}" for service, how in sorted(found.items()) if service)


@contextlib.contextmanager
def watched(step: str, host: str, stack: str, ask: Callable[[str], str]) -> Iterator[None]:
    """Tell the screen what a host waits for, as long as a step works. ``ask`` runs a command there.

    Nobody is asked where no screen wants to know. An answer that does not come is no failure.
    """
    if step not in LONG or not stack or not output.is_told():
        yield
        return
    ended = threading.Event()

    def look() -> None:
        pause = FIRST
        while not ended.wait(pause):
            pause = PAUSE
            with contextlib.suppress(Exception):
                output.tell(host, pending(ask(question(stack))))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
