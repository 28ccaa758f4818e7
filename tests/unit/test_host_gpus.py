"""Whether a host's Engine has a driver for GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maestro.host import gpus


@pytest.mark.parametrize(
    ("info", "there"),
    [
        ({}, False),
        ({"Runtimes": {"runc": {}, "io.containerd.runc.v2": {}}}, False),
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, True),
        ({"Runtimes": {"nvidia-cdi": {}}}, True),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, True),
    ],
)
def test_what_the_engine_says(info: dict[str, Any], there: bool, tmp_path: Path) -> None:
    assert gpus.of_engine({"CDISpecDirs": [str(tmp_path)], **info}) is there


def test_what_lies_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia.yaml").touch()
    assert gpus.of_engine({"CDISpecDirs": [str(tmp_path / "none"), str(tmp_path)]})
    (tmp_path / gpus.HOOK).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.of_engine({"CDISpecDirs": [str(tmp_path / "none")]})
