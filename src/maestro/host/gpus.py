"""Whether a host's Engine can hand a GPU to a container at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# The Engine offers its driver where this program is in its PATH (daemon/nvidia_linux.go).
HOOK = "nvidia-container-runtime-hook"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RUNTIMES = ("nvidia", "amd")
# https://github.com/cncf-tags/container-device-interface: where devices are described.
_CDI = ("/etc/cdi", "/var/run/cdi")


def of_engine(info: Mapping[str, Any]) -> bool:
    """Whether anything of a driver for GPUs is there; ``info`` is the Engine's own."""
    runtimes = info.get("Runtimes") or {}
    if any(name.startswith(_RUNTIMES) for name in runtimes) or info.get("DiscoveredDevices"):
        return True
    if shutil.which(HOOK, path=os.pathsep.join([_PATH, os.environ.get("PATH", "")])):
        return True
    return any(
        file.suffix in (".json", ".yaml")
        for directory in info.get("CDISpecDirs") or _CDI
        for file in Path(directory).glob("*")
    )
