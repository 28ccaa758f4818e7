"""The state of a host, read in one call before anything is decided."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import (
    accounts,
    borrowed,
    built,
    compose,
    edge,
    files,
    gpus,
    jobs,
    lease,
    limits,
    links,
    neighbours,
    ports,
    reading,
    recovery,
    resources,
    secrets,
    strangers,
    userns,
)
from .containers import of_stack
from .engine import Engine, Gone
from .holds import behind, dump, nameless, now, of_others
from .labels import HASH_LABEL, SERVICE
from .layout import AGENT, Layout
from .login import Login
from .reading import Reading
from .reference import Reference, pinned

if TYPE_CHECKING:
    from ..records import Container, EngineFacts, Image, Manifest, State
    from .insecure import Lenient

# What stands for the stack's own directory in paths, wherever its files lie.
STACK_DIRECTORY = "."


@dataclass(frozen=True)
class Request:
    """What the controller asks about: the stack's files and what they are read with.

    ``version`` empty means the version this host runs. ``resolve`` names the one
    host that asks the registry; all other hosts run the digests it got.
    """

    stack: str
    root: str
    files: Mapping[str, Mapping[str, Any]]
    compose_files: list[str]
    version: str
    variables: Mapping[str, str]
    resolve: bool
    login: Login | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_files: tuple[str, ...] = ()  # where it is not `.env` alone
    signed_by: tuple[str, ...] = ()  # public keys, one of which must have signed each image
    verified: Mapping[str, Image] = field(default_factory=dict)  # what is promoted, by reference


def read(request: Request, engine: Engine | None = None) -> State:
    """Everything the plan is decided on; nothing on the host is changed."""
    engine = engine or Engine()
    layout = Layout(Path(request.root), request.stack)
    current = layout.current_id()
    manifest = layout.manifest(current) if current else {}
    version = request.version or str(manifest.get("version", ""))
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(_read, request, version, layout, current)
        info = engine.info()
        volumes = engine.volumes()
        everyone = behind(engine.containers(), volumes)
        there = of_stack(engine, request.stack, everyone)
        containers = facts_of(engine, there, layout)
        local = engine.repo_digests()
        known, problem = asked.result()
        resolved, refused = _resolve(request, known.model, manifest, info)
        return {
            "release": {"id": current, **manifest} if current else {},
            "compose": layout.compose_text(current) if current else "",
            "version": version,
            "model": known.model,
            "model_problem": problem,
            "reading": known.key,
            "resolved": _with_volumes(engine, resolved),
            "refused": refused,
            "containers": containers,
            "done": jobs.remembered(layout),
            "images": sorted(local),
            "others": of_others(everyone, request.stack),
            "resources": resources.read(engine, everyone, volumes).as_dict(),
            "ports": ports.of_others(everyone, request.stack),
            "absent": ports.absent(known.model),
            "edge": edge.look(layout),
            "neighbours": neighbours.read(layout),
            "accounts": accounts.read(),
            "userns": userns.read(info).as_json(),
            "paths": links.real(known.model),
            "missing": links.missing(known.model),
            "lease": lease.describe(layout),
            "recovery": recovery.describe(layout),
            "agent": checksum(AGENT),
            "secrets": _versions(layout, manifest, request.secrets),
            "engine": _engine(info, known.compose, Path(request.root)),
        }


def _versions(layout: Layout, manifest: Manifest, secrets_of: Mapping[str, str]) -> dict[str, str]:
    """The version of each secret's value; empty for one that is new to the host."""
    known = manifest.get("secrets", {})
    return {
        name: secrets.version_of(layout, name, value, str(known.get(name, "")))
        for name, value in secrets_of.items()
    }


def _engine(info: Mapping[str, Any], composes: str, root: Path) -> EngineFacts:
    """The Engine, from what it says of itself; ``composes`` is the version of Compose."""
    data = Path(str(info.get("DockerRootDir") or "/var/lib/docker"))
    return {
        "version": str(info.get("ServerVersion", "")),
        "compose": composes,
        "memory": int(info.get("MemTotal", 0)),
        "cpus": int(info.get("NCPU", 0)),
        "data": str(data),
        "free": _free(data),
        "root_free": _free(root),
        **limits.of_engine(info),
        "gpus": gpus.of_engine(info),
    }


def _read(request: Request, version: str, layout: Layout, current: str) -> tuple[Reading, str]:
    """What Compose makes of the stack, and its complaint where it cannot read it."""
    variables = {**request.variables, "VERSION": version}
    read_with = [*request.compose_files, *request.env_files]
    key = reading.key(request.stack, request.files, read_with, variables)
    kept = reading.kept(layout, current, key)
    if kept:
        return kept, ""
    with ThreadPoolExecutor() as pool:
        found = pool.submit(compose.version)
        model, problem = _model(request, variables)
        return Reading(key, found.result(), model), problem


