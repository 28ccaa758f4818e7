"""The release on a host: staged beside the old one, committed in one step, or discarded."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import carried, compose, files, folder, naming, reading, secrets
from .engine import Engine
from .labels import PROJECT
from .layout import Layout, point, write_atomically
from .userns import OFF, Remap

if TYPE_CHECKING:
    from ..records import Manifest

COMPOSE_MODE = 0o600
MANIFEST_MODE = 0o640


def stage(
    layout: Layout,
    release: str,
    text: str,
    configs: Mapping[str, Mapping[str, Mapping[str, Any]]],
    read: Mapping[str, Any] | None = None,
    remap: Remap = OFF,
) -> None:
    """Write the resolved Compose file and its configuration files; nothing uses them yet.

    ``configs`` is ``{name: {digest: file}}`` (`files.File.as_json`): a file is named by its
    content and never rewritten. ``read`` is the `reading.Reading` it was made from, ``remap``
    what the Engine makes of its readers' users.
    """
    for name, versions in configs.items():
        for digest, found in versions.items():
            path = layout.configs / files.checked_name(name) / files.checked_name(digest)
            if not path.exists():
                folder.from_json(found).write(path, remap)
    # A variable may hold what only root shall read: an earlier version wrote it for everybody.
    for path in layout.releases.glob("*/compose.yaml"):
        path.chmod(COMPOSE_MODE)
    write_atomically(layout.compose_file(release), text, COMPOSE_MODE)
    reading.keep(layout, release, read or {})
    argv = compose.arguments(layout.stack, layout.compose_file(release), "config", "--quiet")
    # Secrets come after this: something stands for their values.
    env = {**compose.surroundings(), **carried.stand_ins(text)}
    result = compose.run(argv, env=env)
    if result.returncode != 0:
        discard(layout, release)
        raise MaestroError(
            f"Compose refuses the resolved file: {result.stderr.strip()}",
            where=str(layout.compose_file(release)),
            fix="this is a bug in Maestro; nothing was changed, the old release keeps running",
        )


def commit(layout: Layout, release: str, manifest: Manifest) -> None:
    """Make a release the current one; one that was committed before keeps its manifest."""
    path = layout.release(release) / "release.json"
    if not path.exists():
        write_atomically(path, json.dumps(manifest, indent=2, sort_keys=True) + "\n", MANIFEST_MODE)
    point(layout.current, layout.release(release))


def discard(layout: Layout, release: str) -> None:
    """Remove a staged release and the secret versions only it would have used."""
    # One whose manifest is lost may serve all the same.
    if release and release not in (layout.current_id(), layout.linked_id()):
        shutil.rmtree(layout.release(release), ignore_errors=True)
        secrets.discard_version(layout, release)
        _prune_configs(layout, committed(layout), _mounted(layout))


def sweep(layout: Layout) -> None:
    """Discard every release that was staged and never committed."""
    if layout.releases.is_dir():
        for path in sorted(layout.releases.iterdir()):
            if naming.PART.match(path.name) and not (path / "release.json").exists():
                discard(layout, path.name)


def prune(layout: Layout, keep: int) -> list[str]:
    """Keep the current release and ``keep`` - 1 others, with all they need.

    The one it replaced comes first, however old it is, then the newest. Returns the ids of the
    releases that were dropped.
    """
    current = layout.current_id()
    there = committed(layout)
    before = there.get(current, {}).get("previous")
    others = [release for release in there if release != current]
    others.sort(key=lambda release: (release == before, release), reverse=True)
    dropped = others[max(keep - 1, 0) :]
    gone = {digest for release in dropped for digest in _digests(layout.manifest(release))}
    for release in dropped:
        shutil.rmtree(layout.release(release), ignore_errors=True)
    kept = committed(layout)
    secrets.prune(layout, _used_secrets(kept))
    _prune_configs(layout, kept)
    still = {digest for manifest in kept.values() for digest in _digests(manifest)}
    _remove_images(gone - still)
    return dropped


def committed(layout: Layout) -> dict[str, Manifest]:
    """Manifest of every committed release on this host, by id."""
    if not layout.releases.is_dir():
        return {}
    found = {}
    for path in layout.releases.iterdir():
        # A damaged one can be gone back to by nobody, and must not keep others from going in.
        with contextlib.suppress(MaestroError):
            found[path.name] = layout.manifest(path.name)
    return {release: manifest for release, manifest in found.items() if manifest}


def _used_secrets(kept: Mapping[str, Manifest]) -> set[tuple[str, str]]:
    """Names and versions that kept releases need; a rotation ends all older versions.

    A release that needed one of those can be gone back to with the newest in its place.
    """
    used = {
        (name, version)
        for manifest in kept.values()
        for name, version in manifest.get("secrets", {}).items()
    }
    ended = {
        (name, version)
        for release, manifest in kept.items()
        for name, version in used
        if name in manifest.get("rotated", ())
        and version < release
        and version != manifest["secrets"].get(name)
    }
    return used - ended


def references(layout: Layout, release: str) -> set[str]:
    """``NAME@DIGEST`` of every image a release names, migrations too; staged ones as well."""
    try:
        text = layout.compose_file(release).read_text(encoding="utf-8")
    except OSError:
        return set()
    # A host has no reader of YAML; the file is our own, two levels deep with two spaces each.
    return set(re.findall(r"^    image: \"?([^\s\"]+@[^\s\"]+)\"?$", text, re.MULTILINE))


def _digests(manifest: Manifest) -> set[str]:
    return {str(service["image"]) for service in manifest.get("services", {}).values()}


def _prune_configs(
    layout: Layout, kept: Mapping[str, Manifest], mounted: frozenset[str] = frozenset()
) -> None:
    used = {
        pair for manifest in kept.values() for pair in files.digests(manifest.get("configs", {}))
    }
    for path in sorted(layout.configs.glob("*/*")):
        if (path.parent.name, path.name) not in used and str(path) not in mounted:
            folder.remove(path)


def _mounted(layout: Layout) -> frozenset[str]:
    """What the stack's containers mount: also those of a release whose record is lost."""
    try:
        there = Engine().containers(f"{PROJECT}={layout.stack}")
    except MaestroError:
        return frozenset()
    return frozenset(
        str(mount.get("Source")) for item in there for mount in item.get("Mounts") or []
    )


def _remove_images(references: set[str]) -> None:
    """Best effort: an image some other stack uses stays, and the Engine says so."""
    engine = Engine()
    for reference in sorted(references):
        with contextlib.suppress(MaestroError):
            engine.request("DELETE", f"/images/{reference}")
