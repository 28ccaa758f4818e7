"""Routers for requests that come through a trusted proxy: its word about the client counts.

Traefik itself drops ``X-Forwarded-*`` of everybody else (``forwardedHeaders.trustedIPs``), before
a router is chosen. What is left to do for those of a proxy: no redirect of what came to it by
https, and a rate limit for each client instead of one for all that come through the proxy.
Traefik's limit counts by ``X-Forwarded-For`` alone once it is told to look there, so a client that
comes directly has a router of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# One more than the same router for everybody; see `claims` for the next rank.
_RANK = 1
_BY_HTTPS = "HeaderRegexp(`X-Forwarded-Proto`, `(?i)^(https|wss)$`)"


def proxies(settings: Mapping[str, Any]) -> list[str]:
    """The networks of trusted proxies; none where the host's settings are of before there were."""
    return list(settings.get("trusted_proxies") or [])


def source(settings: Mapping[str, Any]) -> dict[str, Any]:
    """By what a rate limit counts: the last address of X-Forwarded-For that is no proxy's."""
    return {"sourceCriterion": {"ipStrategy": {"excludedIPs": proxies(settings)}}}


def router(
    base: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    by_https: bool = False,
) -> dict[str, Any]:
    """``base`` for requests of trusted proxies alone; ``by_https``: that clients sent by https."""
    parts = [str(base["rule"]), _from(proxies(settings))]
    if by_https:
        parts.append(_BY_HTTPS)
    return {**base, "rule": " && ".join(parts), "priority": int(base["priority"]) + _RANK}


def _from(networks: Sequence[str]) -> str:
    """ClientIP matches the address of the connection, whatever a header says."""
    return "(" + " || ".join(f"ClientIP(`{network}`)" for network in networks) + ")"
