"""Which services of a stack have a check that tells whether they work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import smoke
from .jobs import checked


def unchecked(
    model: Mapping[str, Any],
    extension: Mapping[str, Any],
    images: Mapping[str, Mapping[str, Any]],
    active: Iterable[str],
) -> set[str]:
    """Services with neither a health check (of their own or of the image) nor a smoke check."""
    smoked = smoke.services(
        extension.get("smoke"), extension.get("routes") or [], model["services"]
    )
    return {
        name
        for name in active
        if name not in smoked and not _healthy(model["services"][name], images)
    }


def _healthy(service: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]]) -> bool:
    check = service.get("healthcheck") or {}
    if check:
        return checked(service)
    # An image that was resolved before this was recorded is given the benefit of the doubt.
    return bool(images.get(str(service.get("image")), {}).get("checked", True))
