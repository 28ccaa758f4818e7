"""The image of a service that says how it is built and not what the result is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def named(services: Mapping[str, dict[str, Any]], stack: str, variables: Mapping[str, str]) -> None:
    """Name the image of each service of Compose's reading that has only a ``build``.

    ``REGISTRY/STACK-SERVICE:VERSION``, in lower case as names of images are; ``variables`` have
    the registry (none is ``localhost``) and the version. `roles/images` builds under the same name.
    """
    for name, service in services.items():
        if service.get("build") and not service.get("image"):
            repository = f"{stack}-{name}".lower()
            registry = variables["REGISTRY"] or "localhost"
            service["image"] = f"{registry}/{repository}:{variables['VERSION']}"
