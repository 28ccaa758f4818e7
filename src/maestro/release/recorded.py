"""A release as a host recorded it: read again, or with newer versions of its secrets."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

import yaml

from ..errors import MaestroError
from ..host import carried
from ..host.files import digests
from ..host.labels import HASH_LABEL
from ..host.secret_files import SecretFile
from ..stack import borrowing
from . import hardening
from .hashes import hash_of
from .render import Rendered

if TYPE_CHECKING:
    from ..records import Compose, Manifest, SecretFileFacts, Standing

Answer = TypeVar("Answer", bound="Standing")

# The keys of an answer with a release's file in them, and what they are called as data.
_FILES = {"compose": "file", "target_compose": "target_file"}

# Ten times as quick, where PyYAML came with libyaml; a file we wrote reads the same with both.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def opened(states: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers of hosts with the Compose files in them read: what a decision begins with.

    ``file`` and ``target_file`` are ``compose`` and ``target_compose`` as data, empty where there
    is none. Hosts with one text share what was read of it: nobody changes it.
    """
    known: dict[str, Compose] = {}

    def of(state: Mapping[str, object]) -> Mapping[str, object]:
        texts = {key: str(state[key]) for key in _FILES if key in state}
        for text in texts.values():
            if text not in known:
                known[text] = document(text)
        return {**state, **{_FILES[key]: known[text] for key, text in texts.items()}}

    return {host: cast("Answer", of(state)) for host, state in states.items()}


def read(manifest: Manifest, compose: Compose) -> Rendered:
    """A release from its ``release.json`` and its ``compose.yaml``.

    Raises `MaestroError` when the file does not say any more what the manifest recorded.
    """
    changed = edited(manifest, compose)
    if changed:
        raise MaestroError(
            f"its compose.yaml was edited since: {', '.join(changed)}",
            where=f"release {manifest['id']}",
            fix="choose another release, or deploy the version again: "
            f"deploy.yml -e version={manifest['version']}",
        )
    return Rendered(
        compose=compose,
        services={
            # What an older manifest does not say, its file does.
            name: {
                **facts,
                **borrowing.facts(compose["services"][name]),
                **hardening.facts(compose["services"][name]),
            }
            for name, facts in manifest["services"].items()
        },
        migrations={
            name: {"image": compose["services"][name]["image"], "hash": digest}
            for name, digest in manifest["migrations"].items()
        },
        order=[list(level) for level in manifest["order"]],
        secret_files=_secret_files(compose),
        configs=_configs(manifest["configs"]),
    )


def edited(manifest: Manifest, compose: Compose) -> list[str]:
    """Services whose definition in the release's file is not the one that was recorded."""
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


def lacking(rendered: Rendered, there: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    """Secrets whose version the host no longer holds: a rotation destroyed it.

    ``there`` is ``{name: {version: [owner, ...]}}``, see `host.history.read`.
    """
    return sorted(
        {
            file.name
            for file in map(SecretFile.from_json, rendered.secret_files)
            if file.owner not in there.get(file.name, {}).get(file.version, ())
        }
    )


def with_secrets(rendered: Rendered, versions: Mapping[str, str]) -> Rendered:
    """The same release with other versions of some secrets; only their readers differ."""
    compose = copy.deepcopy(dict(rendered.compose))
    renamed = {}
    top = {}
    for source, definition in (compose.get("secrets") or {}).items():
        found = SecretFile.at(definition["file"])
        wanted = replace(found, version=versions.get(found.name, found.version))
        home = str(definition["file"]).removesuffix(found.path)
        renamed[source] = wanted.source
        top[wanted.source] = {"file": home + wanted.path}
    if top:
        compose["secrets"] = top
    for service in compose["services"].values():
        for item in service.get("secrets") or []:
            item["source"] = renamed[item["source"]]
        environment = service.get("environment") or {}
        for name, value in environment.items():
            for file in carried.files(str(value or "")):
                wanted = replace(file, version=versions.get(file.name, file.version))
                environment[name] = carried.renamed(environment[name], file, wanted)
    hashes = {name: hash_of(service, compose) for name, service in compose["services"].items()}
    for name, digest in hashes.items():
        compose["services"][name]["labels"][HASH_LABEL] = digest
    return Rendered(
        compose=compose,
        services={
            name: {**facts, "hash": hashes[name]} for name, facts in rendered.services.items()
        },
        migrations={
            name: {**facts, "hash": hashes[name]} for name, facts in rendered.migrations.items()
        },
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
            file = SecretFile.at(files[item["source"]]["file"])
            found.setdefault(file.name, set()).add(service)
        for value in (rendered.compose["services"][service].get("environment") or {}).values():
            for file in carried.files(str(value or "")):
                found.setdefault(file.name, set()).add(service)
    return found


def without_migrations(rendered: Rendered) -> Rendered:
    """The release for a plan that runs no migration, so that none of their images is needed."""
    return replace(rendered, migrations={})


def newest(versions: Iterable[str]) -> str:
    """The newest of some versions: they are ids of releases, which begin with the time."""
    return max(versions, default="")


def _configs(recorded: Mapping[str, list[str] | str]) -> dict[str, list[str]]:
    """Digests of each config; earlier versions of Maestro recorded one, as text."""
    found: dict[str, list[str]] = {}
    for name, digest in sorted(digests(recorded)):
        found.setdefault(name, []).append(digest)
    return found


def _secret_files(compose: Compose) -> list[SecretFileFacts]:
    """Every secret file the release mounts, as `SecretFile.as_json` says it."""
    return [
        SecretFile.at(definition["file"]).as_json()
        for definition in (compose.get("secrets") or {}).values()
    ]


def document(text: str) -> Compose:
    """A release's file; empty where there is none or somebody damaged it."""
    try:
        # libyaml takes plain text alone, and Ansible's has tags.
        found = yaml.load(str(text), Loader=_Loader)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
