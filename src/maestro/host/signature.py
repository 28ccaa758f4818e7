"""An approval that is proven: a statement, signed by an SSH key that the host knows."""

from __future__ import annotations

import calendar
import json
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import MaestroError
from .identity import NAMESPACE

TIME = "%Y-%m-%dT%H:%M:%SZ"
AHEAD = 300  # seconds by which the clocks of two machines may differ
_AGAIN = "approve the plan again: maestro approve"


@dataclass(frozen=True)
class Statement:
    """What is signed. ``plan`` is the whole hash, times are in UTC as `TIME` says."""

    plan: str
    operation: str
    stack: str
    environment: str
    hosts: tuple[str, ...]
    purpose: str
    approver: str
    at: str
    expires: str
    id: str
    schema: int = 1

    @property
    def text(self) -> str:
        """What ssh-keygen signs, to the byte."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, text: str) -> Statement:
        """From what was signed; `MaestroError` where it is no statement."""
        try:
            said = json.loads(text)
            found = cls(**{**said, "hosts": tuple(map(str, said["hosts"]))})
            seconds(found.at), seconds(found.expires)
        except (ValueError, TypeError, KeyError):
            raise MaestroError("the approval cannot be read", fix=_AGAIN) from None
        return found


def seconds(text: str) -> int:
    """A time as seconds since 1970; `ValueError` where it is none."""
    return calendar.timegm(time.strptime(text, TIME))


def verify(text: str, signature: str, approver: str, signers: Path) -> None:
    """Refuse a statement that ``approver`` did not sign, with a key that stands in ``signers``.

    https://man.openbsd.org/ssh-keygen.1: ``-Y verify``
    """
    import tempfile  # noqa: PLC0415 -- no step but the first needs it

    with tempfile.NamedTemporaryFile("w", suffix=".sig", encoding="utf-8") as file:
        file.write(signature)
        file.flush()
        argv = [
            *("ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", approver),
            *("-f", str(signers), "-s", file.name),
        ]
        try:
            done = subprocess.run(  # noqa: S603 -- an argument list, no shell
                argv, input=text, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise MaestroError(
                "ssh-keygen is not there, which verifies approvals", fix="install openssh-client"
            ) from None
    if done.returncode != 0:
        raise MaestroError(
            f"the signature is not {approver}'s, or of something else than this approval",
            where="approval",
            fix=f"{_AGAIN} with the key that stands in maestro_approval_signers",
        )
