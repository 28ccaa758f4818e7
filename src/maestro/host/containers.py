"""The containers of a stack, as the Engine lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .engine import Engine
from .labels import CONFIG_HASH, HASH_LABEL, ONE_OFF, PROJECT, SERVICE


def of_stack(
    engine: Engine, stack: str, listed: Iterable[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Summaries of all containers of a stack's services, running or not, oldest first.

    ``listed`` is the Engine's listing of all containers, where it was asked for already.
    """
    everyone = engine.containers(f"{PROJECT}={stack}") if listed is None else listed
    found = [
        item
        for item in everyone
        if item["Labels"].get(PROJECT) == stack
        and item["Labels"].get(ONE_OFF, "False") != "True"
        and made_by_compose(item["Labels"])
    ]
    return sorted(found, key=lambda item: int(item.get("Created", 0)))


def made_by_compose(labels: Mapping[str, str]) -> bool:
    """Whether Compose made a container with these labels.

    An image that Compose built has the project's label too, and so has each container of it that
    `docker run` makes: that one is nobody's service.
    """
    return CONFIG_HASH in labels or HASH_LABEL in labels


def of_service(engine: Engine, stack: str, service: str) -> list[dict[str, Any]]:
    """Summaries of the containers of one service, oldest first."""
    return [item for item in of_stack(engine, stack) if item["Labels"].get(SERVICE) == service]


def ids(engine: Engine, stack: str) -> dict[str, set[str]]:
    """Container ids by service."""
    found: dict[str, set[str]] = {}
    for item in of_stack(engine, stack):
        found.setdefault(str(item["Labels"].get(SERVICE, "")), set()).add(str(item["Id"]))
    return found
