"""Paths of a host by what they give to a container that has them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

SOCKET, DATA, WHOLE = "engine-socket", "engine-data", "whole-host"  # names of exceptions
# What rules the host, or is another stack's, with everything above and below. The last word is
# what an exception calls it; there is none for what has no name.
NEVER = (
    ("/run/docker.sock", "a container with the Engine's socket controls the host", SOCKET),
    ("/run/docker", "the Engine's own files control the host", SOCKET),
    ("/run/containerd", "containerd's socket controls the host", SOCKET),
    ("/run/podman", "an Engine's socket controls the host", SOCKET),
    ("/run/crio", "an Engine's socket controls the host", SOCKET),
    ("/run/cri-dockerd.sock", "an Engine's socket controls the host", SOCKET),
    ("/run/k3s", "an Engine's socket controls the host", SOCKET),
    ("/run/buildkit", "a builder's socket controls the host", SOCKET),
    ("/run/libvirt", "the socket of virtual machines controls the host", SOCKET),
    ("/var/lib/docker", "the volumes of all stacks are there", DATA),
    ("/var/lib/containerd", "the images of all stacks are there", DATA),
    ("/etc/maestro", "the edge's keys are there", ""),
)
# What belongs to the host. `host-path` names it as an exception.
HOST = (
    *("/boot", "/dev", "/etc", "/proc", "/root", "/sys"),
    *("/run/dbus", "/run/systemd", "/run/udev", "/run/user", "/run/lock", "/run/maestro"),
    *("/var/spool/cron", "/var/lib/systemd", "/var/lib/dpkg", "/var/lib/rpm"),
)
# What a container may read, and not write without an exception.
READABLE = (
    *("/etc/localtime", "/etc/timezone", "/etc/hostname", "/etc/hosts", "/etc/machine-id"),
    *("/etc/os-release", "/etc/resolv.conf", "/etc/ssl", "/etc/pki", "/etc/ca-certificates"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf"),
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/var/log"),
)
_ELSEWHERE = "allowed: named volumes, and paths that are no part of the system"
_BESIDE = "put a configuration beside the Compose file: `./{}:PATH:ro`, or use configs:"
_SECRET_NAMES = (".ssh", ".gnupg", ".docker")


@dataclass(frozen=True)
class Judgement:
    """Why a path is refused; ``exception`` tells whether it can be allowed by name.

    ``rule`` is that name, where it is not the one of all paths.
    """

    why: str
    exception: bool
    fix: str = _ELSEWHERE
    rule: str = ""


def judge(
    path: str, *, read_only: bool, never: Iterable[tuple[str, str, str]] = ()
) -> Judgement | None:
    """What is wrong with a mount of an absolute path; None where nothing is.

    ``never`` are paths of this host in addition to `NEVER`: where releases stand, where the
    Engine keeps its data.
    """
    found = plain(path)
    if found == "/":
        why = "the whole host, with the Engine's socket and the secrets of all stacks"
        return Judgement(why, exception=True, rule=WHOLE)
    touched = [item for item in (*NEVER, *never) if _touches(found, plain(item[0]))]
    # What cannot be allowed counts first.
    for place, why, rule in sorted(touched, key=lambda item: bool(item[2])):
        where = "" if found == plain(place) else f" ({place})"
        return Judgement(f"{why}{where}", exception=bool(rule), rule=rule)
    if any(_below(found, place) for place in READABLE):
        why, fix = "it belongs to the host and is writable", "mount it read-only: add `:ro`"
        return None if read_only else Judgement(why, exception=True, fix=fix)
    if any(_touches(found, place) for place in HOST):
        of_program = read_only and _below(found, "/etc/")
        fix = _BESIDE.format(posixpath.basename(found)) if of_program else _ELSEWHERE
        return Judgement("it belongs to the host", exception=True, fix=fix)
    whole_home = _below(found, "/home") and found.count("/") <= 2
    if whole_home or set(found.split("/")) & set(_SECRET_NAMES):
        return Judgement("a user's keys are there", exception=True)
    return None


def plain(path: str) -> str:
    """A path without ``..``, doubled slashes, and the links every Linux has."""
    found = posixpath.normpath(path).replace("//", "/")
    for link, target in (("/var/run", "/run"), ("/var/lock", "/run/lock")):
        if _below(found, link):
            found = target + found[len(link) :]
    return found


def _touches(path: str, place: str) -> bool:
    """Whether a path is the place, lies in it, or holds it."""
    return _below(path, place) or _below(place, path)


def _below(path: str, place: str) -> bool:
    return place in (path, "/") or path.startswith(place.rstrip("/") + "/")