def _model(request: Request, variables: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Compose's own reading of the stack, or its complaint."""
    directory = Path(tempfile.mkdtemp(prefix="maestro-", dir="/run"))
    try:
        files.unpack(directory, request.files)
        found = compose.canonical(
            directory, request.compose_files, request.stack, variables, request.env_files
        )
    except MaestroError as error:
        return {}, str(error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    services = found.get("services") or {}
    built.named(services, request.stack, variables)
    for service in services.values():
        # No release builds anything, and a token may be among them.
        if isinstance(service.get("build"), dict):
            service["build"].pop("args", None)
    relative: dict[str, Any] = _relative(found, str(directory))
    return relative, ""


def _relative(value: Any, directory: str) -> Any:
    """Replace the passing directory by ``.``, so that the reading is the same each time."""
    if isinstance(value, dict):
        return {key: _relative(item, directory) for key, item in value.items()}
    if isinstance(value, list):
        return [_relative(item, directory) for item in value]
    if isinstance(value, str) and (value == directory or value.startswith(directory + "/")):
        return STACK_DIRECTORY + value[len(directory) :]
    return value


def _resolve(
    request: Request,
    model: Mapping[str, Any],
    manifest: Manifest,
    info: Mapping[str, Any],
) -> tuple[dict[str, Image], dict[str, str]]:
    """Digest of every image of the stack, and what the registry refused.

    Without a wanted version the running release stays what it is: its own
    digests count, and only an image it does not know is asked for. So it is with what is
    promoted, whatever a tag names by now, unless its signatures have to be seen. ``info`` is what
    the Engine says of itself.
    """
    known = {} if request.version else dict(manifest.get("images", {}))
    known |= {} if request.signed_by else request.verified
    references = {
        str(service["image"])
        for service in model.get("services", {}).values()
        if "image" in service
    }
    resolved = {reference: known[reference] for reference in references if reference in known}
    missing = sorted(references - set(resolved))
    if not request.resolve or not missing:
        return resolved, {}
    clients, refused = _clients(missing, request.login, info.get("RegistryConfig") or {})

    def ask(reference: str) -> tuple[str, Image | None, str]:
        try:
            client = clients[Reference.parse(reference).registry]
            image = _known(client, reference)
            _signed(client, reference, image, request.signed_by)
        except MaestroError as error:
            return reference, None, str(error)
        return reference, image, ""

    with ThreadPoolExecutor() as pool:
        asked = [reference for reference in missing if reference not in refused]
        for reference, answer, problem in pool.map(ask, asked):
            if answer is None:
                refused[reference] = problem
            else:
                resolved[reference] = answer
    return resolved, refused


def _clients(
    references: Iterable[str], login: Login | None, registries: Mapping[str, Any]
) -> tuple[dict[str, Lenient], dict[str, str]]:
    """A client for each registry of some images, and which references none can be."""
    # Few hosts ask, and what this loads takes a while.
    from . import registry  # noqa: PLC0415
    from .insecure import Lenient  # noqa: PLC0415

    refused = {}
    clients: dict[str, Lenient] = {}
    for reference in references:
        try:
            host = Reference.checked(reference).registry
        except MaestroError as error:
            refused[reference] = str(error)
            continue
        mine = login if _owns(login, host) else None
        clients.setdefault(host, Lenient(registry.Registry(host, mine), registries))
    return clients, refused


def _known(client: Lenient, reference: str) -> Image:
    """What a registry says of an image."""
    image = client.resolve(reference)
    return {
        "digest": image.digest,
        "user": image.user,
        "size": image.size,
        "checked": image.checked,
        "volumes": list(image.volumes),
    }


def _signed(client: Lenient, reference: str, image: Image, keys: tuple[str, ...]) -> None:
    if keys:
        from . import signed  # noqa: PLC0415 -- few environments ask for it

        signed.check(client, reference, image["digest"], keys)


def _with_volumes(engine: Engine, resolved: Mapping[str, Image]) -> dict[str, Image]:
    """The same, with the volumes of images that an older manifest recorded without them."""
    found = {}
    for reference, image in resolved.items():
        found[reference] = image.copy()
        if "volumes" not in image:
            config = engine.image(pinned(reference, image)).get("Config") or {}
            found[reference]["volumes"] = sorted(config.get("Volumes") or {})
    return found


def _owns(login: Login | None, host: str) -> bool:
    return login is not None and login.registry == host


def facts_of(
    engine: Engine, listing: Iterable[Mapping[str, Any]], layout: Layout | None = None
) -> list[Container]:
    """What a plan is decided on, of each container of a listing that is still there."""
    found = []
    for summary in listing:
        with contextlib.suppress(Gone):
            found.append(_facts(engine, summary, layout))
    return found


def _facts(engine: Engine, summary: Mapping[str, Any], layout: Layout | None) -> Container:
    detail = engine.inspect(str(summary["Id"]))
    state = detail["State"]
    foreign = strangers.facts(layout, summary, detail) if layout else None
    found: Container = {
        "id": detail["Id"],
        "name": str(detail["Name"]).lstrip("/"),
        "service": summary["Labels"].get(SERVICE, ""),
        "image": detail["Config"]["Image"],
        "hash": "" if foreign else summary["Labels"].get(HASH_LABEL, ""),
        "status": state["Status"],
        "health": state.get("Health", {}).get("Status", "none"),
        "started": state["StartedAt"],
        "shares": borrowed.shares(detail),
        "networks": sorted((detail.get("NetworkSettings") or {}).get("Networks") or {}),
        "exit_code": int(state.get("ExitCode") or 0),
        "restarts": int(detail.get("RestartCount") or 0),
        "holds": dump(now(summary, detail)),
        "nameless": nameless(summary),
    }
    if foreign:
        found["foreign"] = foreign
    return found


def checksum(path: Path) -> str:
    """SHA-256 of a file in hex; empty without one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _free(path: Path) -> int:
    """Free bytes of the file system that holds ``path``, or will hold it."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
