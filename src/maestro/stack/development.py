"""A stack's ``.env`` that belongs to the person who develops it, and to no release."""

from __future__ import annotations

import re

from .interpolation import dotenv

ENVIRONMENT = "development"
FILE = f"compose.{ENVIRONMENT}.yaml"
_FILE = re.compile(rf"(?:.*/)?(?:docker-)?compose\.{ENVIRONMENT}\.ya?ml")


def development_only(text: str, environment: str) -> bool:
    """Whether an ``.env`` with this text selects the Compose file of development.

    Such a file is made on one machine, for `docker compose up` there; what it holds must not
    reach another environment. Any other ``.env`` is part of the stack.
    """
    if environment == ENVIRONMENT:
        return False
    values = dotenv(text, {})
    separator = values.get("COMPOSE_PATH_SEPARATOR") or ":"
    return any(map(_FILE.fullmatch, values.get("COMPOSE_FILE", "").split(separator)))
