"""Accounts of a host that could read a service's secrets, for they have its uid.

The kernel lets a process look into another of the same uid: ``/proc/PID/root/run/secrets``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from ..host.userns import Remap

if TYPE_CHECKING:
    from ..records import SecretFileFacts, State

PRODUCTION = "production"
ADVICE = 10_000  # uids from here on belong to no account of a usual host


@dataclass(frozen=True)
class Shared:
    """An account and the secrets that are readable for its uid.

    ``inside`` is the reader's uid in its container, where the Engine gives it another on the host.
    """

    name: str
    uid: str
    login: bool
    secrets: tuple[str, ...]
    inside: str = ""

    @property
    def shown(self) -> str:
        """The fact in words.

        Into another user namespace the kernel lets nobody look, but its processes get signals:
        https://man7.org/linux/man-pages/man2/ptrace.2.html, "Ptrace access mode checking".
        """
        if self.inside:
            return (
                f"the account {self.name} of the host has the uid {self.uid}, which is the uid "
                f"{self.inside} of containers here: it can stop what reads "
                f"{', '.join(self.secrets)}"
            )
        return (
            f"the account {self.name} of the host has the uid {self.uid}, which reads "
            f"{', '.join(self.secrets)}; this account can read the same"
        )


def shared(secret_files: Iterable[SecretFileFacts], state: State) -> list[Shared]:
    """``secret_files`` are those of a release, ``state`` the answer of `host.state.read`."""
    known, remap = state.get("accounts") or {}, Remap.of(state)
    readers: dict[tuple[str, str], set[str]] = {}
    for item in secret_files:
        inside, uid = str(item["uid"]), int(item["uid"])
        if item.get("host") or not remap.on:
            reader = str(uid), ""
        else:
            reader = str(remap.uids.on_host(uid)), inside
        readers.setdefault(reader, set()).add(str(item["name"]))
    return [
        Shared(known[uid]["name"], uid, bool(known[uid]["login"]), tuple(sorted(names)), inside)
        for (uid, inside), names in sorted(readers.items())
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
