"""What a release is made of, each by a name that an operator knows, with a hash of its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..host.plan_hash import digest
from ..release.render import Rendered
from .wanted import Wanted

if TYPE_CHECKING:
    from ..records import Image

_LENGTH = 16


def of_release(
    wanted: Wanted, rendered: Rendered, images: Mapping[str, Image]
) -> dict[str, str | list[str]]:
    """Of one host, from its reading of the stack, the rendered release and its images."""
    model = wanted.model
    found: dict[str, str | list[str]] = {
        "version": wanted.version,
        "profiles": sorted(wanted.profiles),
        **{f"image {name}": str(image["digest"]) for name, image in images.items()},
        **{f"x-maestro.{key}": _short(value) for key, value in wanted.extension.items()},
        **{f"config {name}": digests for name, digests in rendered.configs.items()},
        "policy exceptions": _short([made.text for made in wanted.exceptions]),
    }
    for name, service in model["services"].items():
        for key, value in service.items():
            if key == "deploy" and isinstance(value, Mapping):
                found |= {f"service {name}: deploy.{k}": _short(v) for k, v in value.items()}
            else:
                found[f"service {name}: {key}"] = _short(value)
    for kind in ("networks", "volumes", "configs", "secrets"):
        for name, value in (model.get(kind) or {}).items():
            found[f"{kind.removesuffix('s')} {name} (definition)"] = _short(value)
    found["everything else of the file"] = _short(
        {key: value for key, value in model.items() if key not in _NAMED}
    )
    return found


_NAMED = ("services", "networks", "volumes", "configs", "secrets", "x-maestro")


def _short(value: Any) -> str:
    return digest(value)[:_LENGTH]
