"""The ways out of a container, or into what is another's: one rule each.

A rule looks at one service of Compose's canonical model and yields what it finds: where in the
service, what, and what to do. `policy` says where a rule counts and what an exception is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..host.borrowed import NETWORK, VOLUMES
from ..host.labels import COMPOSE, OURS
from . import host_paths, lent, mounts, volume_options
from .exceptions import Allowed

if TYPE_CHECKING:
    from ..records import Compose, Definition, Entry, Service

# What a container may have beside Docker's own set without an exception: no way to the host.
# https://man7.org/linux/man-pages/man7/capabilities.7.html
CAPABILITIES = frozenset(
    "AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE "
    "MKNOD NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT "
    "SYS_NICE SYS_RESOURCE SYS_TTY_CONFIG WAKE_ALARM".split()
)
RUNTIMES = re.compile(r"(runc|io\.containerd\.runc\.v2|crun|nvidia|runsc|kata.*)?\Z")
RESERVED_LABELS = (OURS, COMPOSE)
# What the Engine takes for a container's protection, without those that take it away.
# https://docs.docker.com/reference/cli/docker/container/run/#security-opt
_CONFINED = re.compile(
    r"no-new-privileges([:=](true|1|t))?\Z|(seccomp|apparmor)[:=](builtin|docker-default)\Z"
    r"|label[:=](user|role|level|filetype|type)[:=](?!spc_t|unconfined_)",
    re.IGNORECASE,
)
# Drivers of networks that are part of the Engine.
_NETWORKS = ("", "default", "bridge", "overlay", "macvlan", "ipvlan", "host", "none", "null")
_OPEN = ("nat-unprotected", "routed")  # modes of a gateway that let everybody in
_MOUNTS = ("bind", "volume", "tmpfs", "image")


@dataclass(frozen=True)
class Finding:
    """``path`` is below the service, such as ``.volumes[0]``; ``exception``: may be allowed.

    ``rule`` is what an exception calls it, where that is not the name of the rule that found it.
    """

    path: str
    what: str
    fix: str = ""
    exception: bool = True
    rule: str = ""


@dataclass(frozen=True)
class Place:
    """What a rule may need besides the service.

    ``model`` is the whole one. ``real`` maps paths of the host to what they are without links,
    ``never`` is as in `host_paths.judge`; ``files`` are the paths
    of the stack's files that go along, ``there`` what is at others, see `mounts.kinds`.
    ``digests`` are those of images that a registry knows.
    """

    model: Compose
    real: Mapping[str, str] = field(default_factory=dict)
    never: tuple[tuple[str, str, str], ...] = ()
    files: Collection[str] = ()
    there: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    allowed: tuple[Allowed, ...] = ()  # by the environment


@dataclass(frozen=True)
class Rule:
    """``name`` is what an exception says; ``always``: in development too."""

    name: str
    look: Callable[[Service, Place], Iterable[Finding]]
    always: bool = False


# Rights


def _privileged(service: Service, _: Place) -> Iterator[Finding]:
    if service.get("privileged"):
        fix = "allowed: false; add single capabilities with cap_add"
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
                "allowed: any but ALL, SYS_ADMIN and SYS_PTRACE and others that reach the host",
            )


def _security(service: Service, _: Place) -> Iterator[Finding]:
    for number, option in enumerate(service.get("security_opt") or []):
        if not _CONFINED.match(str(option)):
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


def _memory(service: Service, _: Place) -> Iterator[Finding]:
    score = str(service.get("oom_score_adj") or "0")
    if score.startswith("-"):
        what = f"found {score}: the kernel kills others first when memory runs out"
        yield Finding(".oom_score_adj", what, "remove it, or set 0 to 1000")
    if service.get("oom_kill_disable"):
        what = "found oom_kill_disable: the kernel kills others when memory runs out"
        yield Finding(".oom_kill_disable", what, "remove it")


# Namespaces


def _word(value: Any) -> str:
    return str(value or "").strip().lower()


def _host_namespace(key: str) -> Callable[[Service, Place], Iterator[Finding]]:
    """A rule for one namespace that a container may share with the host."""

    def look(service: Service, _: Place) -> Iterator[Finding]:
        if _word(service.get(key)) == "host":
            yield Finding(f".{key}", "found host: shared with the host", f"remove {key}")

    return look


def _network_host(service: Service, place: Place) -> Iterator[Finding]:
    fix = "allowed: networks of the stack; ports are published by `ports` or a route"
    if _word(service.get("network_mode")) == "host":
        yield Finding(".network_mode", "found host: shared with the host", fix)
    for key in service.get("networks") or {}:
        defined = (place.model.get("networks") or {}).get(key) or {}
        if (defined.get("name") or key) == "host" or defined.get("driver") == "host":
            yield Finding(f".networks.{key}", "found the network host", fix)


def in_the_hosts_network(service: Service, model: Compose) -> bool:
    """Whether a container of the service listens where the host does."""
    return any(True for _ in lent.also_of_owners(_network_host, NETWORK)(service, Place(model)))


def _bridge(service: Service, place: Place) -> Iterator[Finding]:
    for key in service.get("networks") or {}:
        defined = (place.model.get("networks") or {}).get(key) or {}
        driver, options = str(defined.get("driver") or ""), defined.get("driver_opts") or {}
        where, fix = f".networks.{key}", "remove this driver option"
        if driver not in _NETWORKS:
            what = f"found the driver {driver}: a program of the host"
            yield Finding(where, what, "allowed: the drivers of the Engine")
        for bridge in _bridges(options):
            yield Finding(where, f"found the bridge {bridge}, which may be another network's", fix)
        for name, value in sorted(options.items()):
            if ".gateway_mode_ipv" in name and _word(value) in _OPEN:
                what = f"found {value}: every port of its containers is open, published or not"
                yield Finding(where, what, fix)


def _bridges(options: Entry) -> Iterator[str]:
    """Bridges that a network's options join: by their name, or as what it stands on."""
    if bridge := options.get("com.docker.network.bridge.name"):
        yield str(bridge)
    parent = str(options.get("parent") or "")
    if parent.startswith(("br-", "docker", "veth")):
        yield parent


