"""Connections that this host has open, from the tables of its kernel."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from pathlib import Path

_TCP = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_OPEN = ("01", "02")  # established, being opened


def open_connections(targets: set[tuple[str, int]]) -> int:
    """How many connections this host has to the targets; its own end is what counts."""
    wanted = {_kernel_form(address, port) for address, port in targets if ":" not in address}
    mapped = {f"0000000000000000FFFF0000{form}" for form in wanted}
    wanted |= mapped | {_kernel_form(address, port) for address, port in targets if ":" in address}
    count = 0
    for table in _TCP:
        with contextlib.suppress(FileNotFoundError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                count += fields[2] in wanted and fields[3] in _OPEN
    return count


def _kernel_form(address: str, port: int) -> str:
    """An address as the kernel's tables write it: words of the machine's order, in hex."""
    packed = ipaddress.ip_address(address).packed
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"
