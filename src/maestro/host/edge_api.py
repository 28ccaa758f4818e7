"""Who may ask the API of this host's edge, and its metrics: who shows a password.

Every local user reaches the loopback address. The host's programs show a token that root alone
reads. A program that reads the metrics may have a password of its own, for them alone.
Traefik's BasicAuth: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/basicauth/
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import stat
from pathlib import Path
from typing import Any

from .layout import write_atomically

USER = "maestro"
METRICS_USER = "metrics"
_TOKEN_BYTES = 32
_TOKEN_MODE = 0o400
# The edge's directory is closed to all but root and the edge, whatever uid it has on this host.
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


def ask(directory: Path, port: int, path: str, seconds: float = 2.0) -> tuple[int, str]:
    """Status and text of an answer of the edge of ``directory``, on its port of the loopback.

    Raises `OSError` or `http.client.HTTPException` where it does not answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers=headers(directory))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def configure(directory: Path, metrics_password: str = "", *, check: bool = False) -> list[Path]:
    """Have a token, and the file that tells the edge who may ask; those that were not as wanted.

    The hashes stand in the edge's configuration itself: Traefik reads a file of users once.
    """
    changed = []
    file = token_file(directory)
    token = _text(file).strip()
    if not token or stat.S_IMODE(file.stat().st_mode) != _TOKEN_MODE:
        token = token or secrets.token_urlsafe(_TOKEN_BYTES)
        changed.append(file)
        if not check:
            write_atomically(file, f"{token}\n", _TOKEN_MODE)
    api = [_line(USER, token)]
    metrics = [_line(METRICS_USER, metrics_password)] if metrics_password else []
    wanted = f"{json.dumps(_middlewares(api, [*api, *metrics]), indent=2)}\n"
    if _text(users_file(directory)) != wanted:
        changed.append(users_file(directory))
        if not check:
            write_atomically(users_file(directory), wanted, _USERS_MODE)
    return changed


def users_file(directory: Path) -> Path:
    """Where the edge reads who may ask; JSON is YAML."""
    return directory / "dynamic/edge-api.yml"


def _middlewares(api: list[str], metrics: list[str]) -> dict[str, Any]:
    """Those of the routes to API and metrics in roles/edge, dynamic/edge.yml.j2."""
    auth = {"realm": "maestro edge", "removeHeader": True}
    return {
        "http": {
            "middlewares": {
                "maestro-api": {"basicAuth": {"users": api, **auth}},
                "maestro-metrics": {"basicAuth": {"users": metrics, **auth}},
            }
        }
    }


def _line(user: str, password: str) -> str:
    """As ``htpasswd -s`` writes it. A slow hash is for passwords that can be guessed."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return f"{user}:{{SHA}}{base64.b64encode(digest).decode()}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
