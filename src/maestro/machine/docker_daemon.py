"""Docker's daemon.json: what the host has, what the role decides, what the operator wants.

Keys and types: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import MaestroError, raise_all

FILE = "/etc/docker/daemon.json"
OPTIONS = "docker_engine_daemon_options"

_STRING_LIST = "a list of text"
_MAP = "a mapping of text to text"
TYPES: dict[str, str] = {
    "allow-nondistributable-artifacts": _STRING_LIST,
    "authorization-plugins": _STRING_LIST,
    "bip": "text",
    "bridge": "text",
    "builder": "a mapping",
    "cgroup-parent": "text",
    "containerd": "text",
    "data-root": "text",
    "debug": "true or false",
    "default-address-pools": "a list of mappings",
    "default-cgroupns-mode": "text",
    "default-gateway": "text",
    "default-ipc-mode": "text",
    "default-network-opts": "a mapping",
    "default-runtime": "text",
    "default-shm-size": "text",
    "default-ulimits": "a mapping",
    "dns": _STRING_LIST,
    "dns-opts": _STRING_LIST,
    "dns-search": _STRING_LIST,
    "exec-opts": _STRING_LIST,
    "experimental": "true or false",
    "features": "a mapping",
    "fixed-cidr": "text",
    "group": "text",
    "hosts": _STRING_LIST,
    "icc": "true or false",
    "init": "true or false",
    "insecure-registries": _STRING_LIST,
    "ip": "text",
    "ip-forward": "true or false",
    "ip-masq": "true or false",
    "ip6tables": "true or false",
    "iptables": "true or false",
    "ipv6": "true or false",
    "labels": _STRING_LIST,
    "live-restore": "true or false",
    "log-driver": "text",
    "log-level": "text",
    "log-opts": _MAP,
    "max-concurrent-downloads": "a number",
    "max-concurrent-uploads": "a number",
    "max-download-attempts": "a number",
    "metrics-addr": "text",
    "mtu": "a number",
    "no-new-privileges": "true or false",
    "proxies": "a mapping",
    "registry-mirrors": _STRING_LIST,
    "runtimes": "a mapping",
    "seccomp-profile": "text",
    "selinux-enabled": "true or false",
    "shutdown-timeout": "a number",
    "storage-driver": "text",
    "storage-opts": _STRING_LIST,
    "tls": "true or false",
    "tlscacert": "text",
    "tlscert": "text",
    "tlskey": "text",
    "tlsverify": "true or false",
    "userland-proxy": "true or false",
    "userns-remap": "text",
}
"""The type of each known key; another key is left to the Engine's own validation."""


def parse(present: str) -> dict[str, Any]:
    """Return the file's keys; an absent or empty file has none.

    Raise MaestroError when the text is no JSON object: it may hold what an operator needs,
    so it is never overwritten.
    """
    if not present.strip():
        return {}
    fix = "correct it by hand, or remove it: it was not changed"
    try:
        value = json.loads(present)
    except json.JSONDecodeError as error:
        at = f"{FILE}, line {error.lineno}, column {error.colno}"
        raise MaestroError(f"this is not JSON: {error.msg}", where=at, fix=fix) from None
    if not isinstance(value, dict):
        raise MaestroError("this is not a JSON object", where=FILE, fix=fix)
    return value


def option_errors(options: object) -> list[MaestroError]:
    """Return one error for each operator's value that has the wrong type."""
    if not isinstance(options, Mapping):
        return [
            MaestroError(f"is {_name(options)} and not a mapping", where=OPTIONS, fix="write `{}`")
        ]
    return [
        MaestroError(
            f"is {_name(value)}, and the Engine wants {TYPES[key]}",
            where=f"{OPTIONS}/{key}",
            fix="correct it in group_vars, or set it to null to have the key removed",
        )
        for key, value in options.items()
        if key in TYPES and value is not None and not _fits(value, TYPES[key])
    ]


def problems(present: str, options: object) -> list[str]:
    """Return everything that is wrong with the file and with the options, as text."""
    errors = option_errors(options)
    try:
        parse(present)
    except MaestroError as error:
        errors.append(error)
    return [str(error) for error in errors]


def merge(present: str, defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new content of the file.

    A key of the file that neither ``defaults`` nor ``options`` names is kept. The options
    win over the defaults; mappings are merged key by key, everything else is replaced. A
    value of None, in the defaults or at any depth of the options, removes the key.
    """
    raise_all(option_errors(options))
    merged = _overlay({**parse(present), **defaults}, options)
    return {key: _without_none(value) for key, value in merged.items() if value is not None}


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _overlay(old, value) if both else value  # type: ignore[arg-type]
    return result


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _fits(value: object, kind: str) -> bool:
    match kind:
        case "true or false":
            return isinstance(value, bool)
        case "a number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "a mapping":
            return isinstance(value, Mapping)
        case "a mapping of text to text":
            return isinstance(value, Mapping) and all(
                item is None or isinstance(item, str) for item in value.values()
            )
    inner: type = str if kind == _STRING_LIST else Mapping
    return isinstance(value, list) and all(isinstance(item, inner) for item in value)


def _name(value: object) -> str:
    names: list[tuple[type, str]] = [
        (bool, "true or false"),
        (int, "a number"),
        (str, "text"),
        (list, "a list"),
        (Mapping, "a mapping"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)
