"""Where things stand on a host."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import naming

if TYPE_CHECKING:
    from ..records import Manifest

HOME_MODE = 0o750  # of a stack's directory
# The host's own program, see `host.agent`.
AGENT = Path("/usr/local/lib/maestro/agent.pyz")


@dataclass(frozen=True)
class Layout:
    """The directories of one stack below ``root`` (``/opt/maestro`` by default)."""

    root: Path
    stack: str

    @property
    def home(self) -> Path:
        """Everything of the stack; `MaestroError` for a name that leads elsewhere."""
        return self.root / naming.stack(self.stack)

    def make_home(self) -> None:
        """Make the stack's directory, closed to the host's other users: it holds what it runs."""
        self.home.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
        self.home.chmod(HOME_MODE)

    @property
    def releases(self) -> Path:
        """One directory per release, named by its id."""
        return self.home / "releases"

    @property
    def current(self) -> Path:
        """A symbolic link to the running release."""
        return self.home / "current"

    @property
    def secrets(self) -> Path:
        """``NAME/VERSION/UID``: one file per secret, version and reader, see `secret_files`."""
        return self.home / "secrets"

    @property
    def configs(self) -> Path:
        """``NAME/DIGEST``: configuration files, named by their content."""
        return self.home / "configs"

    def release(self, release_id: str) -> Path:
        """The directory of one release."""
        return self.releases / naming.part(release_id, "a release")

    def compose_file(self, release_id: str) -> Path:
        """The resolved Compose file of one release."""
        return self.release(release_id) / "compose.yaml"

    def compose_text(self, release_id: str) -> str:
        """What that file says; empty where there is none."""
        try:
            return self.compose_file(release_id).read_text(encoding="utf-8")
        except OSError:
            return ""

    def current_id(self) -> str:
        """The id of the running release, or an empty string.

        One whose manifest is lost is none: nobody knows any more what it was.
        """
        return self.linked_id() if (self.current / "release.json").exists() else ""

    def linked_id(self) -> str:
        """The id of the release that ``current`` leads to, also of one whose manifest is lost."""
        try:
            return Path(os.readlink(self.current)).name
        except OSError:
            return ""

    def manifest(self, release_id: str) -> Manifest:
        """``release.json`` of a release, or an empty dict where there is none."""
        if not release_id:
            return {}
        path = self.release(release_id) / "release.json"
        try:
            loaded: Manifest = _object(path.read_text(encoding="utf-8"))
        except OSError:
            return {}
        except ValueError as error:
            raise MaestroError(
                "the release's manifest is damaged",
                where=str(path),
                fix=f"restore it, or remove {path.parent} to deploy as if there were no release",
            ) from error
        return loaded


def deployed(root: Path) -> list[Layout]:
    """The stacks below ``root`` that have a running release, by name."""
    return [Layout(root, link.parent.name) for link in sorted(root.glob("*/current"))]


def _object(text: str) -> Any:
    """What a JSON object says; `ValueError` for any other text."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 -- as what is no JSON at all
    return found


def write_atomically(path: Path, text: str, mode: int) -> None:
    """Write ``text`` so that a reader sees the old file or the whole new one."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(temporary, mode)
    os.replace(temporary, path)


def point(link: Path, target: Path) -> None:
    """Let the symbolic link ``link`` point at its sibling path ``target``, in one step."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(os.path.relpath(target, link.parent))
    os.replace(temporary, link)
