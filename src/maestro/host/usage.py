"""What containers use, under the names that cAdvisor gave these numbers.

https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .exposition import COUNTER, GAUGE, family

NANO = 1e-9
_Stats = Mapping[str, Any]
Seen = Iterable[tuple[Mapping[str, str], Mapping[str, Any], _Stats]]


def render(seen: Seen) -> str:
    """``seen``: for each container its labels, its line of the Engine's list, and its stats.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerStats
    """
    there = [(labels, item, stats) for labels, item, stats in seen if stats.get("memory_stats")]
    parts = []
    for name, kind, text, of in _FAMILIES:
        samples = [(labels, float(of(stats))) for labels, _, stats in there]
        parts.append(family(name, kind, text, samples))
    created = [(labels, float(item.get("Created") or 0)) for labels, item, _ in there]
    parts.append(family("container_created_seconds", GAUGE, "When it was made.", created))
    for name, key, text in _NETWORK:
        samples = [
            ({**labels, "interface": device}, float(counts.get(key) or 0))
            for labels, _, stats in there
            for device, counts in sorted((stats.get("networks") or {}).items())
        ]
        parts.append(family(name, COUNTER, text, samples))
    healthy = "1 for a container that is healthy, 0 for one that is not yet or no more."
    parts.append(family("maestro_container_healthy", GAUGE, healthy, _health(there)))
    return "".join(parts)


def _health(there: Seen) -> Iterator[tuple[Mapping[str, str], float]]:
    """Of those that have a check: the list tells it in brackets only."""
    for labels, item, _ in there:
        said = str(item.get("Status", ""))
        if said.endswith(")") and "(Paused)" not in said:
            yield labels, float(said.endswith("(healthy)"))


def _cpu(stats: _Stats) -> float:
    return float(stats["cpu_stats"]["cpu_usage"].get("total_usage") or 0) * NANO


def _throttled(stats: _Stats) -> float:
    return (
        float((stats["cpu_stats"].get("throttling_data") or {}).get("throttled_time") or 0) * NANO
    )


def _memory(stats: _Stats) -> float:
    return float(stats["memory_stats"].get("usage") or 0)


def _working_set(stats: _Stats) -> float:
    """Without the pages of files that the kernel may drop at once; v1 and v2 name them apart."""
    pages = stats["memory_stats"].get("stats") or {}
    droppable = pages.get("total_inactive_file", pages.get("inactive_file", 0))
    return max(0.0, _memory(stats) - float(droppable))


def _limit(stats: _Stats) -> float:
    return float(stats["memory_stats"].get("limit") or 0)


def _processes(stats: _Stats) -> float:
    return float((stats.get("pids_stats") or {}).get("current") or 0)


_FAMILIES: tuple[tuple[str, str, str, Callable[[_Stats], float]], ...] = (
    ("container_cpu_usage_seconds_total", COUNTER, "CPU time it used.", _cpu),
    (
        "container_cpu_cfs_throttled_seconds_total",
        COUNTER,
        "Time it wanted a CPU and had reached its limit.",
        _throttled,
    ),
    ("container_memory_usage_bytes", GAUGE, "Memory with the cache of files.", _memory),
    (
        "container_memory_working_set_bytes",
        GAUGE,
        "Memory that the kernel cannot take back at once.",
        _working_set,
    ),
    (
        "container_spec_memory_limit_bytes",
        GAUGE,
        "Its limit; the host's memory where it has none.",
        _limit,
    ),
    ("container_threads", GAUGE, "Processes and threads.", _processes),
)
_NETWORK = (
    ("container_network_receive_bytes_total", "rx_bytes", "Bytes that came in."),
    ("container_network_transmit_bytes_total", "tx_bytes", "Bytes that went out."),
    ("container_network_receive_errors_total", "rx_errors", "Broken packets that came in."),
    ("container_network_transmit_errors_total", "tx_errors", "Packets that did not get out."),
)
