"""What a stack may not do outside development, checked on Compose's own reading of it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Line, MaestroError
from ..host.reference import Reference
from . import (
    borrowing,
    data,
    engine_refusals,
    exceptions,
    host_paths,
    isolation,
    logins,
    mount_lines,
    ports,
    updates,
)
from .exceptions import Allowed
from .extension import EXTENSION

if TYPE_CHECKING:
    from ..records import Compose, Mount, Service

DEVELOPMENT = "development"
MOVING = ("", "latest")  # tags that name another image tomorrow


def problems(
    model: Compose, environment: str, stack: str, place: isolation.Place | None = None
) -> list[MaestroError]:
    """Every breach in the model, each with its path, what was found and what is allowed.

    ``model`` is the canonical model of `host.compose.canonical`, active services only.
    """
    found: list[MaestroError] = []
    place = place or isolation.Place(model)
    allowed = [*exceptions.of_stack(model), *place.allowed]
    for name, service in sorted(model["services"].items()):
        where = f"{stack}/compose.yaml: services.{name}"
        found += _image(service, where)
        refused = [
            breach
            for breach in _breaches(name, service, place, environment)
            if not breach.allowed(allowed)
        ]
        found += [_refusal(breach, where, service, place) for breach in refused]
        if mounted := _mount_lines(name, service, refused, place):
            found[-1].lines += tuple(mounted)
    found += _unknown_rules(model, stack)
    found += borrowing.problems(model["services"], model["services"], stack)
    found += data.problems(model["services"], stack)
    found += engine_refusals.problems(model["services"], stack)
    return [*found, *ports.clashes(model["services"], stack), *updates.problems(model, stack)]


@dataclass(frozen=True)
class _Breach:
    rule: isolation.Rule
    service: str
    finding: isolation.Finding

    @property
    def name(self) -> str:
        """What an exception calls it."""
        return self.finding.rule or self.rule.name

    def by(self, allowed: Iterable[Allowed]) -> Allowed | None:
        """The exception that names it."""
        return next(
            (
                item
                for item in allowed
                if item.rule == self.name and item.service in ("", self.service)
            ),
            None,
        )

    def allowed(self, allowed: Iterable[Allowed]) -> bool:
        return self.finding.exception and self.by(allowed) is not None


def made(
    model: Compose, environment: str, place: isolation.Place | None = None
) -> list[exceptions.Made]:
    """Every exception that is made use of, as a plan tells it: in production too."""
    place = place or isolation.Place(model)
    allowed = [*exceptions.of_stack(model), *place.allowed]
    found = []
    for name, service in sorted(model["services"].items()):
        for breach in _breaches(name, service, place, environment):
            by = breach.by(allowed)
            if by and breach.finding.exception:
                path = f"services.{name}{breach.finding.path}"
                text = f"{path}: {breach.finding.what}; {by.shown()}"
                found.append(exceptions.Made(by.rule, text))
    return found


def _breaches(
    name: str, service: Service, place: isolation.Place, environment: str
) -> list[_Breach]:
    return [
        _Breach(rule, name, finding)
        for rule in RULES
        if rule.always or environment != DEVELOPMENT
        for finding in rule.look(service, place)
    ]


def _refusal(breach: _Breach, where: str, service: Service, place: isolation.Place) -> MaestroError:
    fix, lines = breach.finding.fix, []
    if breach.finding.exception:
        fix += (
            f"; or allow it: x-maestro.allow: [{{rule: {breach.name}, "
            f"service: {breach.service}, reason: WHY}}]"
        )
        lines = [_pinned(breach, service, place) or _entry(breach)]
    return MaestroError(
        breach.finding.what, where=where + breach.finding.path, fix=fix, lines=lines
    )


def _mount_lines(
    name: str, service: Service, refused: Iterable[_Breach], place: isolation.Place
) -> list[Line]:
    """What to write in place of the service's mounts of the stack's own directory."""
    mounts = service.get("volumes") or []
    paths = {breach.finding.path for breach in refused if breach.rule.name == "host-path"}
    numbers = [
        number
        for number, mount in enumerate(mounts)
        if f".volumes[{number}]" in paths and _replaceable(mount)
    ]
    return mount_lines.of_service(name, service, numbers, place.there) if numbers else []


def _replaceable(mount: Mount) -> bool:
    """Whether a mount is one of the stack's directory, and its path is no mistake."""
    source = str(mount.get("source") or "")
    inside = mount.get("type") == "bind" and not posixpath.isabs(source)
    return inside and (not mount.get("read_only") or posixpath.normpath(source) == ".")


def _entry(breach: _Breach) -> Line:
    entry = {"rule": breach.name, "service": breach.service, "reason": "WHY"}
    return Line((EXTENSION, "allow"), [entry])


def _pinned(breach: _Breach, service: Service, place: isolation.Place) -> Line | None:
    """The image as it is now, where a tag is refused that can move and the registry knows it."""
    image = str(service.get("image") or "")
    if breach.rule.name != "moving-tag":
        return None
    path = ("services", breach.service, "image")
    if service.get("build"):
        name = f"{place.model.get('name')}-{breach.service}".lower()
        return Line(path, f"${{REGISTRY:-localhost}}/{name}:${{VERSION:-dev}}")
    digest = place.digests.get(image)
    return Line(path, f"{image}@{digest}") if digest else None


def rules() -> list[str]:
    """The names of what can be allowed, but for what has no name."""
    also = (host_paths.SOCKET, host_paths.DATA, host_paths.WHOLE)
    return sorted([*(rule.name for rule in RULES if not rule.always), *also])


def _unknown_rules(model: Compose, stack: str) -> Iterable[MaestroError]:
    """Exceptions for rules there are not."""
    names = rules()
    for number, item in enumerate(exceptions.of_stack(model)):
        where = f"{stack}/compose.yaml: x-maestro.allow[{number}]"
        if item.rule not in names:
            yield MaestroError(
                f"unknown rule {item.rule!r}", where=where, fix=f"allowed: {', '.join(names)}"
            )


def _image(service: Service, where: str) -> Iterable[MaestroError]:
    if not service.get("image"):
        yield MaestroError(
            "has no image",
            where=where,
            fix="name the image it is deployed from beside `build`: ${REGISTRY}/NAME:${VERSION}",
        )


def _moving_tag(service: Service, _: isolation.Place) -> Iterable[isolation.Finding]:
    """A tag that names another image tomorrow; each release still has one digest."""
    image = str(service.get("image") or "")
    reference = Reference.parse(image) if image else None
    if reference and not reference.digest and reference.tag in MOVING:
        fix = "allowed: a version tag such as ${VERSION}, or a digest; `latest` only in development"
        yield isolation.Finding(".image", f"found {image}: a tag that can move", fix)


RULES = (isolation.Rule("moving-tag", _moving_tag), *isolation.RULES, logins.RULE)
