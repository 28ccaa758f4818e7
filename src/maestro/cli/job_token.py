"""The token with which a CI's job approves a plan: asked of the platform, or given as a file.

https://docs.github.com/en/actions/reference/security/oidc: a job with ``id-token: write`` finds the
address and a password for it in its environment, and chooses the audience.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ..errors import MaestroError
from ..host.oidc import AUDIENCE, Token

ADDRESS, PASSWORD = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
SECONDS = 30


def of_plan(plan: str, file: Path | None) -> Token:
    """A token for the plan with this whole hash; `MaestroError` where there is none."""
    token = Token.read(_given(file) if file else _asked(f"{AUDIENCE}{plan}"))
    if token.plan != plan:
        raise MaestroError(
            f"the token is for {str(token.claims.get('aud'))[:100]}, and not for this plan",
            where=str(file or ADDRESS),
            fix=f"ask for one with the audience {AUDIENCE}{plan}",
        )
    return token


def _given(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise MaestroError(
            f"the token cannot be read: {error.strerror}", where=str(file), fix="--token FILE"
        ) from None


def _asked(audience: str) -> str:
    address, password = os.environ.get(ADDRESS, ""), os.environ.get(PASSWORD, "")
    if not address.startswith(("https://", "http://")) or not password:
        raise MaestroError(
            "this is no job that may ask for a token",
            where=ADDRESS,
            fix="give the job `permissions: id-token: write`; on another platform, --token FILE",
        )
    sign = "&" if "?" in address else "?"
    request = urllib.request.Request(  # noqa: S310 -- its scheme is checked above
        f"{address}{sign}audience={urllib.parse.quote(audience, safe='')}",
        headers={"Authorization": f"Bearer {password}", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["value"])
    except (OSError, urllib.error.URLError, ValueError, KeyError, TypeError) as problem:
        raise MaestroError(
            f"the platform gives no token: {problem}", where=ADDRESS, fix="run the job again"
        ) from None
