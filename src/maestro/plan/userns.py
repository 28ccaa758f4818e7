"""What a host whose Engine has user namespaces cannot run, and what an operator must know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host import folder
from ..host.userns import Remap, of_host
from ..release.render import Rendered
from ..stack import borrowing, isolation

if TYPE_CHECKING:
    from ..records import Compose, Service, Serving

PLACE = "userns-remap"


def moved(host: str, stack: str, state: Serving) -> list[MaestroError]:
    """An Engine that was switched since the release came in: it has other data, and none of this.

    A database would start empty, and no migration or job of before would run again.
    """
    release = state["release"]
    before, now = Remap.of(release), Remap.of(state)
    if not release or before.place == now.place:
        return []
    if "userns" not in release and state["containers"]:
        return []  # an older manifest says nothing of it, and its containers are there
    return [
        MaestroError(
            f"release {release['id']} was deployed {_words(before)}, and the Engine runs "
            f"{_words(now)} now: it has other containers, images and volumes ({PLACE})",
            where=host,
            fix=f"switch it back (docker_engine_userns_remap: {str(before.on).lower()}), or "
            f"begin anew: maestro.stacks.remove -l {host} -e stack={stack}, then deploy",
        )
    ]


def _words(remap: Remap) -> str:
    return f"with user namespaces from {remap.place[0]}" if remap.on else "without user namespaces"


def problems(host: str, rendered: Rendered, state: Serving) -> Iterator[MaestroError]:
    """What the Engine would refuse in the roll; ``state`` says what it remaps (`Remap.of`)."""
    remap = Remap.of(state)
    if not remap.on:
        return
    services = rendered.compose["services"]
    known = {**(state["release"].get("images") or {}), **(state.get("resolved") or {})}
    users = {str(image["digest"]): str(image.get("user") or "") for image in known.values()}
    for name, service in sorted(services.items()):
        if not of_host(service):
            yield from _of_service(host, name, service, rendered.compose)
            user = service.get("user") or users.get(str(service["image"]).rpartition("@")[2])
            yield from _user(host, name, str(user or "0"), remap)
            for group in service.get("group_add") or []:
                yield from _user(host, name, f"0:{group}", remap)
            yield from _borrowed(host, name, service, services)
    files = [
        *((item, f"the secret {item['name']}") for item in rendered.secret_files),
        *(
            (item, f"the config {name}")
            for name, versions in sorted(rendered.config_files.items())
            for version in versions.values()
            for item in folder.each(version)
        ),
    ]
    for item, what in files:
        try:
            gid = item.get("gid")
            uid = int(item["uid"])
            remap.owner(uid, uid if gid is None else int(gid), host=bool(item.get("host")))
        except MaestroError as problem:
            yield MaestroError(f"{what}: {problem.what}", where=host, fix=problem.fix)


def _of_service(host: str, name: str, service: Service, compose: Compose) -> Iterator[MaestroError]:
    found = [
        *(["privileged: true"] if service.get("privileged") else []),
        *(["network_mode: host"] if isolation.in_the_hosts_network(service, compose) else []),
        *(f"{key}: host" for key in ("pid", "ipc") if service.get(key) == "host"),
        *(["domainname"] if service.get("domainname") else []),
    ]
    for key in found:
        yield MaestroError(
            f"the service {name} has `{key}`, which this host's Engine refuses: its containers "
            f"have users of their own ({PLACE})",
            where=host,
            fix=f"remove it, or add `userns_mode: host` to services.{name} (in production the rule "
            "userns-host has to be allowed too)",
        )
    for source in _renamed(service):
        yield MaestroError(
            f"the service {name} has the device {source} under another name, "
            f"which this host's Engine cannot do ({PLACE})",
            where=host,
            fix=f"give it its own name in services.{name}.devices",
        )


def _user(host: str, name: str, user: str, remap: Remap) -> Iterator[MaestroError]:
    """A user, of the file or of the image, who is nobody on the host."""
    uid, _, gid = user.partition(":")
    for ids, number, kind in ((remap.uids, uid, "uid"), (remap.gids, gid or "0", "gid")):
        if number.isdigit() and ids.on_host(int(number)) is None:
            yield MaestroError(
                f"the service {name} runs as the {kind} {number}, for which this host's Engine has "
                f"no place ({PLACE})",
                where=host,
                fix=f"use a smaller number in services.{name}.user, or give dockremap a larger "
                f"range in /etc/sub{kind}",
            )


def _renamed(service: Service) -> Iterator[str]:
    """Devices that have another name in the container; Compose says them as text or in parts."""
    for device in service.get("devices") or []:
        if isinstance(device, Mapping):
            source, target = str(device.get("source")), str(device.get("target") or "")
        else:
            source, target, *_ = [*str(device).split(":"), ""]
        if target not in ("", source):
            yield source


def _borrowed(
    host: str, name: str, service: Service, services: Mapping[str, Service]
) -> Iterator[MaestroError]:
    """Namespaces of a container that has the host's users: those of another kind cannot join."""
    for key, owner in sorted(borrowing.namespaces(service).items()):
        if of_host(services.get(owner) or {}):
            yield MaestroError(
                f"the service {name} has `{key}: service:{owner}`, and {owner} is in the host's "
                f"user namespace: this host's Engine would not start it ({PLACE})",
                where=host,
                fix=f"add `userns_mode: host` to services.{name} too, or remove it from "
                f"services.{owner}",
            )


def warnings(compose: Compose, state: Serving) -> list[str]:
    """Directories of the host that a service writes: they have to belong to other users then."""
    remap = Remap.of(state)
    if not remap.on:
        return []
    base = remap.uids.on_host(0)
    return [
        f"the service {name} writes {mount['source']} of the host, where its uid N is {base} + N "
        f"({PLACE}): its files have to belong to that one"
        for name, service in sorted(compose["services"].items())
        if not of_host(service)
        for mount in service.get("volumes") or []
        if mount.get("type") == "bind" and not mount.get("read_only")
    ]
