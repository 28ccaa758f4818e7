"""Which services of a stack have a check that tells whether they work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from . import smoke
from .jobs import checked

if TYPE_CHECKING:
    from ..records import Compose, Extension, Image, Service


def unchecked(
    model: Compose,
    extension: Extension,
    images: Mapping[str, Image],
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


def _healthy(service: Service, images: Mapping[str, Image]) -> bool:
    check = service.get("healthcheck") or {}
    if check:
        return checked(service)
    # An image that was resolved before this was recorded is given the benefit of the doubt.
    image = images.get(str(service.get("image")))
    return image.get("checked", True) if image else True
