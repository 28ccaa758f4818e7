"""Wait until something happens to containers, instead of asking again and again.

The Engine tells its events on a connection that stays open. What they say is not read: whoever
waits looks at the containers again.
API: https://docs.docker.com/reference/api/engine/ (Monitor events)
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlencode

from .engine import Engine

_SIZE = 65536


@contextlib.contextmanager
def of(engine: Engine, containers: Iterable[str]) -> Iterator[Callable[[float, float], None]]:
    """What waits, from now on, for the next event of these containers.

    It is called with seconds: how long it waits at most, and how long where the Engine tells
    nothing, as one that is just being restarted.
    """
    filters = {"type": ["container"], "container": sorted(containers)}
    target = f"/events?{urlencode({'filters': json.dumps(filters)})}"
    with contextlib.ExitStack() as opened:
        line: socket.socket | None = None
        with contextlib.suppress(OSError):
            asked = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            asked.connect(engine.path)
            asked.sendall(f"GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
            line = asked

        def wait(longest: float, deaf: float) -> None:
            nonlocal line
            if line is None:
                time.sleep(deaf)
                return
            if not select.select([line], [], [], longest)[0]:
                return
            with contextlib.suppress(OSError):
                if line.recv(_SIZE):
                    return
            line = None

        yield wait
