"""What runs where, as a table an operator reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

HEADINGS = ("host", "service", "state", "health", "since", "image", "as released")


def table(stack: str, states: Mapping[str, Mapping[str, Any]], urls: Mapping[str, str]) -> str:
    """One line per container and a line per host that says which release serves.

    ``states`` are answers of `host.state.read`; ``urls`` where a host is reached, if known.
    """
    parts = []
    for host, state in states.items():
        manifest = state["release"]
        if not manifest:
            parts.append(f"{host}: {stack} has not been deployed")
            continue
        url = f", {urls[host]}" if urls.get(host) else ""
        parts.append(
            f"{host}: {stack} {manifest['version']}, release {manifest['id']} of "
            f"{manifest['created']} by {manifest['by']}{url}"
        )
    rows = [row for host, state in states.items() for row in _rows(host, state)]
    if rows:
        parts += ["", *_columns([HEADINGS, *rows])]
    return "\n".join(parts)


def _rows(host: str, state: Mapping[str, Any]) -> list[tuple[str, ...]]:
    manifest = state["release"]
    tags = {
        image["digest"]: reference.rpartition("/")[2]
        for reference, image in manifest.get("images", {}).items()
    }
    released = manifest.get("services", {})
    rows = []
    for item in sorted(state["containers"], key=lambda item: str(item["service"])):
        digest = str(item["image"]).rpartition("@")[2]
        wanted = released.get(item["service"], {}).get("hash")
        rows.append(
            (
                host,
                str(item["service"]),
                str(item["status"]),
                str(item["health"]),
                _since(str(item["started"])),
                f"{tags.get(digest, '?')} {digest[:19]}",
                "yes" if item["hash"] == wanted else "no: drifted",
            )
        )
    missing = sorted(set(released) - {str(item["service"]) for item in state["containers"]})
    return [*rows, *((host, name, "missing", "", "", "", "no: drifted") for name in missing)]


def _since(started: str) -> str:
    """How long ago a container started, roughly."""
    seconds = (
        datetime.now(UTC) - datetime.fromisoformat(started[:19]).replace(tzinfo=UTC)
    ).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
