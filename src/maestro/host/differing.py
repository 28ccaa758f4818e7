"""How many services of a stack run otherwise than its release says: counted, for an alert.

`playbooks/status.yml` says what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from .exposition import GAUGE, Samples, family
from .labels import HASH_LABEL, ONE_OFF, PROJECT, SERVICE
from .layout import deployed


def render(root: Path, there: Sequence[Mapping[str, Any]]) -> str:
    """``there``: the running containers of the Engine's list."""
    text = "Services that differ from the release, or have no container."
    return family("maestro_drift", GAUGE, text, _counts(root, there))


def _counts(root: Path, there: Sequence[Mapping[str, Any]]) -> Samples:
    for layout in deployed(root):
        ours = [item for item in there if _label(item, PROJECT) == layout.stack]
        try:
            manifest = layout.manifest(layout.current_id())
        except (MaestroError, OSError):
            continue
        names = set(differing(manifest.get("services") or {}, ours))
        yield {"stack": layout.stack}, float(len(names))


def differing(
    services: Mapping[str, Mapping[str, Any]], ours: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Names of services; a job has no container when it is done."""
    running = [item for item in ours if _label(item, ONE_OFF) != "True"]
    for item in running:
        name = _label(item, SERVICE)
        if _label(item, HASH_LABEL) != services.get(name, {}).get("hash"):
            yield name
    found = {_label(item, SERVICE) for item in running}
    for name, facts in services.items():
        if name not in found and "job" not in facts:
            yield name


def _label(item: Mapping[str, Any], name: str) -> str:
    return str((item.get("Labels") or {}).get(name, ""))
