"""Keys that an older Compose takes and does nothing with: the plan says so."""

from __future__ import annotations

from typing import Any

import pytest

from maestro.plan import ignored_keys

SERVICES: dict[str, dict[str, Any]] = {
    "web": {
        "post_start": [{"command": ["warm"]}],
        "networks": {"front": {"driver_opts": {"a": "b"}}, "back": None},
        "volumes": [
            {"type": "bind", "target": "/x", "bind": {"recursive": "disabled"}},
            {"type": "volume", "source": "data", "target": "/data"},
        ],
    },
    "kept": {"post_start": [{"command": ["warm"]}]},
}


@pytest.mark.parametrize(
    ("compose", "keys"),
    [
        ("2.26.1", ["post_start", "networks.front.driver_opts", "volumes (/x): bind.recursive"]),
        ("2.28.0", ["post_start"]),
        ("2.30.0", []),
        ("2.40.3", []),
        ("5.0", []),
        ("", []),
    ],
)
def test_what_does_nothing_is_said(compose: str, keys: list[str]) -> None:
    found = ignored_keys.warnings(SERVICES, ["web"], compose)
    assert [line.partition(" does nothing")[0] for line in found] == [
        f"services.web.{key}" for key in keys
    ]
    assert all(f"this host has Compose {compose}, and 2." in line for line in found)
