"""The ways out of a container, or into what is another's: one rule each.

A rule looks at one service of Compose's canonical model and yields what it finds: where in the
service, what, and what to do. `policy` says where a rule counts and what an exception is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import host_paths

Service = Mapping[str, Any]

# What a container may have beside Docker's own set without an exception: no way to the host.
# https://man7.org/linux/man-pages/man7/capabilities.7.html
CAPABILITIES = frozenset(
    "AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE "
    "MKNOD NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT "
    "SYS_NICE SYS_RESOURCE SYS_TTY_CONFIG WAKE_ALARM".split()
)
RUNTIMES = re.compile(r"(runc|io\.containerd\.runc\.v2|crun|nvidia|runsc|kata.*)?\Z")
RESERVED_LABELS = ("maestro.", "com.docker.compose.")
# File systems of the kernel that show the host, whoever mounts them.
_KERNEL = frozenset(
    "bpf cgroup cgroup2 configfs debugfs devtmpfs efivarfs proc securityfs sysfs tracefs".split()
)
_UNCONFINED = re.compile(
    r"(seccomp|apparmor|systempaths)[:=]unconfined|label[:=]disable|no-new-privileges[:=]false",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"(seccomp|apparmor)[:=](?!builtin\Z|docker-default\Z|unconfined\Z)", re.IGNORECASE
)


@dataclass(frozen=True)
class Finding:
    """``path`` is below the service, such as ``.volumes[0]``; ``exception``: may be allowed."""

    path: str
    what: str
    fix: str = ""
    exception: bool = True


@dataclass(frozen=True)
class Place:
    """What a rule may need besides the service.

    ``model`` is the whole one. ``real`` maps paths of the host to what they are without links,
    ``never`` is as in `host_paths.judge`.
    """

    model: Mapping[str, Any]
    real: Mapping[str, str] = field(default_factory=dict)
    never: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rule:
    """``name`` is what an exception says; ``always``: in development too."""

    name: str
    look: Callable[[Service, Place], Iterable[Finding]]
    always: bool = False


# Rights


def _privileged(service: Service, _: Place) -> Iterator[Finding]:
    if service.get("privileged"):
        fix = "allowed: false; give single capabilities by cap_add"
        yield Finding(".privileged", "found privileged: true", fix)
    for kind in ("post_start", "pre_stop"):
        for number, hook in enumerate(service.get(kind) or []):
            if hook.get("privileged"):
                yield Finding(
                    f".{kind}[{number}]", "found privileged: true", "allowed: privileged: false"
                )


def _capabilities(service: Service, _: Place) -> Iterator[Finding]:
    for capability in service.get("cap_add") or []:
        if str(capability).upper().removeprefix("CAP_") not in CAPABILITIES:
            yield Finding(
                ".cap_add",
                f"found {capability}",
                "allowed: any but ALL, SYS_ADMIN and SYS_PTRACE and others that reach the host, "
                "outside development",
            )


def _security(service: Service, _: Place) -> Iterator[Finding]:
    for number, option in enumerate(service.get("security_opt") or []):
        if _UNCONFINED.match(str(option)) or _PROFILE.match(str(option)):
            fix = "allowed: no-new-privileges:true, and the Engine's own profiles"
            yield Finding(f".security_opt[{number}]", f"found {option}", fix)


def _runtime(service: Service, _: Place) -> Iterator[Finding]:
    runtime = str(service.get("runtime") or "")
    if not RUNTIMES.match(runtime):
        yield Finding(".runtime", f"found {runtime}", "allowed: runc, crun, runsc, kata, nvidia")


def _cgroup_parent(service: Service, _: Place) -> Iterator[Finding]:
    if service.get("cgroup_parent"):
        fix = "remove it: limits stand under deploy.resources"
        yield Finding(".cgroup_parent", f"found {service['cgroup_parent']}", fix)


def _devices(service: Service, _: Place) -> Iterator[Finding]:
    fix = "a GPU is asked for by `gpus` or deploy.resources.reservations.devices"
    for number, device in enumerate(service.get("devices") or []):
        source = device.get("source") if isinstance(device, Mapping) else device
        yield Finding(f".devices[{number}]", f"found {source}: a device of the host", fix)
    for number, rule in enumerate(service.get("device_cgroup_rules") or []):
        what = f"found {rule}: devices of the host"
        yield Finding(f".device_cgroup_rules[{number}]", what, fix)


# Namespaces


def _host_namespace(key: str) -> Callable[[Service, Place], Iterator[Finding]]:
    """A rule for one namespace that a container may share with the host."""

    def look(service: Service, _: Place) -> Iterator[Finding]:
        if service.get(key) == "host":
            yield Finding(f".{key}", "found host: shared with the host", f"remove {key}")

    return look


def _network_host(service: Service, place: Place) -> Iterator[Finding]:
    fix = "allowed: networks of the stack; ports are published by `ports` or a route"
    if service.get("network_mode") == "host":
        yield Finding(".network_mode", "found host: shared with the host", fix)
    for key in service.get("networks") or {}:
        defined = (place.model.get("networks") or {}).get(key) or {}
        if (defined.get("name") or key) == "host" or defined.get("driver") == "host":
            yield Finding(f".networks.{key}", "found the network host", fix)


def in_the_hosts_network(service: Service, model: Mapping[str, Any]) -> bool:
    """Whether a container of the service listens where the host does."""
    return any(True for _ in _network_host(service, Place(model)))


def _bridge(service: Service, place: Place) -> Iterator[Finding]:
    for key in service.get("networks") or {}:
        options = ((place.model.get("networks") or {}).get(key) or {}).get("driver_opts") or {}
        bridge = options.get("com.docker.network.bridge.name")
        if bridge:
            what = f"found the bridge {bridge}, which may be another network's"
            yield Finding(f".networks.{key}", what, "remove this driver option")


def _other_containers(service: Service, _: Place) -> Iterator[Finding]:
    """Links; a namespace or the volumes of another container are refused by `borrowing`."""
    for number, link in enumerate(service.get("external_links") or []):
        what = f"found {link}: a container of another stack"
        fix = "join a network that its owner shares, see x-maestro.share"
        yield Finding(f".external_links[{number}]", what, fix, exception=False)


# Files of the host


def _paths(service: Service, place: Place) -> Iterator[Finding]:
    for number, mount in enumerate(service.get("volumes") or []):
        where = f".volumes[{number}]"
        read_only = bool(mount.get("read_only"))
        if mount.get("type") == "bind":
            source = str(mount.get("source", ""))
            if posixpath.isabs(source):
                yield from _path(source, where, place, read_only=read_only)
            elif source.startswith("."):
                # A path of the stack's directory, on the machine that holds its files.
                what = f"found {source}: a mount of the stack's source"
                fix = (
                    "a configuration file goes along under `configs:` (source and target); "
                    "allowed here: named volumes and absolute paths; source mounts belong into "
                    "compose.development.yaml"
                )
                yield Finding(where, what, fix, exception=False)
        elif mount.get("type") == "volume" and mount.get("source"):
            defined = (place.model.get("volumes") or {}).get(mount["source"]) or {}
            yield from _volume(str(mount["source"]), defined, where, place, read_only=read_only)


def _path(source: str, where: str, place: Place, *, read_only: bool) -> Iterator[Finding]:
    for path in dict.fromkeys((source, place.real.get(source, source))):
        found = host_paths.judge(path, read_only=read_only, never=place.never)
        if found:
            leads = "" if path == source else f" (a link to {path})"
            fix = "allowed: named volumes, and absolute paths without the socket"
            if found.exception:
                fix = found.fix
            what = f"found {source}{leads}: {found.why}"
            yield Finding(where, what, fix, exception=found.exception)
            return


def _volume(
    name: str, defined: Mapping[str, Any], where: str, place: Place, *, read_only: bool
) -> Iterator[Finding]:
    """A named volume is a mount like any other when its options say so."""
    driver = str(defined.get("driver") or "local")
    if driver != "local":
        what = f"found the driver {driver} of the volume {name}: a program of the host"
        yield Finding(where, what, "allowed: the driver local")
        return
    options = {str(k): str(v) for k, v in (defined.get("driver_opts") or {}).items()}
    if options.get("type", "").strip().lower() in _KERNEL:
        what = f"found the volume {name} of the type {options['type'].strip()}"
        yield Finding(where, what, "allowed: local volumes, nfs, cifs and tmpfs")
        return
    said = [item.strip() for item in options.get("o", "").split(",")]
    read_only = read_only or "ro" in said
    for path in _option_paths(options.get("device", ""), said):
        for found in _path(path, where, place, read_only=read_only):
            what = f"{found.what} (device of the volume {name})"
            yield Finding(where, what, found.fix, found.exception)


def _option_paths(device: str, said: Iterable[str]) -> list[str]:
    """Absolute paths in a volume's options: its device, and layers of an overlay."""
    layers = [part for item in said for part in item.partition("=")[2].split(":")]
    return [path for path in (device.strip(), *layers) if posixpath.isabs(path)]


