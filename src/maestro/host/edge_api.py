"""Who may ask the API of this host's edge, and its metrics: who shows a password.

Every local user reaches the loopback address. The host's programs show a token that root alone
reads. A program that reads the metrics may have a password of its own, for them alone.
Traefik's BasicAuth: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/basicauth/
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import stat
from pathlib import Path

from .layout import write_atomically

USER = "maestro"
METRICS_USER = "metrics"
_TOKEN_BYTES = 32
_TOKEN_MODE = 0o400
# The directory is closed to all but root and the edge, which has another uid on each host.
_USERS_MODE = 0o644


def token_file(directory: Path) -> Path:
    """Where the token of the host's programs stands; ``directory`` is the edge's."""
    return directory / "api-token"


def headers(directory: Path) -> dict[str, str]:
    """What a request to the API has to show; nothing where an edge of before asks for nothing."""
    try:
        token = token_file(directory).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return {}
    login = base64.b64encode(f"{USER}:{token}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


def configure(directory: Path, metrics_password: str = "", *, check: bool = False) -> list[Path]:
    """Have a token, and the files of those who may ask; the files that were not as wanted."""
    changed = []
    file = token_file(directory)
    token = _text(file).strip()
    if not token or stat.S_IMODE(file.stat().st_mode) != _TOKEN_MODE:
        token = token or secrets.token_urlsafe(_TOKEN_BYTES)
        changed.append(file)
        if not check:
            write_atomically(file, f"{token}\n", _TOKEN_MODE)
    api = _line(USER, token)
    metrics = _line(METRICS_USER, metrics_password) if metrics_password else ""
    for path, wanted in zip(users_files(directory), (api, api + metrics), strict=True):
        if _text(path) != wanted:
            changed.append(path)
            if not check:
                write_atomically(path, wanted, _USERS_MODE)
    return changed


def users_files(directory: Path) -> tuple[Path, Path]:
    """Who may ask the API, and who may read the metrics; roles/edge names them too."""
    return directory / "certs/api-users", directory / "certs/metrics-users"


def _line(user: str, password: str) -> str:
    """As ``htpasswd -s`` writes it. A slow hash is for passwords that can be guessed."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return f"{user}:{{SHA}}{base64.b64encode(digest).decode()}\n"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
