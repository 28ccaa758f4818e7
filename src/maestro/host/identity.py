"""What a host is: its name, its environment, and who approves changes here.

Provisioning writes it (the step `identity`), and every changing step reads it: see `approval`. The
files belong to root; the first two may be read by everybody, the key by root alone.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import plan_hash
from .layout import write_atomically
from .oidc import Issuer

HOME = Path("/etc/maestro")
NAMESPACE = "maestro-approval"
HOURS = 24.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
_KEY = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}\Z")


@dataclass(frozen=True)
class Signer:
    """Who may approve: ``key`` is an SSH public key, ``accounts`` whom this person runs plays as.

    Without accounts these are the name, and what stands before an ``@`` in it.
    """

    name: str
    key: str
    accounts: tuple[str, ...] = ()

    def runs(self, by: str) -> bool:
        """Whether a run by ``user@machine`` is this person's own."""
        mine = {account.lower() for account in self.accounts or (self.name, self._local)}
        return bool({by.lower(), by.lower().partition("@")[0]} & mine)

    @property
    def _local(self) -> str:
        return self.name.partition("@")[0]


@dataclass(frozen=True)
class Identity:
    """``host`` is its name in the inventory. Without ``approval`` changes need none.

    Without ``signers`` an approval is claimed: a name and the hash of the plan. ``own`` are
    those who may approve what they run themselves. ``hours`` is how long an approval may hold.
    ``issuers`` are CI platforms whose tokens approve.
    """

    host: str = ""
    environment: str = ""
    approval: bool = False
    signers: tuple[Signer, ...] = ()
    own: tuple[str, ...] = ()
    hours: float = HOURS
    issuers: tuple[Issuer, ...] = ()

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Identity:
        """From plain data; `MaestroError` on what is no identity."""
        try:
            signers = tuple(
                Signer(
                    str(item["name"]),
                    " ".join(str(item["key"]).split()[:2]),
                    tuple(map(str, item.get("accounts") or ())),
                )
                for item in said.get("signers") or ()
            )
            found = cls(
                str(said["host"]),
                str(said["environment"]),
                said["approval"] is True,
                signers,
                tuple(sorted(map(str, said.get("own") or ()))),
                float(said.get("hours") or HOURS),
                tuple(Issuer.of(item) for item in said.get("issuers") or ()),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MaestroError("these are not the settings of a host", fix=_FIX) from None
        return found.checked()

    def checked(self) -> Identity:
        """Itself; `MaestroError` on a name or key that is none."""
        for signer in self.signers:
            if not _NAME.match(signer.name):
                raise MaestroError(
                    f"found {signer.name!r} as the name of a signer",
                    where=SETTING,
                    fix="use letters, digits and . _ @ + -, such as jo@example.org",
                )
            if not _KEY.match(signer.key):
                raise MaestroError(
                    f"the key of {signer.name} is no SSH public key",
                    where=SETTING,
                    fix="write the line of the .pub file: ssh-ed25519 AAAA...",
                )
        names = [signer.name for signer in self.signers]
        if len(set(names)) != len(names) or self._own_by_nobody(names):
            raise MaestroError(
                "a name is there twice, or a name in maestro_approval_self is not a signer",
                where=SETTING,
                fix="name each signer once, and in maestro_approval_self only signers",
            )
        return self

    def _own_by_nobody(self, names: list[str]) -> bool:
        # With a token of a CI anybody may come who has an account there.
        return bool(set(self.own) - set(names) and names and not self.issuers)

    def as_dict(self) -> dict[str, Any]:
        """As `of` reads it."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found

    @property
    def proves(self) -> bool:
        """Whether an approval must be proven here, and is not only claimed."""
        return bool(self.signers or self.issuers)

    @property
    def approvers(self) -> str:
        """Those who may approve, for messages."""
        names = [one.name for one in self.signers] + [one.name for one in self.issuers]
        return ", ".join(names)

    def signer(self, name: str) -> Signer | None:
        """The signer of this name."""
        return next((signer for signer in self.signers if signer.name == name), None)


SETTING = "maestro_approval_signers"
_FIX = "run maestro.stacks.provision for this host"


@dataclass(frozen=True)
class Files:
    """Where it stands; a test has a directory of its own."""

    home: Path = field(default_factory=lambda: HOME)

    @property
    def identity(self) -> Path:
        """The identity as JSON; for everybody to read."""
        return self.home / "host.json"

    @property
    def signers(self) -> Path:
        """``allowed_signers`` of ssh-keygen(1)."""
        return self.home / "allowed_signers"

    @property
    def used(self) -> Path:
        """Approvals that were used, by their id, with when they end."""
        return self.home / "used_approvals.json"

    @property
    def operations(self) -> Path:
        """How many approved operations without a lease there were: each makes the next plan new."""
        return self.home / "operations"

    @property
    def provisioning(self) -> Path:
        """Until when an approved provisioning may change the Engine and the edge; seconds."""
        return self.home / "provisioning_until"

    @property
    def key(self) -> Path:
        """The key of `plan_hash.fingerprint`, for root alone."""
        return self.home / "fingerprint.key"


def read(files: Files | None = None) -> Identity | None:
    """What this host is; None where it was never told.

    One that cannot be read is refused, and not taken for none: it may ask for an approval.
    """
    path = (files or Files()).identity
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        return Identity.of(json.loads(text))
    except (ValueError, MaestroError):
        raise MaestroError(
            "what says whether this host asks for an approval is damaged",
            where=str(path),
            fix=f"look at it as root; if it cannot be mended, remove it and {_FIX}",
        ) from None


def write(identity: Identity, files: Files | None = None) -> None:
    """Keep it, with the signers' keys and a key for fingerprints where there is none."""
    files = files or Files()
    lines = [f'{one.name} namespaces="{NAMESPACE}" {one.key}\n' for one in identity.signers]
    write_atomically(files.signers, "".join(lines), 0o644)
    if not files.key.exists():
        write_atomically(files.key, secrets.token_hex(32) + "\n", 0o600)
    text = json.dumps(identity.as_dict(), indent=2, sort_keys=True)
    write_atomically(files.identity, text + "\n", 0o644)


def facts(root: Path, files: Files | None = None) -> dict[str, Any]:
    """What a plan needs of it: the identity, where it has one, and the directory of the stacks."""
    found, done = read(files), operations(files)
    return {"root": str(root), "operations": done, **(found.as_dict() if found else {})}


def operations(files: Files | None = None) -> int:
    """How many operations without a lease were approved here."""
    try:
        return int((files or Files()).operations.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return 0


def fingerprints(values: Mapping[str, str], files: Files | None = None) -> dict[str, str]:
    """Of each secret's value; nothing on a host without a key."""
    try:
        key = (files or Files()).key.read_bytes().strip()
    except FileNotFoundError:
        return {}
    return {name: plan_hash.fingerprint(key, name, value) for name, value in values.items()}
