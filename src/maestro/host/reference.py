"""The name of an image, taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MaestroError

DOCKER_HUB = "docker.io"
# The registry of images that came over SSH, see `incoming`: it answers while one is fetched.
SENT = "127.0.0.1:29147"
# Registry, repository, tag, digest: https://pkg.go.dev/github.com/distribution/reference
_GRAMMAR = tuple(
    re.compile(rf"{pattern}\Z")
    for pattern in (
        r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?",
        r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*",
        r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?",
        r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})?",
    )
)


@dataclass(frozen=True)
class Reference:
    """An image reference, taken apart: ``registry/repository:tag@digest``."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @classmethod
    def checked(cls, text: str) -> Reference:
        """`parse`, or `MaestroError` where the text is no reference by the specification."""
        found = cls.parse(text)
        parts = zip(
            _GRAMMAR, (found.registry, found.repository, found.tag, found.digest), strict=True
        )
        if not all(grammar.match(part) for grammar, part in parts):
            raise MaestroError(
                "this is not an image reference",
                where=text,
                fix="allowed: REGISTRY/NAME:TAG or NAME@sha256:..., the name in lower case",
            )
        return found

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take a reference apart by the rules of the Engine (Docker Hub is the default)."""
        rest, _, digest = text.partition("@")
        head, slash, tail = rest.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost"):
            registry, path = head, tail
        else:
            registry, path = DOCKER_HUB, rest if slash else f"library/{rest}"
        repository, colon, tag = path.rpartition(":")
        if not colon:
            repository, tag = path, ""
        return cls(registry, repository, tag, digest)


def pinned(reference: str, image: Mapping[str, Any]) -> str:
    """``NAME@sha256:...`` of what an image is now (`records.Image`); a release has this."""
    return f"{image.get('name') or Reference.parse(reference).name}@{image['digest']}"
