"""What a stack may not do outside development, checked on Compose's own reading of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.reference import Reference
from . import borrowing, data, engine_refusals, isolation, ports, updates

if TYPE_CHECKING:
    from ..records import Compose, Service

DEVELOPMENT = "development"


def problems(
    model: Compose, environment: str, stack: str, place: isolation.Place | None = None
) -> list[MaestroError]:
    """Every breach in the model, each with its path, what was found and what is allowed.

    ``model`` is the canonical model of `host.compose.canonical`, active services only.
    """
    found: list[MaestroError] = []
    place, allowed = place or isolation.Place(model), exceptions(model)
    for name, service in sorted(model["services"].items()):
        where = f"{stack}/compose.yaml: services.{name}"
        found += _image(service, where)
        found += [
            _refusal(breach, where)
            for breach in _breaches(name, service, place, environment)
            if not breach.allowed(allowed)
        ]
    found += _unknown_rules(model, stack)
    found += borrowing.problems(model["services"], model["services"], stack)
    found += data.problems(model["services"], stack)
    found += engine_refusals.problems(model["services"], stack)
    return [*found, *ports.clashes(model["services"], stack), *updates.problems(model, stack)]


@dataclass(frozen=True)
class Allowed:
    """One entry of ``x-maestro.allow``; without a ``service`` it is for all of them."""

    rule: str
    service: str
    reason: str


@dataclass(frozen=True)
class _Breach:
    rule: isolation.Rule
    service: str
    finding: isolation.Finding

    def by(self, allowed: Iterable[Allowed]) -> Allowed | None:
        """The exception that names it."""
        return next(
            (
                item
                for item in allowed
                if item.rule == self.rule.name and item.service in ("", self.service)
            ),
            None,
        )

    def allowed(self, allowed: Iterable[Allowed]) -> bool:
        return self.finding.exception and self.by(allowed) is not None


def exceptions(model: Compose) -> list[Allowed]:
    """What the stack's author allows by name."""
    entries = (model.get("x-maestro") or {}).get("allow") or []
    return [
        Allowed(str(item["rule"]), str(item.get("service") or ""), str(item["reason"]))
        for item in entries
    ]


def warnings(model: Compose, environment: str, place: isolation.Place | None = None) -> list[str]:
    """Every exception that is made use of, as a plan tells it: in production too."""
    place, allowed = place or isolation.Place(model), exceptions(model)
    found = []
    for name, service in sorted(model["services"].items()):
        for breach in _breaches(name, service, place, environment):
            by = breach.by(allowed)
            if by and breach.finding.exception:
                path = f"services.{name}{breach.finding.path}"
                found.append(f"{path}: {breach.finding.what}; allowed as {by.rule}: {by.reason}")
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


def _refusal(breach: _Breach, where: str) -> MaestroError:
    fix = breach.finding.fix
    if breach.finding.exception:
        fix += (
            f"; or allow it: x-maestro.allow: [{{rule: {breach.rule.name}, "
            f"service: {breach.service}, reason: WHY}}]"
        )
    return MaestroError(breach.finding.what, where=where + breach.finding.path, fix=fix)


def _unknown_rules(model: Compose, stack: str) -> Iterable[MaestroError]:
    """Exceptions for rules there are not."""
    names = sorted(rule.name for rule in RULES if not rule.always)
    for number, item in enumerate(exceptions(model)):
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
    if reference and not reference.digest and reference.tag in ("", "latest"):
        fix = "allowed: a version tag such as ${VERSION}, or a digest; `latest` only in development"
        yield isolation.Finding(".image", f"found {image}: a tag that can move", fix)


RULES = (isolation.Rule("moving-tag", _moving_tag), *isolation.RULES)
