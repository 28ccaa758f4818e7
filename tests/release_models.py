"""Releases of the small stack as hosts keep them, in the shape `maestro.host.history` tells."""

from __future__ import annotations

from typing import Any

import stack_models as models

from maestro.release.recorded import document

FIRST, SECOND, THIRD = (f"2026010{day}T120000Z-000{day}" for day in (1, 2, 3))


def release(name: str, version: str, previous: str = "", **changes: Any) -> dict[str, Any]:
    """A release as a host keeps it: its manifest, and its Compose file under ``text``."""
    model = changes.pop("model", None) or models.shop(version)
    secrets = {"db_password": changes.pop("secret", FIRST), **changes.pop("more_secrets", {})}
    rendered = models.rendered(model, secrets=secrets)
    return {
        "id": name,
        "version": version,
        "previous": previous,
        "created": f"{name[:4]}-01-01T12:00:00Z",
        "by": "jo@desk",
        "images": models.images(model),
        "services": rendered.services,
        "migrations": {key: item["hash"] for key, item in rendered.migrations.items()},
        "order": rendered.order,
        "routes": [],
        "smoke": [{"tcp": {"port": 8000}}],
        "secrets": {item["name"]: item["version"] for item in rendered.secret_files},
        "configs": rendered.configs,
        "migrated": ["migrate"],
        "breaking": [],
        "text": rendered.text,
        **changes,
    }


def host(*releases: dict[str, Any], serves: str = "", to: str = "") -> dict[str, Any]:
    """A host that keeps some releases and serves the last of them, as `history.read` tells."""
    kept = {item["id"]: item for item in releases}
    current = kept[serves or releases[-1]["id"]]
    target = to or current["previous"]
    manifests = {key: {k: v for k, v in item.items() if k != "text"} for key, item in kept.items()}
    return {
        "release": manifests[current["id"]],
        "target": manifests.get(target, {}),
        "compose": current["text"],
        "file": document(current["text"]),
        "target_compose": kept[target]["text"] if target in kept else "",
        "target_file": document(kept[target]["text"]) if target in kept else {},
        "releases": {
            key: {
                **{k: item[k] for k in ("id", "version", "created", "migrated", "breaking")},
                "images": sorted({facts["image"] for facts in item["services"].values()}),
                "whole": True,
            }
            for key, item in kept.items()
        },
        "containers": [
            models.container(name, facts["hash"], image=facts["image"])
            for name, facts in current["services"].items()
        ],
        "images": sorted(
            {facts["image"] for item in releases for facts in item["services"].values()}
        ),
        "lease": {},
        "agent": "",
        "versions": {
            "db_password": {item["secrets"]["db_password"]: ["999", "1000"] for item in releases}
        },
        "secrets": {},
        "edited_configs": [],
    }


def two(**changes: Any) -> dict[str, Any]:
    """A host that keeps v1 and serves v2."""
    return host(release(FIRST, "v1"), release(SECOND, "v2", FIRST, **changes))
