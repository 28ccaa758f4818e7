"""``release.json`` of a release: made here and nowhere else, see `maestro.records.Manifest`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .render import Rendered

if TYPE_CHECKING:
    from ..records import Check, Image, MadeOf, Manifest, Names, Route, ServiceFacts

SCHEMA = 1


@dataclass(frozen=True)
class Origin:
    """How a release came to be: its id, that of the one before, by whom and by which plan.

    ``created`` is UTC (``YYYY-MM-DDTHH:MM:SSZ``), ``plan`` the hash of the approved plan.
    """

    id: str
    previous: str
    created: str
    by: str
    approved_by: str
    plan: str


@dataclass(frozen=True)
class Content:
    """What a deploy knows of its release besides what was rendered."""

    stack: str
    environment: str
    version: str
    git_commit: str
    images: Mapping[str, Image]
    migrated: list[str]
    breaking: list[str]
    routes: list[Route]
    names: Names
    smoke: list[Check]
    # Which of the Engine's data this release's containers and volumes are in.
    userns: dict[str, list[list[int]]]
    # By names that an operator knows, see `plan.facts`; and where it was verified before.
    made_of: MadeOf
    promoted: str = ""
    exceptions: Sequence[str] = ()


def deployed(origin: Origin, rendered: Rendered, content: Content) -> Manifest:
    """The manifest of a release that a deploy brings."""
    return {
        "schema": SCHEMA,
        "id": origin.id,
        "stack": content.stack,
        "environment": content.environment,
        "version": content.version,
        "previous": origin.previous,
        "created": origin.created,
        "by": origin.by,
        "approved_by": origin.approved_by,
        "plan": origin.plan,
        "git_commit": content.git_commit,
        "config_hash": config_hash(rendered),
        "images": dict(content.images),
        "services": _services(rendered),
        "migrations": _migrations(rendered),
        "migrated": content.migrated,
        "breaking": content.breaking,
        "order": rendered.order,
        "routes": content.routes,
        "names": content.names,
        "smoke": content.smoke,
        **({"exceptions": [*content.exceptions]} if content.exceptions else {}),
        "secrets": _secrets(rendered),
        "configs": rendered.configs,
        "userns": content.userns,
        "made_of": dict(content.made_of),
        "promoted": content.promoted,
    }


def renewed(
    manifest: Manifest,
    origin: Origin,
    rendered: Rendered,
    *,
    rotated: list[str],
    rolled_back_to: str = "",
) -> Manifest:
    """The manifest of a release that was made of another one, with other versions of secrets.

    ``rotated`` are secrets it brings new values of, ``rolled_back_to`` the id of the other one
    where it was gone back to.
    """
    return {
        **manifest,
        "id": origin.id,
        "previous": origin.previous,
        "created": origin.created,
        "by": origin.by,
        "approved_by": origin.approved_by,
        "plan": origin.plan,
        "config_hash": config_hash(rendered),
        "services": _services(rendered),
        "migrations": _migrations(rendered),
        "migrated": [],
        "breaking": [],
        "secrets": _secrets(rendered),
        "rotated": rotated,
        "rolled_back_to": rolled_back_to,
    }


def config_hash(rendered: Rendered) -> str:
    """A name for the definitions of all services of a release."""
    shape = "".join(facts["hash"] for _, facts in sorted(rendered.services.items()))
    return hashlib.sha256(shape.encode()).hexdigest()


def _services(rendered: Rendered) -> dict[str, ServiceFacts]:
    return {
        name: {**facts, "digest": facts["image"].rpartition("@")[2]}
        for name, facts in rendered.services.items()
    }


def _migrations(rendered: Rendered) -> dict[str, str]:
    return {name: facts["hash"] for name, facts in rendered.migrations.items()}


def _secrets(rendered: Rendered) -> dict[str, str]:
    return {item["name"]: item["version"] for item in rendered.secret_files}
