"""Registries that the Engine takes without a certificate it trusts, or in plain HTTP.

They are the loopback addresses, and what the daemon's ``insecure-registries`` names. The Engine
tries https first and then http (https://docs.docker.com/reference/cli/dockerd/#insecure-registries);
so does the question for a digest.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .registry import PLAIN, UNVERIFIED, Registry, ResolvedImage, Unreachable

Answer = TypeVar("Answer")


def allowed(host: str, settings: Mapping[str, Any]) -> bool:
    """Whether the Engine would; ``settings`` is ``RegistryConfig`` of its ``/info``."""
    index = (settings.get("IndexConfigs") or {}).get(host)
    if index is not None:
        return not index.get("Secure", True)
    networks = [
        ipaddress.ip_network(str(text), strict=False)
        for text in settings.get("InsecureRegistryCIDRs") or []
    ]
    return any(address in network for address in _addresses(host) for network in networks)


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        found = socket.getaddrinfo(name.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]


class Lenient:
    """A registry's client that asks again as the Engine would."""

    def __init__(self, strict: Registry, settings: Mapping[str, Any]) -> None:
        self._strict = strict
        self._settings = settings

    def resolve(self, reference: str) -> ResolvedImage:
        """`Registry.resolve`, without a trusted certificate only where the Engine allows that."""
        return self._asked(lambda registry: registry.resolve(reference))

    def attached(self, reference: str, tag: str) -> list[tuple[bytes, dict[str, str]]]:
        """`Registry.attached`, in the same ways."""
        return self._asked(lambda registry: registry.attached(reference, tag))

    def answers(self) -> None:
        """`Registry.answers`, in the same ways."""
        self._asked(Registry.answers)

    def _asked(self, ask: Callable[[Registry], Answer]) -> Answer:
        try:
            return ask(self._strict)
        except Unreachable as problem:
            first = problem
        if allowed(self._strict.host, self._settings):
            for way in (UNVERIFIED, PLAIN):
                try:
                    return ask(self._strict.by(way))
                except Unreachable:
                    continue
        raise first
