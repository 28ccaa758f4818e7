"""The accounts of this host, by the uid that a container's processes may have too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..records import Account

PASSWD = Path("/etc/passwd")
# Shells that let nobody in.
_NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")


def read(path: Path = PASSWD) -> dict[str, Account]:
    """``{uid: {"name", "login"}}`` of all but root, who reads everything; ``login``: may log in."""
    found: dict[str, Account] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        fields = line.split(":")
        if len(fields) != 7 or not fields[2].isdigit() or fields[2] == "0":
            continue
        login = fields[6].rpartition("/")[2] not in _NO_LOGIN
        # Of two with one uid, who may log in counts.
        if login or fields[2] not in found:
            found[fields[2]] = {"name": fields[0], "login": login}
    return found
