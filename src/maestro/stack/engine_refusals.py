"""What no container starts with: the Engine makes one, and refuses it when it is to run.

By then the container before it is stopped, so all of this is refused in the plan. What the Engine
refuses when it makes a container needs no rule here: that is done before anything is stopped.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import MaestroError

if TYPE_CHECKING:
    from ..records import Service

Finding = tuple[str, str, str]  # path below the service, what, fix

# https://github.com/opencontainers/runc/blob/main/libcontainer/configs/validate/validator.go
# What a container has of its own, by the key that with `host` gives it the host's instead.
_SYSCTLS = {
    "network_mode": re.compile(r"net\."),
    "ipc": re.compile(
        r"kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)\Z|fs\.mqueue\."
    ),
    "uts": re.compile(r"kernel\.domainname\Z"),
}
_SWAPPED = str.maketrans("./", "/.")
# https://man7.org/linux/man-pages/man2/getrlimit.2.html
_LIMITS = frozenset(
    "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
    "stack".split()
)
_RUNC = ("", "runc", "crun", "io.containerd.runc.v2", "nvidia")
# https://docs.docker.com/engine/logging/drivers/json-file/#options
_SIZE = re.compile(r"-1|\d+(\.\d+)?\s*[kmgtp]?i?b?", re.IGNORECASE)
_OF_LOGS = {
    "max-size": (_SIZE, "a size, such as 10m"),
    "max-file": (re.compile(r"[1-9]\d*"), 'a number in quotes, such as "3"'),
    "compress": (re.compile(r"true|false|1|0|t|f", re.IGNORECASE), '"true" or "false"'),
}
MOST_REPLICAS = 1000


def problems(services: Mapping[str, Service], stack: str) -> Iterator[MaestroError]:
    """Everything in the services that no container would start with."""
    for name, service in sorted(services.items()):
        for rule in _RULES:
            for path, what, fix in rule(service):
                where = f"{stack}/compose.yaml: services.{name}{path}"
                yield MaestroError(what, where=where, fix=fix)


def _text(service: Service) -> Iterable[Finding]:
    for key, value in sorted(service.items()):
        if "\\u0000" in json.dumps(value).replace("\\\\", ""):
            yield f".{key}", "found a NUL byte, which a program cannot receive", "remove it"


def _servers(service: Service) -> Iterable[Finding]:
    for number, server in enumerate(service.get("dns") or []):
        try:
            ipaddress.ip_address(str(server).partition("%")[0])
        except ValueError:
            yield f".dns[{number}]", f"found {server!r}: no address", "write an IP address"


def _limits(service: Service) -> Iterable[Finding]:
    for name in sorted(service.get("ulimits") or {}):
        if name.lower() not in _LIMITS:  # the Engine takes capitals as well
            fix = f"allowed: {', '.join(sorted(_LIMITS))}"
            yield f".ulimits.{name}", "Linux has no such limit", fix


def _kernel(service: Service) -> Iterable[Finding]:
    if str(service.get("runtime") or "") not in _RUNC:
        return
    for name in sorted(service.get("sysctls") or {}):
        key = next((key for key, own in _SYSCTLS.items() if own.match(_dotted(name))), None)
        fix = "set it on the host, and remove it here"
        if key is None:
            what = "a setting of the host's kernel, which a container cannot have by itself"
            yield f".sysctls.{name}", what, fix
        elif service.get(key) == "host":
            what = f"a setting that is the host's own with `{key}: host`"
            yield f".sysctls.{name}", what, f"{fix}, or remove `{key}: host`"


def _dotted(name: str) -> str:
    """A setting's name with dots; whichever of dot and slash comes first parts it (sysctl.d(5))."""
    first = next((letter for letter in name if letter in "./"), ".")
    return name.translate(_SWAPPED) if first == "/" else name


def _logs(service: Service) -> Iterable[Finding]:
    logging = service.get("logging") or {}
    if str(logging.get("driver") or "json-file") not in ("json-file", "local"):
        return
    for name, (shape, allowed) in _OF_LOGS.items():
        value = (logging.get("options") or {}).get(name)
        if value is not None and not shape.fullmatch(str(value).strip()):
            yield f".logging.options.{name}", f"found {value!r}", f"write {allowed}"


def _count(service: Service) -> Iterable[Finding]:
    deploy = service.get("deploy") or {}
    path = ".deploy.replicas" if "replicas" in deploy else ".scale"
    count = deploy.get("replicas", service.get("scale"))
    if count is not None and not 0 <= int(count) <= MOST_REPLICAS:
        yield path, f"found {count}", f"write a number from 0 to {MOST_REPLICAS}"


_RULES: tuple[Callable[[Service], Iterable[Finding]], ...] = (
    _text,
    _servers,
    _limits,
    _kernel,
    _logs,
    _count,
)
