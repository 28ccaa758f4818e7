"""Images without a version in the Compose file that `maestro init` finds: staging may run them.

The policy refuses a tag that can move. One's own first deploy need not wait for it: an exception
for staging names the service and why, every plan shows it, and production keeps refusing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import MaestroError
from ..host.reference import Reference
from ..stack.compose_yaml import parse
from ..stack.policy import MOVING


def of_file(text: str, where: str) -> dict[str, str]:
    """The services whose images another one could be tomorrow, with these images."""
    try:
        read: Any = parse(text, where)
    except MaestroError:
        return {}  # a plan says it
    services = read.get("services") if isinstance(read, dict) else None
    found = {}
    for name, service in (services if isinstance(services, dict) else {}).items():
        image = service.get("image") if isinstance(service, dict) else None
        if isinstance(image, str) and "$" not in image and "build" not in service:
            reference = Reference.parse(image)
            if not reference.digest and reference.tag in MOVING:
                found[str(name)] = image
    return found


def exception(stack: str, services: dict[str, str]) -> str:
    """What staging's variables say of them; nothing where there is none."""
    if not services:
        return ""
    return "".join(
        f"{line}\n"
        for line in (
            "",
            "# These images have no version in the Compose file. Staging runs what the tag names",
            "# at each deploy; production refuses them. Write versions there, and remove this.",
            "deploy_allow:",
            *(
                f"  - {{rule: moving-tag, stack: {stack}, service: {name}, reason: no version yet}}"
                for name in sorted(services)
            ),
        )
    )


def said(services: dict[str, str]) -> Iterable[str]:
    """What `maestro init` tells of them."""
    for name, image in sorted(services.items()):
        yield f"  allowed  {image} (service {name}) without a version: in staging, see staging.yml"
