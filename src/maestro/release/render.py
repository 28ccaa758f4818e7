"""The release's own Compose file: digests for tags, versioned files for secrets and configs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import yaml

from ..errors import MaestroError, raise_all
from ..host import carried, secret_files
from ..host.compose import SURROUNDINGS
from ..host.files import File, for_all
from ..host.folder import Folder
from ..host.jobs import Job
from ..host.labels import HASH_LABEL
from ..host.layout import Layout
from ..host.reference import pinned
from ..host.userns import of_host
from ..stack import (
    borrowing,
    checks,
    file_access,
    jobs,
    mounts,
    secret_variables,
    updates,
    watchdog,
)
from ..stack.data import Reading, kept
from ..stack.model import active_services, migration_services, plain_keys, replicas, unescaped
from . import compose_quirks, hardening, hashes, order

if TYPE_CHECKING:
    from ..records import (
        Compose,
        Definition,
        Draft,
        Entry,
        Extension,
        FileFacts,
        FolderFacts,
        Image,
        MigrationFacts,
        SecretFileFacts,
        Service,
        ServiceFacts,
    )

    # What stands at the top of the file, under ``secrets`` and ``configs``.
    _Top = dict[str, dict[str, Definition]]

MIGRATION_PROFILE = "maestro-migration"
INLINE_MODE = 0o444  # what Compose gives a config whose `content:` stands in the file
# Keys that have no place in a release: its images are built, pulled and chosen already.
_NOT_THE_RELEASE = ("build", "develop", "profiles", "pull_policy")
_NOT_THE_DEPLOYMENT = ("update_config", "rollback_config")
# What YAML 1.2 may read as a number although PyYAML, which reads 1.1, does not: 1e5, 0o17.
_LIKE_A_NUMBER = tuple("0123456789+-.")


@dataclass(frozen=True)
class Wish:
    """What a release is rendered from.

    ``model``: Compose's canonical model, every profile in it. ``images``: reference to
    ``{digest, user, size}``. ``secrets``: name to version. ``files``: relative path to what
    `host.files.File.as_json` says of it.
    """

    stack: str
    model: Compose
    extension: Extension
    images: Mapping[str, Image]
    secrets: Mapping[str, str]
    files: Mapping[str, FileFacts]
    layout: Layout
    profiles: frozenset[str] = frozenset()
    # Services whose file says `read_only: false`, which Compose's reading leaves out.
    writable: frozenset[str] = frozenset()


@dataclass
class Rendered:
    """A release as it will stand on a host."""

    compose: Compose
    services: dict[str, ServiceFacts]
    migrations: dict[str, MigrationFacts]
    order: list[list[str]]
    secret_files: list[SecretFileFacts] = field(default_factory=list)
    # Name of a config to the digests of its files, see `host.files.digests`.
    configs: dict[str, list[str]] = field(default_factory=dict)
    config_files: dict[str, dict[str, FileFacts | FolderFacts]] = field(default_factory=dict)
    # Why it cannot be deployed.
    problems: list[MaestroError] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The resolved Compose file as YAML."""
        return yaml.dump(self.compose, Dumper=_Dumper, sort_keys=True, default_flow_style=False)


class _Dumper(yaml.SafeDumper):
    """Writes text so that Compose reads it as text."""

    def text(self, value: str) -> yaml.ScalarNode:
        """Quote what could be taken for a number."""
        style = '"' if value.startswith(_LIKE_A_NUMBER) else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """Write everything out: a reader follows no anchors."""
        return True


_Dumper.add_representer(str, _Dumper.text)


def render(wish: Wish) -> Rendered:
    """Render the release; `MaestroError` on an unknown reader of a secret or circular needs."""
    result = draft(wish)
    raise_all(result.problems)
    return result


def draft(wish: Wish) -> Rendered:
    """The release, as far as it can be rendered, and with its ``problems``."""
    wish = replace(wish, model=plain_keys(wish.model))
    active = active_services(wish.model, wish.extension, wish.profiles)
    one_shot = migration_services(wish.extension)
    result = Rendered({}, {}, {}, [active])
    try:
        result.order = order.levels(wish.stack, wish.model, active)
    except MaestroError as problem:
        result.problems.append(problem)
    top: _Top = {"secrets": {}, "configs": {}}
    rendered: dict[str, Service] = {}
    facts_of = _Facts.of(wish, active)
    result.problems += jobs.problems(wish.stack, wish.model, wish.extension)
    for name in [*active, *one_shot]:
        service = _service(wish, name, set(active), result, top)
        if name in one_shot:
            service["profiles"] = [MIGRATION_PROFILE]
        digest = hashes.of({**service, "definitions": hashes.definitions(service, wish.model)})
        service.setdefault("labels", {})[HASH_LABEL] = digest
        rendered[name] = service
        facts = facts_of(name, service, digest)
        if name in one_shot:
            result.migrations[name] = facts
        else:
            result.services[name] = facts
    result.compose = {
        "name": wish.stack,
        "services": rendered,
        **{key: value for key, value in top.items() if value},
        **{
            key: used
            for key in ("networks", "volumes")
            if (used := hashes.used(wish.model, rendered.values(), key))
        },
    }
    return result