def _propagation(service: Service, _: Place) -> Iterator[Finding]:
    for number, mount in enumerate(service.get("volumes") or []):
        said = str((mount.get("bind") or {}).get("propagation") or "")
        if said in ("shared", "rshared"):
            what = f"found {said}: what is mounted inside is mounted on the host"
            yield Finding(f".volumes[{number}]", what, "allowed: rprivate and rslave")


# Programs of the host


def _programs(service: Service, _: Place) -> Iterator[Finding]:
    if service.get("provider"):
        what = "found provider: a program that Compose runs on the host"
        yield Finding(".provider", what, "name an image", exception=False)
    if service.get("use_api_socket"):
        what = "found use_api_socket: a container with the Engine's socket rules the host"
        yield Finding(".use_api_socket", what, "remove it", exception=False)
    if service.get("credential_spec"):
        what = "found credential_spec: a file or a setting of the host"
        yield Finding(".credential_spec", what, "remove it: it is for Windows", exception=False)


def _build(service: Service, _: Place) -> Iterator[Finding]:
    build = service.get("build")
    if not isinstance(build, Mapping):
        return
    for key in ("privileged", "entitlements"):
        if build.get(key):
            what = f"found {key}: rights on the machine that builds"
            yield Finding(f".build.{key}", what, "remove it")
    contexts = {"context": build.get("context"), **(build.get("additional_contexts") or {})}
    for key, context in contexts.items():
        if posixpath.isabs(str(context or "")):
            what = f"found {context}: files from outside the stack's directory"
            yield Finding(f".build.{key}", what, "build from a path below the stack's directory")


