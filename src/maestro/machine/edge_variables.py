"""What variables of the role edge mean: the image a host runs, and the names it is reached by."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}\Z", re.IGNORECASE)  # RFC 1123, 2.1
_LONGEST = 253  # RFC 1035, 2.3.4: 255 bytes as they are sent
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}\Z")


def pinned(image: str, running: Iterable[object]) -> str:
    """The image with its digest, which the registry need not be asked for; else nothing.

    ``running`` are the images that edges run, this host's own first, as they were wanted.
    """
    if "@" in image:
        return image
    known = (str(item) for item in running)
    return next((it for it in known if _DIGEST.match(it) and it.rpartition("@")[0] == image), "")


def host_problems(given: object, tls: str = "internal") -> list[str]:
    """What is wrong with ``edge_hosts``: one sentence for each entry that is no host name.

    A star stands for the first label alone (RFC 6125), and no HTTP challenge proves it (RFC 8555).
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        return ["it is not a list: write [shop.example.org, www.example.org]"]
    names = [str(item) for item in given]
    return [f"{name!r} {problem}" for name in names if (problem := _problem(name, tls))]


def _problem(name: str, tls: str) -> str:
    """What is wrong with one name; empty where nothing is."""
    if _is_address(name):
        return "is an address: write a name of the host, or remove it"
    if "://" in name or "/" in name or re.search(r":[0-9]+\Z", name):
        return "is more than a host name: write it without scheme, port and path"
    if not _NAME.match(name) or len(name) > _LONGEST:
        return (
            "is not a host name: write labels of a-z, 0-9 and -, with dots between, "
            "such as shop.example.org"
        )
    if name.startswith("*") and name.count(".") < 2:
        return "covers a whole top-level domain: write the names you mean"
    if name.startswith("*") and tls == "acme":
        return "has a star, which edge_tls: acme cannot prove: write each name"
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
