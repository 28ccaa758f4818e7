"""Which digest the tag of the edge's image has: what the host has, or else what it pulls."""

from __future__ import annotations

import json

from .edge_proxy import pull
from .engine import Engine


def resolve(image: str, *, again: bool = False, check: bool = False) -> str:
    """``NAME:TAG@sha256:DIGEST`` for ``NAME:TAG``.

    ``again`` asks the registry even where the host has the tag. Without a digest, as when the
    image was built on the host, the name stays as it is; so it does in check mode where the host
    has no image. Raises `MaestroError` when the image cannot be pulled.
    """
    engine = Engine()
    found = _digest(engine, image)
    if (again or not found) and not check:
        pull(image)
        found = _digest(engine, image)
    return f"{image}@{found}" if found else image


def _digest(engine: Engine, image: str) -> str:
    """What a registry calls the image of that name that is on the host; empty where none does."""
    status, body = engine.request("GET", f"/images/{image}/json")
    known = (json.loads(body).get("RepoDigests") or []) if status == 200 else []
    path, _, last = image.rpartition("/")
    repository = f"{path}/{last.partition(':')[0]}" if path else last.partition(":")[0]
    return next(
        (
            digest
            for name, _, digest in (item.rpartition("@") for item in known)
            if name == repository
        ),
        "",
    )
