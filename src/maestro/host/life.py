"""What a container's own definition says about its life: how long it may start and stop.

All of it is read from the Engine's inspection, so that it is also known of containers that an
older release, or somebody else, has made.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

# What the Engine takes where nothing is said.
# https://docs.docker.com/reference/dockerfile/#healthcheck
INTERVAL, RETRIES = 30.0, 3
FAR_APART = 900.0  # seconds: checks with longer pauses are not waited for
SLACK = 5.0  # seconds a check takes whose file gives it no limit
GRACE = 10.0
FOREVER = 86400.0  # seconds; a negative grace means that the Engine waits without a limit
_NANOSECONDS = 1e9
_ZONE = re.compile(r"([+-])(\d\d):(\d\d)\Z")


def checked(detail: Mapping[str, Any]) -> bool:
    """Whether the container has a health check, of its own or from its image."""
    state = detail["State"]
    return str((state.get("Health") or {}).get("Status", "none")) != "none"


def grace(detail: Mapping[str, Any]) -> float:
    """Seconds the container has to stop (``stop_grace_period``)."""
    said = (detail.get("Config") or {}).get("StopTimeout")
    if said is None:
        return GRACE
    return float(said) if said >= 0 else FOREVER


def longest_grace(details: Iterable[Mapping[str, Any]]) -> float:
    """Seconds in which all of these containers can stop side by side; 0 without any."""
    return max(map(grace, details), default=0)


def start_limit(detail: Mapping[str, Any], timeout: float) -> float:
    """Seconds the container has to turn healthy: ``timeout``, or more where it asks for more.

    A ``start_period`` is followed by as many failed checks as the container may have. In any case
    there is time for the first check. Checks that are far apart are not waited for.
    """
    found = (detail.get("Config") or {}).get("Healthcheck") or {}
    period = float(found.get("StartPeriod") or 0) / _NANOSECONDS
    interval = float(found.get("Interval") or 0) / _NANOSECONDS or INTERVAL
    if period:
        checks = int(found.get("Retries") or RETRIES) * interval
        timeout = max(timeout, period + min(checks, timeout))
    first = first_check(detail)
    if not 0 < first <= FAR_APART:
        return timeout
    return max(timeout, first + float(found.get("Timeout") or 0) / _NANOSECONDS + SLACK)


def first_check(detail: Mapping[str, Any]) -> float:
    """Seconds after its start at which a container is checked first; 0 without a check.

    Within a ``start_period`` the Engine checks every ``start_interval``. Where none is said, 5 s
    are documented, and Engine 26 waits for a whole interval (tried with 26.1.5). So an Engine that
    was seen to check sooner is believed.
    https://docs.docker.com/reference/dockerfile/#healthcheck
    """
    found = (detail.get("Config") or {}).get("Healthcheck") or {}
    if list(found.get("Test") or ["NONE"])[:1] == ["NONE"]:
        return 0
    often = found.get("StartInterval") if found.get("StartPeriod") else 0
    expected = float(often or found.get("Interval") or 0) / _NANOSECONDS or INTERVAL
    return min([expected, *_checked_after(detail.get("State") or {})])


def _checked_after(state: Mapping[str, Any]) -> list[float]:
    """Seconds after its start of the checks that are known; those of an earlier start are none."""
    log = (state.get("Health") or {}).get("Log") or []
    if not log:
        return []
    started = moment(str(state["StartedAt"]))
    after = [moment(str(entry["Start"])) - started for entry in log if entry.get("Start")]
    return [seconds for seconds in after if seconds > 0]


def restarts_by(detail: Mapping[str, Any]) -> tuple[str, int]:
    """The restart policy as the Engine calls it, and its limit (0: none)."""
    policy = (detail.get("HostConfig") or {}).get("RestartPolicy") or {}
    return str(policy.get("Name") or "no"), int(policy.get("MaximumRetryCount") or 0)


def age(state: Mapping[str, Any]) -> float:
    """Seconds since a container started."""
    return time.time() - moment(str(state["StartedAt"]))


def moment(text: str) -> float:
    """A time as the Engine writes it, in seconds since 1970; checks have the host's own zone."""
    zone = _ZONE.search(text)
    whole, _, fraction = (text[: zone.start()] if zone else text.rstrip("Z")).partition(".")
    seconds = calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S"))
    if zone:
        ahead = int(zone[2]) * 3600 + int(zone[3]) * 60
        seconds -= ahead if zone[1] == "+" else -ahead
    return seconds + float(f"0.{fraction or 0}")
