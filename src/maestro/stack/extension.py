"""The key `x-maestro` of a stack: what it may say, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import fits, routes, smoke
from .words import did_you_mean

if TYPE_CHECKING:
    from ..records import Entry, Extension, Written

EXTENSION = "x-maestro"


def extension_problems(
    extension: Any, place: str, services: list[str], *, filled: bool = False
) -> list[MaestroError]:
    """What is wrong with an ``x-maestro``: against its schema, and in the services it names.

    A value that still is a ``${VARIABLE}`` is not judged, unless they are ``filled`` in.
    """
    problems, extension = _against_schema(extension, place, filled=filled)
    if isinstance(extension, dict):
        problems += [
            problem
            for problem in _unknown_services(place, extension, services)
            if filled or "$" not in problem.what
        ]
        problems += [
            problem
            for problem in (
                *routes.problems(extension, place, services),
                *routes.two_networks(extension, place),
                *smoke.problems(place, extension.get("smoke")),
            )
            if filled or "$" not in str(problem)
        ]
    return problems


def _against_schema(extension: Any, place: str, *, filled: bool) -> tuple[list[MaestroError], Any]:
    """What is wrong by the schema, and what of the extension can be looked at further."""
    schema = smoke.schema()
    if fits.fits(extension, schema):
        return [], extension
    from . import schema_problems  # noqa: PLC0415 -- it takes a tenth of a second

    found = schema_problems.of(extension, schema, filled=filled)
    problems = [schema_problems.explained(place, error) for error in found]
    if isinstance(extension, dict):
        extension = schema_problems.of_right_kind(extension, found)
    return problems, extension


def _unknown_services(
    place: str, extension: Extension, services: list[str]
) -> Iterable[MaestroError]:
    named: list[tuple[str, Entry]] = [
        (f"{key}[{number}]", item)
        for key in ("migrations", "jobs", "routes")
        for number, item in mappings(extension.get(key))
    ]
    named += smoke.asked(extension.get("smoke"))
    found = [(f"{path}.service", item["service"]) for path, item in named if "service" in item]
    for key in ("secret_owners", "throw_away", "watchdog"):
        by_service = extension.get(key)
        if isinstance(by_service, dict):
            found += [(f"{key}.{name}", name) for name in by_service]
    hardened = extension.get("hardened")
    if isinstance(hardened, list):
        found += [(f"hardened[{number}]", name) for number, name in enumerate(hardened)]
    for path, name in found:
        if isinstance(name, str) and name not in services:
            yield MaestroError(
                f"unknown service {name!r}",
                where=f"{place}.{path}",
                fix=did_you_mean(name, services),
            )


def mappings(value: Any) -> list[tuple[int, Written]]:
    """The mappings of a list and where in it they stand; what else is there is another problem."""
    entries = value if isinstance(value, list) else []
    return [(number, entry) for number, entry in enumerate(entries) if isinstance(entry, dict)]
