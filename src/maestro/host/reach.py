"""Whether what a host offers can be reached on the host itself: published ports and the edge."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import edge
from .engine import Engine

PATIENCE = 1.0  # seconds a port may take to accept a connection
EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 -- compared, not bound
EDGE = (80, 443)


def problems(engine: Engine) -> list[str]:
    """What does not accept a connection, as an operator reads it; UDP is not asked."""
    found = engine.containers()
    targets = dict(_published(found))
    if edge.installed():
        targets |= {("127.0.0.1", port): "the edge" for port in EDGE}
    if not targets:
        return []
    with ThreadPoolExecutor(min(len(targets), 32)) as pool:
        answers = pool.map(refused, targets)
    return [
        f"{owner}: nothing answers on {address}:{port} ({why})"
        for ((address, port), owner), why in zip(targets.items(), answers, strict=True)
        if why
    ]


def _published(containers: Iterable[dict[str, Any]]) -> Iterable[tuple[tuple[str, int], str]]:
    for item in containers:
        for port in item.get("Ports") or []:
            if port.get("PublicPort") and port["Type"] == "tcp" and item["State"] == "running":
                address = str(port.get("IP") or "")
                # What listens everywhere on IPv6 is asked for once, by its IPv4 twin.
                asked = "127.0.0.1" if address in EVERYWHERE else address
                yield (asked, int(port["PublicPort"])), str(item["Names"][0]).lstrip("/")


def refused(target: tuple[str, int]) -> str:
    """Why no connection to an address and port comes about; empty where one does."""
    try:
        socket.create_connection(target, PATIENCE).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
