"""Plans as files: what a plan was like when it was read, and what of it an approver signed.

A plan that only was shown is kept in the user's cache, so that a later refusal can name what
differs; an approval has its plan with it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from ..plan.document import SHOWN, Document

KEPT = 50  # plans in the cache


@dataclass(frozen=True)
class Approval:
    """What ``maestro approve`` writes: a signed statement or a token, and the plan it is about."""

    statement: str
    signature: str
    plan: Document
    token: str = ""

    @property
    def text(self) -> str:
        """The file."""
        signed = {"statement": self.statement, "signature": self.signature}
        proof = {"token": self.token} if self.token else signed
        document = {"schema": 1, **proof, "plan": self.plan.as_dict()}
        return json.dumps(document, indent=2, sort_keys=True) + "\n"


def text(document: Document, *, changes: bool, lost: list[str]) -> str:
    """The plan as JSON: the same bytes wherever and whenever it is made."""
    said = {**document.as_dict(), "changes": changes, "unreachable": sorted(lost)}
    return json.dumps(said, indent=2, sort_keys=True) + "\n"


def read_plan(path: Path) -> tuple[Document, Mapping[str, Any]]:
    """A plan's file; `MaestroError` where it is none, or was changed after it was written."""
    said = _json(path, "plan")
    try:
        document = Document.of(said)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise MaestroError(
            "this is not a plan", where=str(path), fix="maestro plan --out FILE"
        ) from (None)
    if document.hash != said.get("hash"):
        raise MaestroError(
            "the plan was changed after it was written, or by another version of Maestro",
            where=str(path),
            fix="make it anew: maestro plan --out FILE",
        )
    return document, said


def read_approval(path: Path) -> Approval:
    """An approval's file; `MaestroError` where it is none."""
    said = _json(path, "approval")
    try:
        plan = Document.of(dict(said["plan"]))
        if "token" in said:
            return Approval("", "", plan, str(said["token"]))
        return Approval(str(said["statement"]), str(said["signature"]), plan)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise MaestroError(
            "this is not an approval", where=str(path), fix="maestro approve writes one"
        ) from None


def remember(document: Document) -> None:
    """Keep a plan that was shown; without a place for it nothing is kept."""
    home = _cache()
    with contextlib.suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = home / f"{document.hash[:SHOWN]}.json"
        path.write_text(json.dumps(document.as_dict()), encoding="utf-8")
        there = sorted(home.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in there[:-KEPT]:
            old.unlink(missing_ok=True)


def recalled(digest: str) -> Document | None:
    """A plan that was shown on this machine; ``digest`` is its hash, or the beginning of it."""
    try:
        said = json.loads((_cache() / f"{digest[:SHOWN]}.json").read_text(encoding="utf-8"))
        found = Document.of(said)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if found.hash.startswith(digest) else None


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "maestro" / "plans"


def _json(path: Path, what: str) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise MaestroError(
            f"the {what} cannot be read: {why}", where=str(path), fix=f"maestro {_MADE_BY[what]}"
        ) from None
    return said if isinstance(said, dict) else {}


_MADE_BY = {"plan": "plan --out FILE writes one", "approval": "approve writes one"}
