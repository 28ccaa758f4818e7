"""What a plan does about containers of the stack's project that no release of Maestro made.

Nothing happens to them unasked. ``adopt`` takes over those of services the stack names; what it
does not name stays as it is, unless ``remove_unnamed`` is said as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError
from ..host.resources import Resources
from .names import KINDS, Named, published
from .networks import Anew
from .reasons import TAKES_OVER, Reason

if TYPE_CHECKING:
    from ..records import Compose, Container, DeployRequest, Mount, Serving

    Containers = Sequence[Container]


@dataclass(frozen=True)
class Asked:
    """What was said on the command line."""

    adopt: bool = False
    remove_unnamed: bool = False
    accept_volume_change: bool = False
    # Accounts of the hosts that may have the uid of a service, see `accounts`.
    accounts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: DeployRequest) -> Asked:
        """From the request of a deploy; what it does not say is not asked for."""
        return cls(
            adopt=bool(request.get("adopt")),
            remove_unnamed=bool(request.get("remove_unnamed")),
            accept_volume_change=bool(request.get("accept_volume_change")),
            accounts=frozenset(request.get("allowed_accounts") or ()),
        )


def strangers(containers: Containers) -> list[Container]:
    """Those that no release made."""
    return [item for item in containers if item.get("foreign")]


def stays(container: Container, named: Iterable[str], *, remove_unnamed: bool) -> bool:
    """Whether a plan leaves a container alone that its stack does not name."""
    return (
        bool(container.get("foreign")) and container["service"] not in named and not remove_unnamed
    )


def reasons(there: Containers) -> tuple[Reason, ...]:
    """Why a service is replaced that has such containers."""
    return tuple(
        Reason(TAKES_OVER, (str(item["name"]),), _origin(item)) for item in strangers(there)
    )


def warnings(named: Iterable[str], state: Serving, asked: Asked) -> list[str]:
    """What stays, and what is used as it is found."""
    there = strangers(state["containers"])
    left = [item for item in there if stays(item, set(named), remove_unnamed=asked.remove_unnamed)]
    return [
        f"{item['name']} (service {item['service']}) was not deployed by Maestro and stays "
        "as it is: -e remove_unnamed=true removes it"
        for item in left
    ]


def reused(compose: Compose, state: Serving) -> list[str]:
    """Volumes and networks of the project that are there before its first release."""
    if state["release"]:
        return []
    there = Resources.of(state)
    return [
        f"the {kind} {name} already exists and is used as it is"
        for kind, plural in KINDS.items()
        for name in sorted(
            str((item or {}).get("name") or key)
            for key, item in (compose.get(plural) or {}).items()
            if not (item or {}).get("external")
        )
        if name in (there.volumes if kind == "volume" else there.networks)
    ]


def problems(
    host: str,
    stack: str,
    compose: Compose,
    services: Iterable[str],
    state: Serving,
    asked: Asked,
) -> list[MaestroError]:
    """Why the plan cannot go in; ``compose`` is the release's file, ``services`` those it rolls."""
    named = set(services)
    there = strangers(state["containers"])
    taken = [item for item in there if item["service"] in named]
    left = [item for item in there if stays(item, named, remove_unnamed=asked.remove_unnamed)]
    gone = [item for item in there if item not in left]
    if (taken or (there and not state["release"])) and not asked.adopt:
        return [_unasked(host, stack, there, taken)]
    return [
        *_in_the_way(host, stack, compose, left),
        *_borrowed(host, gone, left),
        *([] if asked.accept_volume_change else _data(host, compose, taken)),
    ]


def _unasked(host: str, stack: str, there: Containers, taken: Containers) -> MaestroError:
    listed = ", ".join(f"{item['name']} ({_origin(item)})" for item in there)
    left = ", ".join(item["name"] for item in there if item not in taken)
    fix = "-e adopt=true takes over " + (
        ", ".join(item["name"] for item in taken) or "none of them"
    )
    if left:
        fix += f"; {left} stays as it is, unless you add -e remove_unnamed=true"
    return MaestroError(
        f"Maestro has no record of these containers of the project {stack}: {listed}",
        where=host,
        fix=f"{fix}. Or deploy under another name. Nothing was changed",
    )


def _in_the_way(
    host: str, stack: str, compose: Compose, left: Containers
) -> Iterable[MaestroError]:
    for name, service in sorted(compose["services"].items()):
        named = Named(stack, name, str(service.get("container_name") or ""))
        wanted = published(service)
        for item in left:
            met = sorted(wanted & set(item["foreign"]["ports"]))
            what = f"port {', '.join(met)}" if met else ""
            if named.fixed == item["name"]:
                what = f"the container name {named.fixed}"
            if what:
                yield MaestroError(
                    f"{what} of service {name} is taken by {item['name']}, which was made "
                    f"{_origin(item)} and stays",
                    where=host,
                    fix=f"stop {item['name']}, or add -e remove_unnamed=true",
                )


def _borrowed(host: str, gone: Containers, left: Containers) -> Iterable[MaestroError]:
    for item in left:
        for owner in gone:
            if owner["id"] in item["foreign"]["borrows"]:
                yield MaestroError(
                    f"{item['name']} stays and uses a namespace of {owner['name']}, which would "
                    "be replaced",
                    where=host,
                    fix=f"name the service {item['service']} in the stack as well, or stop "
                    f"{item['name']}",
                )


def on_networks(
    host: str,
    anew: Iterable[Anew],
    services: Iterable[str],
    state: Serving,
    asked: Asked,
) -> Iterable[MaestroError]:
    """Networks that would be recreated with a container on them that stays."""
    named = set(services)
    left = {
        item["name"]
        for item in strangers(state["containers"])
        if stays(item, named, remove_unnamed=asked.remove_unnamed)
    }
    for network in anew:
        for use in Resources.of(state).uses:
            if use.container in left and network.name in use.networks:
                yield MaestroError(
                    f"the network {network.name} would be recreated, and {use.container}, which "
                    "stays, is on it",
                    where=host,
                    fix=f"stop {use.container}, add -e remove_unnamed=true, or define the network "
                    "as it is",
                )


def _data(host: str, compose: Compose, taken: Containers) -> Iterable[MaestroError]:
    """Paths where a service would find other data, or none, than its hand-made container."""
    for item in taken:
        said = compose["services"][item["service"]].get("volumes") or []
        mounts = {str(mount.get("target")): _source(mount, compose) for mount in said}
        read_only = {str(mount.get("target")) for mount in said if mount.get("read_only")}
        for target, volume in sorted(item["foreign"]["volumes"].items()):
            now = mounts.get(target)
            configuration = volume.startswith("/") and (now is None or target in read_only)
            if volume == now or configuration or target.startswith("/run/secrets/"):
                continue
            yield MaestroError(
                f"{item['name']} has {volume or 'a volume without a name'} at {target} and would "
                f"have {now or 'an empty volume'} there: the service would not find its data",
                where=f"{host}: services.{item['service']}.volumes",
                fix="name the same volume there (`external: true` with its `name`), or copy the "
                "data first and say -e accept_volume_change=true",
            )


def _source(mount: Mount, compose: Compose) -> str:
    source = str(mount.get("source") or "")
    if mount.get("type") != "volume":
        return source
    return str(((compose.get("volumes") or {}).get(source) or {}).get("name") or source)


def _origin(item: Container) -> str:
    directory = item["foreign"]["made_from"]
    return f"from {directory}" if directory else "by hand"
