"""Accounts of a host that could read a service's secrets, for they have its uid.

The kernel lets a process look into another of the same uid: ``/proc/PID/root/run/secrets``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import MaestroError

PRODUCTION = "production"
ADVICE = 10_000  # uids from here on belong to no account of a usual host


@dataclass(frozen=True)
class Shared:
    """An account and the secrets that are readable for its uid."""

    name: str
    uid: str
    login: bool
    secrets: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The fact in words."""
        return (
            f"the account {self.name} of the host has the uid {self.uid}, which reads "
            f"{', '.join(self.secrets)}: it can read the same"
        )


def shared(secret_files: Iterable[Mapping[str, Any]], state: Mapping[str, Any]) -> list[Shared]:
    """``secret_files`` are those of a release, ``state`` the answer of `host.state.read`."""
    known = state.get("accounts") or {}
    readers: dict[str, set[str]] = {}
    for item in secret_files:
        readers.setdefault(str(item["uid"]), set()).add(str(item["name"]))
    return [
        Shared(known[uid]["name"], uid, bool(known[uid]["login"]), tuple(sorted(names)))
        for uid, names in sorted(readers.items())
        if uid in known
    ]


def names(given: Any) -> set[str]:
    """Accounts that are allowed: a list, or a text with commas."""
    listed = given.split(",") if isinstance(given, str) else given or []
    return {str(item).strip() for item in listed} - {""}


def problems(
    host: str, environment: str, found: Iterable[Shared], allowed: Iterable[str]
) -> list[MaestroError]:
    """In production, an account that can log in is refused unless it is allowed by name."""
    return [
        MaestroError(
            item.shown,
            where=host,
            fix=f"run the service as another user (a uid of {ADVICE} or more), give the account "
            f"another uid, or set deploy_allowed_accounts: [{item.name}]",
        )
        for item in found
        if environment == PRODUCTION and item.login and item.name not in set(allowed)
    ]


def warnings(found: Iterable[Shared]) -> list[str]:
    """What a plan tells, in production too."""
    return [item.shown for item in found]
