"""An Engine that answers what a test says, over a real Unix socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from real_servers import Answer, Asked

from maestro.host import labels as labels_of

NAME = f"r.test/web@sha256:{'a' * 64}"


class Fake:
    """Answers by method and path; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | bytes | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        self.say("GET /info", {})
        self.say("GET /networks", [])
        self.say("GET /volumes", {"Volumes": []})

    def __call__(self, asked: Asked) -> Answer | bytes:
        self.asked.append(asked)
        found = self.answers.get(f"{asked.method} {asked.path.partition('?')[0]}", Answer(404))
        return found(asked) if callable(found) else found

    def say(self, request: str, document: Any, status: int = 200) -> None:
        self.answers[request] = Answer(status, json.dumps(document).encode())

    @property
    def requests(self) -> list[str]:
        return [f"{item.method} {item.path}" for item in self.asked]


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def summary(service: str = "web", stack: str = "shop", **more: Any) -> dict[str, Any]:
    labels = {labels_of.PROJECT: stack, labels_of.SERVICE: service, labels_of.HASH_LABEL: "h1"}
    oneoff = more.pop("oneoff", None)
    if oneoff:
        labels[labels_of.ONE_OFF] = oneoff
    return {
        "Id": service,
        "Names": [f"/{stack}-{service}-1"],
        "Labels": labels,
        "State": "running",
        "HostConfig": {"NetworkMode": f"{stack}_default"},
        **more,
    }


def detail(service: str = "web", **changes: Any) -> dict[str, Any]:
    found = {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0, **changes}
    count = found.pop("RestartCount", 0)
    return {
        "Id": service,
        "Name": f"/shop-{service}-1",
        "Config": {"Image": NAME},
        "State": found,
        "RestartCount": count,
    }
