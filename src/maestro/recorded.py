"""A release as a host recorded it: read again, or with newer versions of its secrets."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import yaml

from . import borrowing
from .errors import MaestroError
from .host.state import HASH_LABEL
from .render import Rendered, hash_of

# Ten times as quick, where PyYAML came with libyaml; a file we wrote reads the same with both.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(manifest: Mapping[str, Any], text: str) -> Rendered:
    """A release from its ``release.json`` and its ``compose.yaml``.

    Raises `MaestroError` when the file does not say any more what the manifest recorded.
    """
    changed = edited(manifest, text)
    if changed:
        raise MaestroError(
            f"its compose.yaml was edited since: {', '.join(changed)}",
            where=f"release {manifest['id']}",
            fix="choose another release, or deploy the version anew: "
            f"deploy.yml -e version={manifest['version']}",
        )
    compose = document(text)
    return Rendered(
        compose=compose,
        services={
            # What an older manifest does not say, its file does.
            name: {**facts, **borrowing.facts(compose["services"][name])}
            for name, facts in manifest["services"].items()
        },
        migrations={
            name: {"image": compose["services"][name]["image"], "hash": digest}
            for name, digest in manifest["migrations"].items()
        },
        order=[list(level) for level in manifest["order"]],
        secret_files=_secret_files(compose),
        configs=dict(manifest["configs"]),
    )


def edited(manifest: Mapping[str, Any], text: str) -> list[str]:
    """Services whose definition in the release's file is not the one that was recorded."""
    compose = document(text)
    services = compose.get("services") or {}
    wanted = {
        **{name: facts["hash"] for name, facts in manifest["services"].items()},
        **manifest["migrations"],
    }
    return sorted(
        name
        for name in {*wanted, *services}
        if name not in services or hash_of(services[name], compose) != wanted.get(name)
    )


def lacking(rendered: Rendered, there: Mapping[str, Mapping[str, list[int]]]) -> list[str]:
    """Secrets whose version the host no longer holds: a rotation destroyed it.

    ``there`` is ``{name: {version: [uid, ...]}}``, see `host.history.read`.
    """
    return sorted(
        {
            str(item["name"])
            for item in rendered.secret_files
            if item["uid"] not in there.get(str(item["name"]), {}).get(str(item["version"]), ())
        }
    )


def with_secrets(rendered: Rendered, versions: Mapping[str, str]) -> Rendered:
    """The same release with other versions of some secrets; only their readers differ."""
    compose = copy.deepcopy(rendered.compose)
    renamed = {}
    top = {}
    for source, definition in (compose.get("secrets") or {}).items():
        path = PurePosixPath(definition["file"])
        name, version, uid = _parts(definition)
        wanted = versions.get(name, version)
        renamed[source] = f"{name}-{wanted}-{uid}"
        top[renamed[source]] = {"file": str(path.parent.parent / wanted / path.name)}
    if top:
        compose["secrets"] = top
    for service in compose["services"].values():
        for item in service.get("secrets") or []:
            item["source"] = renamed[item["source"]]
    hashes = {name: hash_of(service, compose) for name, service in compose["services"].items()}
    for name, digest in hashes.items():
        compose["services"][name]["labels"][HASH_LABEL] = digest
    return Rendered(
        compose=compose,
        services=_rehashed(rendered.services, hashes),
        migrations=_rehashed(rendered.migrations, hashes),
        order=rendered.order,
        secret_files=_secret_files(compose),
        configs=rendered.configs,
    )


def readers(rendered: Rendered) -> dict[str, set[str]]:
    """Which services read each secret; a migration is none."""
    files = rendered.compose.get("secrets") or {}
    found: dict[str, set[str]] = {}
    for service in rendered.services:
        for item in rendered.compose["services"][service].get("secrets") or []:
            name, _, _ = _parts(files[item["source"]])
            found.setdefault(name, set()).add(service)
    return found


def without_migrations(rendered: Rendered) -> Rendered:
    """The release for a plan that runs no migration, so that none of their images is needed."""
    return replace(rendered, migrations={})


def newest(versions: Iterable[str]) -> str:
    """The newest of some versions: they are ids of releases, which begin with the time."""
    return max(versions, default="")


def _rehashed(
    facts: Mapping[str, Mapping[str, Any]], hashes: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    return {name: {**item, "hash": hashes[name]} for name, item in facts.items()}


def _parts(definition: Mapping[str, Any]) -> tuple[str, str, str]:
    """Name, version and uid of a secret, as the path of its file says."""
    name, version, uid = PurePosixPath(definition["file"]).parts[-3:]
    return name, version, uid


def _secret_files(compose: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name, version and uid of every secret file the release mounts."""
    found = []
    for definition in (compose.get("secrets") or {}).values():
        name, version, uid = _parts(definition)
        found.append({"name": name, "version": version, "uid": int(uid)})
    return found


def document(text: str) -> dict[str, Any]:
    """A release's file; empty where there is none or somebody damaged it."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
