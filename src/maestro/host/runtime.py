"""How a container is closed off: what the checks of `maestro.report.cis` are decided on.

Read only where somebody asks for it: nothing of this is needed for a deploy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .engine import Engine

if TYPE_CHECKING:
    from ..records import Runtime

PROC = Path("/proc")
_OF_HOST = (
    *("Privileged", "CapAdd", "NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode"),
    *("Memory", "CpuShares", "NanoCpus", "CpuQuota", "ReadonlyRootfs", "RestartPolicy"),
    *("Devices", "Ulimits", "SecurityOpt", "CgroupParent", "PidsLimit"),
)


class Looker:
    """Reads containers of one host; what is the same for all of them once."""

    def __init__(self, engine: Engine, proc: Path = PROC) -> None:
        self._engine = engine
        self._proc = proc
        info = engine.info()
        options = " ".join(map(str, info.get("SecurityOptions") or []))
        self._of_host = {
            "swarm": str((info.get("Swarm") or {}).get("LocalNodeState") or "inactive"),
            "apparmor": "name=apparmor" in options,
            "selinux": "name=selinux" in options,
            **({"userns": True} if "name=userns" in options else {}),
        }
        self._doors = list(self._sshds())

    def facts(self, container: str) -> Runtime:
        """One container: ``inspect``, ``kernel`` and ``host``; no value of its environment.

        ``kernel`` is empty for one that does not run: what its main process is held to
        (``NoNewPrivs``, ``Seccomp``), whoever said so.
        """
        detail = self._engine.inspect(container)
        state = detail.get("State") or {}
        process = int(state.get("Pid") or 0)
        return {
            "inspect": {
                **{key: detail["HostConfig"].get(key) for key in _OF_HOST},
                "AppArmorProfile": str(detail.get("AppArmorProfile") or ""),
                "ProcessLabel": str(detail.get("ProcessLabel") or ""),
                "Health": (state.get("Health") or {}).get("Status", ""),
                "Mounts": [
                    {key: mount.get(key) for key in ("Type", "Source", "RW", "Propagation")}
                    for mount in detail.get("Mounts") or []
                ],
                "Ports": _published(detail),
            },
            "kernel": self._status(process) if process else {},
            "sshd": any(str(detail["Id"]) in groups for groups in self._doors),
            "host": self._of_host,
        }

    def _status(self, process: int) -> dict[str, int]:
        """https://man7.org/linux/man-pages/man5/proc_pid_status.5.html."""
        try:
            text = (self._proc / str(process) / "status").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return {}
        pairs = (line.partition(":") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if name in ("NoNewPrivs", "Seccomp")}

    def _sshds(self) -> Iterable[str]:
        """The control groups of each sshd on the host: a container's have its id."""
        for path in self._proc.glob("[0-9]*/comm"):
            try:
                if path.read_text(encoding="utf-8").strip() == "sshd":
                    yield (path.parent / "cgroup").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def _published(detail: Mapping[str, Any]) -> list[list[str]]:
    """Address and port on the host of each published port."""
    ports = (detail.get("NetworkSettings") or {}).get("Ports") or {}
    return [
        [str(item.get("HostIp") or ""), str(item.get("HostPort") or "")]
        for bound in ports.values()
        for item in bound or []
    ]