@dataclass(frozen=True)
class _Facts:
    """What a manifest says of each service besides its definition."""

    wish: Wish
    routed: set[str]
    lenders: Mapping[str, str]
    done: Mapping[str, Job]
    asked: set[str]
    reading: Reading

    @classmethod
    def of(cls, wish: Wish, active: Sequence[str]) -> _Facts:
        routed = {str(route["service"]) for route in wish.extension.get("routes") or []}
        return cls(
            wish,
            routed,
            borrowing.lenders({name: wish.model["services"][name] for name in active}),
            jobs.found(wish.model, wish.extension, active),
            checks.unchecked(wish.model, wish.extension, wish.images, active) & routed,
            # Compose's reading has `$$` for `$`; a host has the real paths and names.
            Reading(unescaped(wish.model), wish.images, wish.extension),
        )

    def __call__(self, name: str, service: Service, digest: str) -> ServiceFacts:
        keeps = kept(name, self.reading)
        found = {
            "image": service["image"],
            "hash": digest,
            "replicas": replicas(service),
            "exchange": updates.rules(
                self.wish.model["services"][name],
                routed=name in self.routed,
                lent=self.lenders.get(name, ""),
                keeps_data=bool(keeps.alone),
            ),
            **borrowing.facts(service),
            **jobs.facts(self.done, name),
            **hardening.facts(service),
            **keeps.as_facts(),
            **watchdog.facts(self.wish.extension, name),
        }
        if name in self.asked:
            found["ask"] = True
        return cast("ServiceFacts", found)


def _service(wish: Wish, name: str, active: set[str], result: Rendered, top: _Top) -> Draft:
    service = copy.deepcopy(dict(wish.model["services"][name]))
    reference = str(service["image"])
    image = wish.images[reference]
    for key in _NOT_THE_RELEASE:
        service.pop(key, None)
    # How containers are exchanged shapes none of them: the manifest records it.
    for key in _NOT_THE_DEPLOYMENT:
        (service.get("deploy") or {}).pop(key, None)
    _leave_open(service)
    compose_quirks.mend(service)
    if hardening.chosen(wish.extension, name):
        hardening.harden(service, writable=name in wish.writable)
    service["image"] = pinned(reference, image)
    needs = {
        other: condition
        for other, condition in (service.pop("depends_on", None) or {}).items()
        if other in active
    }
    if needs:
        service["depends_on"] = needs
    try:
        _carry(wish, service, result, top)
    except MaestroError as problem:
        result.problems.append(problem)
    for key, pointed in (("secrets", _secret), ("configs", _config)):
        found = []
        for item in service.get(key) or []:
            try:
                found.append(pointed(wish, name, item, result, top))
            except MaestroError as problem:
                result.problems.append(problem)
        if found:
            service[key] = found
    return {key: value for key, value in service.items() if value is not None}


def _leave_open(service: Draft) -> None:
    """Let what has no value have none: Compose would fill it in from its own environment."""
    environment = service.get("environment")
    for name in SURROUNDINGS:
        if isinstance(environment, dict) and environment.get(name, "") is None:
            del environment[name]


def _carry(wish: Wish, service: Draft, result: Rendered, top: _Top) -> None:
    """Let a host fill in the secrets that stand in a service's environment."""
    environment = service.get("environment")
    if not isinstance(environment, dict):
        return
    for name, value in environment.items():
        for found in secret_variables.MARK.finditer(str(value or "")):
            file = secret_files.SecretFile(found[1], _version(wish, found[1]), 0)
            _need(file, wish, result, top)
            reference = carried.reference(file.path)
            environment[name] = environment[name].replace(found[0], reference)


def _need(file: secret_files.SecretFile, wish: Wish, result: Rendered, top: _Top) -> None:
    top["secrets"][file.source] = {"file": str(wish.layout.secrets / file.path)}
    wanted = file.as_json()
    if wanted not in result.secret_files:
        result.secret_files.append(wanted)