def _network_of_others(service: Service, _: Place) -> Iterator[Finding]:
    """The Engine takes any other word for a network's name, whoever made that network."""
    mode = str(service.get("network_mode") or "")
    if _word(mode) not in ("", "host", "none", "bridge", "default") and ":" not in mode:
        fix = "list it under `networks:`, at the top level with `name:` and `external: true`"
        yield Finding(".network_mode", f"found the network {mode}", fix, exception=False)


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
            else:
                target = str(mount.get("target", ""))
                for refused in mounts.refusal(source, target, place.files, read_only=read_only):
                    yield Finding(where, *refused, exception=False)
        elif mount.get("type") == "volume" and mount.get("source"):
            defined = (place.model.get("volumes") or {}).get(mount["source"]) or {}
            yield from _volume(str(mount["source"]), defined, where, place, read_only=read_only)
        elif mount.get("type") not in _MOUNTS:
            what = f"found a mount of the type {mount.get('type')}, which Linux does not have"
            yield Finding(where, what, f"allowed: {', '.join(_MOUNTS)}", exception=False)
        inside = str((mount.get("volume") or {}).get("subpath") or "")
        if inside and (posixpath.isabs(inside) or ".." in inside.split("/")):
            what = f"found the subpath {inside}: it leads out of the volume"
            yield Finding(where, what, "name a path inside of the volume", exception=False)


def _path(source: str, where: str, place: Place, *, read_only: bool) -> Iterator[Finding]:
    for path in dict.fromkeys((source, place.real.get(source, source))):
        found = host_paths.judge(path, read_only=read_only, never=place.never)
        if found:
            leads = "" if path == source else f" (a link to {path})"
            fix = "allowed: named volumes, and absolute paths without the socket"
            if found.exception and not found.rule:
                fix = found.fix
            what = f"found {source}{leads}: {found.why}"
            yield Finding(where, what, fix, exception=found.exception, rule=found.rule)
            return


def _volume(
    name: str, defined: Definition, where: str, place: Place, *, read_only: bool
) -> Iterator[Finding]:
    """A named volume is a mount like any other when its options say so."""
    driver = str(defined.get("driver") or "local")
    if driver != "local":
        what = f"found the driver {driver} of the volume {name}: a program of the host"
        yield Finding(where, what, "allowed: the driver local")
        return
    options = {str(k): str(v) for k, v in (defined.get("driver_opts") or {}).items()}
    kind = options.get("type", "").strip().lower() or "none"
    if kind not in volume_options.KINDS:
        what = f"found the volume {name} of the type {kind}"
        yield Finding(where, what, "allowed: local volumes, nfs, cifs and tmpfs")
        return
    said = [item.strip() for item in options.get("o", "").split(",")]
    read_only = read_only or "ro" in said
    for path in volume_options.paths(kind, options.get("device", "").strip(), said):
        if not posixpath.isabs(path):
            what = f"found {path}: the Engine takes it from its own directory, not the stack's"
            fix = f"write the absolute path (device of the volume {name}), or leave out driver_opts"
            yield Finding(where, what, fix, exception=False)
            continue
        for found in _path(path, where, place, read_only=read_only):
            what = f"{found.what} (device of the volume {name})"
            yield Finding(where, what, found.fix, found.exception, found.rule)


def _propagation(service: Service, _: Place) -> Iterator[Finding]:
    for number, mount in enumerate(service.get("volumes") or []):
        said = str((mount.get("bind") or {}).get("propagation") or "")
        if said.lower() in ("shared", "rshared"):
            what = f"found {said}: what is mounted inside is mounted on the host"
            yield Finding(f".volumes[{number}]", what, "allowed: rprivate and rslave")


# Programs of the host


def _programs(service: Service, _: Place) -> Iterator[Finding]:
    if service.get("provider"):
        what = "found provider: a program that Compose runs on the host"
        yield Finding(".provider", what, "name an image", exception=False)
    if service.get("use_api_socket"):
        what = "found use_api_socket: a container with the Engine's socket controls the host"
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
            what = f"found {key}: privileges on the build machine"
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
                what = f"found {name}: Maestro and Compose mark their own objects with this label"
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
    Rule("out-of-memory", _memory),
    Rule("pid-host", lent.also_of_owners(_host_namespace("pid"), "pid")),
    Rule("ipc-host", lent.also_of_owners(_host_namespace("ipc"), "ipc")),
    Rule("uts-host", _host_namespace("uts")),
    Rule("userns-host", _host_namespace("userns_mode")),
    Rule("cgroup-host", _host_namespace("cgroup")),
    Rule("network-host", lent.also_of_owners(_network_host, NETWORK)),
    Rule("network-bridge", _bridge),
    Rule("other-container", _other_containers),
    Rule("other-network", _network_of_others),
    Rule("host-path", lent.also_of_owners(_paths, VOLUMES)),
    Rule("mount-propagation", lent.also_of_owners(_propagation, VOLUMES)),
    Rule("host-program", _programs),
    Rule("build", _build),
    Rule("label", _labels, always=True),
)
