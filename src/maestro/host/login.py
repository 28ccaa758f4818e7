"""Who asks a registry: apart from `registry`, whose libraries a step without one does not load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Login:
    """A user and a password for one registry."""

    registry: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.registry!r}, {self.username!r}, password=***)"
