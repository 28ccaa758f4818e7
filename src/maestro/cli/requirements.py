"""The requirements.txt of one's own repository: every package with its version and hashes."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "maestro-stacks"
# The lock of this version, which goes into the wheel; in a checkout it stands at the root.
LOCKS = (
    Path(__file__).parent / "requirements.lock",
    Path(__file__).parents[3] / "requirements.lock",
)


def requirements() -> str:
    """The text: one line for each package, that of Maestro first."""
    lock = next(path for path in LOCKS if path.exists()).read_text(encoding="utf-8")
    lines = [
        "# What `pip install --require-hashes -r requirements.txt` installs: Maestro, and the",
        "# versions it was tested with. For a newer one: `maestro init --check` shows the lines.",
        _own(),
        *_one_line_each(lock),
    ]
    return "\n".join(lines) + "\n"


def _own() -> str:
    """The line of Maestro; as a comment where its archive, and so its hash, is not known."""
    version = metadata.version(DISTRIBUTION)
    digest = _hash()
    line = f"{DISTRIBUTION}=={version}"
    if digest:
        return f"{line} --hash=sha256:{digest}"
    return f"# {line} --hash=sha256:...   (pip hash FILE says it)"


def _hash() -> str:
    """SHA-256 of the archive that was installed, if it is still there.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    said = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    given = json.loads(said) if said else {}
    known = given.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    if known:
        return str(known)
    path = Path(unquote(urlsplit(str(given.get("url", ""))).path))
    if "archive_info" in given and path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""


def _one_line_each(lock: str) -> list[str]:
    joined = re.sub(r"\s*\\\n\s*", " ", lock)
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]