def _version(wish: Wish, name: str) -> str:
    if name not in wish.secrets:
        raise MaestroError(
            f"the secret {name} is not read by a service of the stack's own Compose files",
            where=f"{wish.stack}/compose.yaml: secrets.{name}",
            fix="list it in the service itself, not in a file that is included or extended",
        )
    return wish.secrets[name]


def _secret(
    wish: Wish,
    reader: str,
    item: Entry,
    result: Rendered,
    top: _Top,
) -> Entry:
    """Point one secret of a service at the file of its version for this reader."""
    name = str(item["source"])
    version = _version(wish, name)
    said = file_access.said(item, f"{wish.stack}/compose.yaml: services.{reader}.secrets.{name}")
    file = secret_files.SecretFile(
        name,
        version,
        _uid(wish, reader) if said.uid is None else said.uid,
        gid=said.gid,
        mode=said.mode,
        host=of_host(wish.model["services"][reader]),
    )
    _need(file, wish, result, top)
    # No uid, gid or mode: Compose ignores them, the file itself has the right ones.
    return {"source": file.source, "target": str(item.get("target") or name)}


def _uid(wish: Wish, name: str) -> int:
    """The uid a service runs as; `MaestroError` where only its image knows."""
    service = wish.model["services"][name]
    image_user = str(wish.images[str(service["image"])].get("user", ""))
    owners = wish.extension.get("secret_owners") or {}
    for said in (service.get("user"), owners.get(name), image_user or "0"):
        if said is None:
            continue
        first = str(said).partition(":")[0]
        if first.isdigit():
            return int(first)
        if name not in owners:
            break
    raise MaestroError(
        f"reads secrets as user {service.get('user') or image_user!r}, whose uid is not known",
        where=f"{wish.stack}/compose.yaml: services.{name}",
        fix=f'set `user: "UID:GID"` in the service, or x-maestro.secret_owners.{name}: UID',
    )


def _config(wish: Wish, name: str, item: Entry, result: Rendered, top: _Top) -> Entry:
    """Point one config of a service at the file of its content, mode and owner.

    So a changed one is a new one. Compose mounts the file as it lies there, whatever uid, gid
    and mode are said: the file itself has them.
    """
    source = str(item["source"])
    place = f"{wish.stack}/compose.yaml: services.{name}.configs.{source}"
    base = _config_file(wish, source, (wish.model.get("configs") or {}).get(source) or {})
    said = file_access.said(item, place)
    file: File | Folder
    if isinstance(base, Folder):
        file = Folder({path: _for(wish, name, one, said) for path, one in base.content.items()})
    else:
        file = _for(wish, name, base, said)
    if file.digest not in result.configs.setdefault(source, []):
        result.configs[source] = sorted([*result.configs[source], file.digest])
        result.config_files.setdefault(source, {})[file.digest] = file.as_json()
    versioned = f"{source}-{file.digest}"
    top["configs"][versioned] = {"file": str(wish.layout.configs / source / file.digest)}
    return {"source": versioned, "target": str(item.get("target") or f"/{source}")}


def _for(wish: Wish, name: str, base: File, said: file_access.Said) -> File:
    """A file with the mode and owner under which a service reads it."""
    mode = base.mode if said.mode is None else said.mode
    uid = said.uid
    if uid is None:
        # What only its owner may read (or run) is for the user who reads it here.
        uid = 0 if for_all(mode) else _reader(wish, name)
    gid = uid if said.gid is None and not for_all(mode) else said.gid or 0
    # What everybody may read needs no owner.
    host = of_host(wish.model["services"][name]) and bool(uid or not for_all(mode))
    return File(base.content, mode, uid, gid, host=host)


def _reader(wish: Wish, name: str) -> int:
    """The uid a service runs as; root where only the image knows the name."""
    try:
        return _uid(wish, name)
    except MaestroError:
        return 0


def _config_file(wish: Wish, name: str, config: Definition) -> File | Folder:
    found_there = mounts.content(str(config.get("file", "")), wish.files)
    if found_there:
        return found_there
    if "content" in config:
        # Compose writes it into the container so: readable for everybody, root's.
        return File(str(unescaped(config["content"])).encode(), INLINE_MODE)
    found = next((key for key in ("file", "environment", "external") if key in config), "nothing")
    raise MaestroError(
        f"the text of the config {name} is not known: found {found}",
        where=f"{wish.stack}/compose.yaml: configs.{name}",
        fix="allowed: `file:` with a path below the stack's directory, or `content:`",
    )
