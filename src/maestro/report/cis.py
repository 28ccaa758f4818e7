"""Containers against the CIS Docker Benchmark v1.8.0, section 5, "Container Runtime".

https://www.cisecurity.org/benchmark/docker: numbers and titles are those of the benchmark. What it
asks of people (5.9 needed ports, 5.23 and 5.24 use of `docker exec`, 5.28 newest images) is not
seen in a container and not counted; nor is AppArmor or SELinux where the host has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..records import Runtime

VERSION = "1.8.0"
# What the Engine gives each container: adding one of these adds nothing.
# https://github.com/moby/moby/blob/master/oci/caps/defaults.go
_USUAL = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP "
    "SETGID SETPCAP SETUID SYS_CHROOT".split()
)
_SENSITIVE = ("/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr")
_SOCKETS = ("docker.sock", "containerd.sock")
_ABOVE_SOCKETS = ("/", "/run", "/var", "/var/run")
_RETRIES = 5


@dataclass(frozen=True)
class Look:
    """One container as `host.runtime.Looker.facts` saw it."""

    inspect: Mapping[str, Any]
    kernel: Mapping[str, int]
    host: Mapping[str, Any]
    sshd: bool = False

    @classmethod
    def of(cls, facts: Runtime) -> Look:
        """From the answer of a host."""
        return cls(facts["inspect"], facts["kernel"], facts["host"], bool(facts["sshd"]))

    @property
    def options(self) -> list[str]:
        """``security_opt``, with the one sign for the two that the Engine takes."""
        found = self.inspect.get("SecurityOpt") or []
        return [str(option).replace(":", "=", 1) for option in found]

    @property
    def mounts(self) -> list[tuple[str, bool, str]]:
        """Path on the host, whether it can be written, and how mounts below it travel."""
        return [
            (str(item.get("Source") or ""), bool(item.get("RW")), str(item.get("Propagation")))
            for item in self.inspect.get("Mounts") or []
            if item.get("Type") == "bind"
        ]


@dataclass(frozen=True)
class Check:
    """One recommendation: when a container ``fails`` it, and what to ``write`` then."""

    number: str
    title: str
    fails: Callable[[Look], bool]
    write: str
    applies: Callable[[Look], bool] = lambda look: True  # noqa: ARG005


@dataclass(frozen=True)
class Result:
    """What one container passed and failed, by the numbers of the checks."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]


def judge(look: Look) -> Result:
    """All checks that apply to a container."""
    asked = [check for check in CHECKS if check.applies(look)]
    failed = tuple(check.number for check in asked if check.fails(look))
    return Result(tuple(c.number for c in asked if c.number not in failed), failed)


def _mode(key: str) -> Callable[[Look], bool]:
    return lambda look: look.inspect.get(key) == "host"


def _nothing(*keys: str) -> Callable[[Look], bool]:
    """Whether no limit is set: 0 or nothing, and -1 where that means without end."""
    return lambda look: not any(float(look.inspect.get(key) or 0) > 0 for key in keys)


def _capabilities(look: Look) -> bool:
    added = {str(name).upper().removeprefix("CAP_") for name in look.inspect.get("CapAdd") or []}
    return bool(added - _USUAL) or bool(look.inspect.get("Privileged"))


def _sensitive(look: Look) -> bool:
    return any(
        written and (source == "/" or f"{source}/".startswith(tuple(f"{d}/" for d in _SENSITIVE)))
        for source, written, _ in look.mounts
    )


def _socket(look: Look) -> bool:
    return any(
        source.rpartition("/")[2] in _SOCKETS or source in _ABOVE_SOCKETS
        for source, _, _ in look.mounts
    )


def _low_port(look: Look) -> bool:
    return any(port.isdigit() and int(port) < 1024 for _, port in look.inspect["Ports"])


def _everywhere(look: Look) -> bool:
    return any(address in ("", "0.0.0.0", "::") for address, _ in look.inspect["Ports"])  # noqa: S104


def _restarts(look: Look) -> bool:
    policy = look.inspect.get("RestartPolicy") or {}
    name = str(policy.get("Name") or "no")
    tries = int(policy.get("MaximumRetryCount") or 0)
    return name != "no" and not (name == "on-failure" and 0 < tries <= _RETRIES)


def _no_end(look: Look) -> bool:
    return any(
        int(limit.get("Soft") or 0) < 0 or int(limit.get("Hard") or 0) < 0
        for limit in look.inspect.get("Ulimits") or []
    )


def _unfiltered(look: Look) -> bool:
    if "Seccomp" in look.kernel:
        return look.kernel["Seccomp"] == 0
    return "seccomp=unconfined" in look.options or bool(look.inspect.get("Privileged"))


def _new_privileges(look: Look) -> bool:
    # The Engine's own default is seen in the kernel alone.
    if "NoNewPrivs" in look.kernel:
        return look.kernel["NoNewPrivs"] == 0
    return not {"no-new-privileges", "no-new-privileges=true"} & set(look.options)


def _unconfined(look: Look) -> bool:
    return look.inspect.get("AppArmorProfile") in ("", "unconfined")