def _labels(service: Service, place: Place) -> Iterator[Finding]:
    said = {
        ".labels": service.get("labels"),
        ".deploy.labels": (service.get("deploy") or {}).get("labels"),
        ".build.labels": (service.get("build") or {}).get("labels"),
        ".annotations": service.get("annotations"),
    }
    for key in service.get("networks") or {}:
        defined = (place.model.get("networks") or {}).get(key) or {}
        said[f".networks.{key} (labels)"] = defined.get("labels")
    for mount in service.get("volumes") or []:
        if mount.get("type") == "volume" and mount.get("source"):
            defined = (place.model.get("volumes") or {}).get(mount["source"]) or {}
            said[f".volumes.{mount['source']} (labels)"] = defined.get("labels")
            labels = (mount.get("volume") or {}).get("labels")
            said[f".volumes.{mount['source']} (its own labels)"] = labels
    for path, labels in said.items():
        for name in sorted(_names(labels)):
            if name.startswith(RESERVED_LABELS):
                what = f"found {name}: a label by which Maestro and Compose know what is theirs"
                yield Finding(path, what, "use a name of your own", exception=False)


def _names(labels: Any) -> set[str]:
    items = labels if isinstance(labels, Mapping) else labels or []
    return {str(item).partition("=")[0].strip() for item in items}


RULES = (
    Rule("privileged", _privileged),
    Rule("capability", _capabilities),
    Rule("security-opt", _security),
    Rule("runtime", _runtime),
    Rule("cgroup-parent", _cgroup_parent),
    Rule("device", _devices),
    Rule("pid-host", _host_namespace("pid")),
    Rule("ipc-host", _host_namespace("ipc")),
    Rule("uts-host", _host_namespace("uts")),
    Rule("userns-host", _host_namespace("userns_mode")),
    Rule("cgroup-host", _host_namespace("cgroup")),
    Rule("network-host", _network_host),
    Rule("network-bridge", _bridge),
    Rule("other-container", _other_containers),
    Rule("host-path", _paths),
    Rule("mount-propagation", _propagation),
    Rule("host-program", _programs),
    Rule("build", _build),
    Rule("label", _labels, always=True),
)
