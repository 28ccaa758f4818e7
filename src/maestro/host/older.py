"""What keeps older versions of Maestro from changing a host that asks for approvals.

They know none, and bring their own program along. Before they change anything they look at one of
two things. Most ask whether the host's program is theirs: `refusal` answers them instead. Those
from before look whether somebody holds the stack's lease: here it is held for ever, and the leases
of this version stand in another file, see `lease`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from . import identity
from .layout import Layout, write_atomically

_LONG = 1e10  # seconds
_HOLDER = {
    "token": "",
    "by": "this host, which asks for an approval that this version of Maestro does not know; "
    "use a newer version",
    "purpose": "keeping older versions away",
    "release": "",
    "serves": "",
    "acquired": 0.0,
    "limit": _LONG,
    "timeout": 60.0,
    "armed": False,
}


def refusal(files: identity.Files | None = None) -> dict[str, Any] | None:
    """What an older version is told here; None where it may send its own program."""
    try:
        here = identity.read(files)
    except MaestroError as damaged:
        return {"failed": True, "msg": str(damaged)}
    if here is None or not here.approval:
        return None
    why = MaestroError(
        f"this host is of {here.environment} and asks for an approval, which this version of "
        "Maestro does not know",
        where=here.host,
        fix="use the version that this host was provisioned with, or a newer one",
    )
    return {"failed": True, "msg": str(why)}


def settle(layout: Layout, files: identity.Files | None = None) -> None:
    """Let the stack's lease be held for ever where the host asks for approvals, and else not.

    What is being changed just now stays as it is.
    """
    files = files or identity.Files()
    here = identity.read(files)
    place = layout.home / "lease.json"
    if here is None or not here.approval:
        if place.is_symlink() and not (layout.home / "change.json").exists():
            place.unlink()
        return
    if place.is_symlink() or place.exists():
        return
    holder = files.home / "older_versions.json"
    if not holder.exists():
        write_atomically(holder, json.dumps(_HOLDER, indent=2) + "\n", 0o644)
    layout.make_home()
    place.symlink_to(holder)


def settle_all(root: Path) -> None:
    """`settle` for every stack of the host."""
    for home in sorted(path.parent for path in root.glob("*/releases")):
        settle(Layout(root, home.name))
