"""Paths of a host that services mount and that nobody makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.host import links
from maestro.plan import host_mounts

BIND = {"type": "bind", "source": "/srv/data", "target": "/data"}
OLD, NEW = "2.40.3", "2.50.0"


def made(made: bool) -> dict[str, Any]:
    return {**BIND, "bind": {"create_host_path": made}}


@pytest.mark.parametrize(
    ("mount", "version", "missing", "where"),
    [
        (BIND, OLD, True, "services.web.volumes[0]"),
        (BIND, OLD, False, ""),
        (BIND, NEW, True, ""),
        (made(True), OLD, True, ""),
        (made(False), NEW, True, "services.web.volumes[0]"),
        (
            {"type": "volume", "source": "disk", "target": "/data"},
            NEW,
            True,
            "volumes.disk.driver_opts.device",
        ),
        ({"type": "volume", "source": "plain", "target": "/data"}, NEW, True, ""),
        ({"type": "tmpfs", "target": "/data"}, OLD, True, ""),
    ],
)
def test_a_path_must_be_there(
    mount: dict[str, Any], version: str, missing: bool, where: str
) -> None:
    disk = {"driver_opts": {"type": "none", "o": "bind", "device": "/srv/data"}}
    compose = {"services": {"web": {"volumes": [mount]}}, "volumes": {"disk": disk, "plain": {}}}
    lost = ["/srv/data"] if missing else []
    found = [
        problem.where for problem in host_mounts.problems("h", ["web"], compose, lost, version)
    ]
    assert found == ([f"h: {where}"] if where else [])
    assert not list(host_mounts.problems("h", [], compose, lost, version)), "nothing is started"


def test_what_is_missing_on_a_host(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    sources = [str(tmp_path / name) for name in ("there", "gone")]
    volumes = [{"type": "bind", "source": source, "target": "/data"} for source in sources]
    assert links.missing({"services": {"web": {"volumes": volumes}}}) == sources[1:]