CHECKS = (
    Check(
        "5.1",
        "Ensure swarm mode is not Enabled, if not needed",
        lambda look: look.host["swarm"] != "inactive",
        "on the host, if nothing uses it: docker swarm leave",
    ),
    Check(
        "5.2",
        "Ensure that, if applicable, an AppArmor Profile is enabled",
        _unconfined,
        "remove `apparmor=unconfined` from `security_opt`",
        lambda look: bool(look.host["apparmor"]),
    ),
    Check(
        "5.3",
        "Ensure that, if applicable, SELinux security options are set",
        lambda look: not look.inspect.get("ProcessLabel"),
        "remove `label=disable` from `security_opt`",
        lambda look: bool(look.host["selinux"]),
    ),
    Check(
        "5.4",
        "Ensure that Linux kernel capabilities are restricted within containers",
        _capabilities,
        "`cap_drop: [ALL]`, and in `cap_add` what it cannot do without",
    ),
    Check(
        "5.5",
        "Ensure that privileged containers are not used",
        lambda look: bool(look.inspect.get("Privileged")),
        "remove `privileged: true`; name what it needs in `cap_add` or `devices`",
    ),
    Check(
        "5.6",
        "Ensure sensitive host system directories are not mounted on containers",
        _sensitive,
        "remove the mount, or `read_only: true` in it",
    ),
    Check(
        "5.7",
        "Ensure sshd is not run within containers",
        lambda look: look.sshd,
        "leave sshd out of the image; `docker exec` opens a shell",
    ),
    Check(
        "5.8",
        "Ensure privileged ports are not mapped within containers",
        _low_port,
        "publish a port from 1024 on, or give it a route of the edge",
    ),
    Check(
        "5.10",
        "Ensure that the host's network namespace is not shared",
        _mode("NetworkMode"),
        "remove `network_mode`, and publish ports or give it a route",
    ),
    Check(
        "5.11",
        "Ensure that the memory usage for containers is limited",
        _nothing("Memory"),
        "deploy: {resources: {limits: {memory: 256M}}}",
    ),
    Check(
        "5.12",
        "Ensure that CPU priority is set appropriately on containers",
        _nothing("CpuShares", "NanoCpus", "CpuQuota"),
        'deploy: {resources: {limits: {cpus: "0.5"}}}, or `cpu_shares: 512`',
    ),
    Check(
        "5.13",
        "Ensure that the container's root filesystem is mounted as read only",
        lambda look: not look.inspect.get("ReadonlyRootfs"),
        "`read_only: true`, with `tmpfs: [/tmp]`; or x-maestro: {hardened: true}",
    ),
    Check(
        "5.14",
        "Ensure that incoming container traffic is bound to a specific host interface",
        _everywhere,
        'an address before the port: `ports: ["127.0.0.1:8080:8080"]`',
    ),
    Check(
        "5.15",
        "Ensure that the 'on-failure' container restart policy is set to '5'",
        _restarts,
        "`restart: on-failure:5`; it does not come back after a restart of the host then",
    ),
    Check(
        "5.16",
        "Ensure that the host's process namespace is not shared",
        _mode("PidMode"),
        "remove `pid: host`",
    ),
    Check(
        "5.17",
        "Ensure that the host's IPC namespace is not shared",
        _mode("IpcMode"),
        "remove `ipc: host`",
    ),
    Check(
        "5.18",
        "Ensure that host devices are not directly exposed to containers",
        lambda look: bool(look.inspect.get("Devices")),
        "remove `devices`",
    ),
    Check(
        "5.19",
        "Ensure that the default ulimit is overwritten at runtime if needed",
        _no_end,
        "a number in `ulimits` in the place of -1",
    ),
    Check(
        "5.20",
        "Ensure mount propagation mode is not set to shared",
        lambda look: any(how in ("shared", "rshared") for _, _, how in look.mounts),
        "remove `propagation` from `bind` of the mount",
    ),
    Check(
        "5.21",
        "Ensure that the host's UTS namespace is not shared",
        _mode("UTSMode"),
        "remove `uts: host`",
    ),
    Check(
        "5.22",
        "Ensure the default seccomp profile is not Disabled",
        _unfiltered,
        "remove `seccomp=unconfined` from `security_opt`",
    ),
    Check(
        "5.25",
        "Ensure that cgroup usage is confirmed",
        lambda look: bool(look.inspect.get("CgroupParent")),
        "remove `cgroup_parent`",
    ),
    Check(
        "5.26",
        "Ensure that the container is restricted from acquiring additional privileges",
        _new_privileges,
        '`security_opt: ["no-new-privileges:true"]`, or provision the host',
    ),
    Check(
        "5.27",
        "Ensure that container health is checked at runtime",
        lambda look: not look.inspect.get("Health"),
        "`healthcheck: {test: [CMD, ...]}`",
    ),
    Check(
        "5.29",
        "Ensure that the PIDs cgroup limit is used",
        _nothing("PidsLimit"),
        "a number in `pids_limit`, or nothing: the next deploy that changes the stack sets one",
    ),
    Check(
        "5.30",
        "Ensure that Docker's default bridge 'docker0' is not used",
        lambda look: look.inspect.get("NetworkMode") in ("default", "bridge"),
        "remove `network_mode: bridge`",
    ),
    Check(
        "5.31",
        "Ensure that the host's user namespaces are not shared",
        _mode("UsernsMode"),
        "remove `userns_mode: host`",
    ),
    Check(
        "5.32",
        "Ensure that the Docker socket is not mounted inside any containers",
        _socket,
        "remove the mount of the socket, or of a directory above it",
    ),
)
BY_NUMBER = {check.number: check for check in CHECKS}


def in_order(numbers: Iterable[str]) -> list[str]:
    """Numbers of checks as the benchmark counts them: 5.9 before 5.10."""
    return sorted(set(numbers), key=lambda number: [int(part) for part in number.split(".")])
