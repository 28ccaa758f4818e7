"""What may name a stack, or one part of a path: on the controller and on a host alike."""

from __future__ import annotations

import re

from ..errors import MaestroError

STACK = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
# A tag by the grammar of the distribution specification.
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
# Ids of releases, and names of secrets, configurations, services and hosts: never a path.
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")


def stack(name: str, where: str = "-e stack") -> str:
    """The name, or `MaestroError` where it cannot be that of a stack."""
    if not name.strip():
        raise MaestroError(
            "no stack is named",
            where=where,
            fix=f"add {where.partition('=')[0]}=NAME; maestro.stacks.status lists what is there",
        )
    if not STACK.match(name):
        raise MaestroError(
            f"{name!r} cannot name a stack",
            where=where,
            fix="allowed: lower-case letters, digits, '_' and '-', a letter or digit first",
        )
    return name


def part(name: str, kind: str, where: str = "") -> str:
    """The name, or `MaestroError` where it cannot be that of a ``kind`` (as in `a release`)."""
    if not PART.match(name):
        raise MaestroError(
            f"{name!r} cannot name {kind}",
            where=where,
            fix="allowed: letters, digits, '_', '-' and '.', not '-' or '.' first",
        )
    return name


def version(value: str) -> str:
    """What can be deployed as a version, or `MaestroError`; an empty one is the one that runs."""
    if value and (value == "latest" or not TAG.match(value)):
        raise MaestroError(
            f"{value!r} cannot be deployed as a version",
            where="-e version",
            fix="allowed: an immutable tag of letters, digits, '.', '_' and '-'",
        )
    return value
