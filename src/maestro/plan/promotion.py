"""A promotion: one environment gets what another one runs and has verified, and nothing else.

Digests come from the release that was verified, not from a tag. Configuration files, commands and
checks must be the same. What may differ between environments (values of variables, limits,
routes) is named in the plan.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import MaestroError, raise_all

if TYPE_CHECKING:
    from ..records import DeployRequest, Image, MadeOf, Promoted, VerifiedFacts

TIME = "%Y-%m-%dT%H:%M:%SZ"
HOURS = 168.0
# What must be the same: names of `facts.of_release`, and what of each service.
_SAME = ("version", "x-maestro.smoke", "x-maestro.migrations")
_SAME_OF_SERVICE = ("healthcheck", "command", "entrypoint", "user")
# Digests are compared by themselves.
_APART = ("image ", "version")


@dataclass(frozen=True)
class Asked:
    """What is promoted: ``stack`` from ``environment``, verified at most ``hours`` ago.

    ``version`` is what was asked for besides (may be empty), ``now`` the time in UTC, ``differs``
    names what may be another thing here.
    """

    stack: str
    environment: str
    now: str
    hours: float = HOURS
    version: str = ""
    differs: tuple[str, ...] = ()


def choose(asked: Asked, found: Mapping[str, VerifiedFacts]) -> Promoted:
    """What the hosts of an environment run and have verified; ``found`` is by host.

    `MaestroError` where they run nothing, not the same, or what was not verified lately.
    """
    there = {host: facts for host, facts in found.items() if facts["release"]}
    if not there:
        raise MaestroError(
            f"{asked.environment} runs no release of {asked.stack}, so nothing was verified there",
            where=f"-e promote={asked.environment}",
            fix=f"deploy it there first: ansible-playbook deploy.yml -l {asked.environment} "
            f"-e stack={asked.stack} -e version=TAG",
        )
    raise_all(
        [problem for host, facts in there.items() for problem in _of_host(asked, host, facts)]
    )
    host, first = next(iter(sorted(there.items())))
    other = [name for name, facts in there.items() if _differences(first, facts, asked.differs)]
    if other:
        raise MaestroError(
            f"the hosts of {asked.environment} do not run the same: {host} and {', '.join(other)}",
            where=f"-e promote={asked.environment}",
            fix=f"deploy {asked.stack} to all of {asked.environment} first",
        )
    return {
        "environment": asked.environment,
        "version": first["version"],
        "release": first["release"],
        "at": min(facts["at"] for facts in there.values()),
        "images": first["images"],
        "made_of": first["made_of"],
        "differs": list(asked.differs),
    }


def _of_host(asked: Asked, host: str, facts: VerifiedFacts) -> Iterator[MaestroError]:
    again = f"deploy it to {asked.environment} first"
    if facts["environment"] != asked.environment:
        yield MaestroError(
            f"its release is of {facts['environment'] or 'no environment'}, and not of "
            f"{asked.environment}",
            where=host,
            fix=f"name the environment that {host} belongs to: -e promote=NAME",
        )
    if asked.version and asked.version != facts["version"]:
        yield MaestroError(
            f"it runs {facts['version']}, and {asked.version} was asked for",
            where=host,
            fix=f"leave -e version out, or {again}",
        )
    for problem in facts["problems"]:
        yield MaestroError(problem, where=host, fix=f"{again}, and look at maestro.stacks.status")
    if not facts["made_of"]:
        yield MaestroError(
            "its release does not say what it is made of: an older version of Maestro made it",
            where=host,
            fix=f"deploy a new version to {asked.environment} first",
        )
    elif not facts["at"]:
        yield MaestroError("nothing says that its release was verified", where=host, fix=again)
    elif _age(asked.now, facts["at"]) > asked.hours * 3600:
        yield MaestroError(
            f"its release was verified at {facts['at']}, more than {asked.hours:g} hours ago",
            where=host,
            fix=f"{again}, or allow more: maestro_promote_hours in group_vars/",
        )


def _age(now: str, then: str) -> float:
    """Seconds between two times."""
    one, other = (
        datetime.datetime.strptime(text, TIME).replace(tzinfo=datetime.UTC) for text in (now, then)
    )
    return (one - other).total_seconds()


def _differences(one: VerifiedFacts, other: VerifiedFacts, differs: Sequence[str]) -> list[str]:
    found = sorted(_strict(one["made_of"], other["made_of"], differs))
    digests = [
        {name: image["digest"] for name, image in each["images"].items()} for each in (one, other)
    ]
    return found if digests[0] == digests[1] else [*found, "images"]


def _strict(one: MadeOf, other: MadeOf, differs: Sequence[str]) -> set[str]:
    """What is not the same and must be."""
    return {name for name in _other(one, other) if _must(name) and name not in differs}


def _other(one: MadeOf, other: MadeOf) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def _must(name: str) -> bool:
    service, _, key = name.partition(": ")
    if service.startswith("service ") and key:
        return key in _SAME_OF_SERVICE
    return name in _SAME or (name.startswith("config ") and not name.endswith(" (definition)"))


# In the decision of a deploy


def of(request: DeployRequest) -> Promoted | None:
    """What a deploy promotes; None for one that does not."""
    return request.get("promoted") or None


def pinned(
    known: Mapping[str, Image], request: DeployRequest
) -> tuple[dict[str, Image], list[MaestroError]]:
    """The images as they were verified, whatever their tags name by now; and which were not."""
    promoted = of(request)
    if promoted is None:
        return dict(known), []
    there = promoted["images"]
    # The same image in another registry has the same digest.
    elsewhere = {_path(name): image for name, image in there.items()}
    found = {name: there.get(name) or elsewhere.get(_path(name)) for name in known}
    problems = [
        MaestroError(
            f"{promoted['environment']} runs no such image, so it was not verified there",
            where=name,
            fix=f"deploy this stack to {promoted['environment']} first",
        )
        for name, image in found.items()
        if image is None
    ]
    return {name: found[name] or image for name, image in known.items()}, problems


def _path(reference: str) -> str:
    """A reference without the registry's name."""
    head, _, rest = reference.partition("/")
    return rest if rest and ("." in head or ":" in head or head == "localhost") else reference


def problems(host: str, made_of: MadeOf, request: DeployRequest) -> list[MaestroError]:
    """What this host would get and was not verified."""
    promoted = of(request)
    if promoted is None:
        return []
    before = promoted["made_of"]
    services = {name.partition(": ")[0] for name in made_of if name.startswith("service ")}
    verified = {name.partition(": ")[0] for name in before if name.startswith("service ")}
    found = {*_strict(before, made_of, promoted["differs"]), *(services - verified)}
    # Of a service that is not deployed here nothing can differ.
    left = verified - services
    found = {name for name in found if name.partition(": ")[0] not in left}
    return [
        MaestroError(
            f"{name}: this is not what {promoted['environment']} runs and has verified",
            where=host,
            fix=f"deploy this to {promoted['environment']} first, or promote from the commit that "
            "runs there; what must differ between the two stands in maestro_promote_differs",
        )
        for name in sorted(found)
    ]


def warnings(made_of: MadeOf, request: DeployRequest) -> list[str]:
    """Where a release comes from, and what may be another thing here, by name."""
    promoted = of(request)
    if promoted is None:
        return []
    where = promoted["environment"]
    lines = [f"promoted from {where}: release {promoted['release']}, verified {promoted['at']}"]
    allowed = {
        name
        for name in _other(promoted["made_of"], made_of)
        if (not _must(name) or name in promoted["differs"])
        and not name.startswith(_APART)
        and not name.endswith(": image")
    }
    if allowed:
        lines.append(f"other than in {where}: {', '.join(sorted(allowed))}")
    return lines


def origin(request: DeployRequest) -> str:
    """For the manifest: the environment and the release there; empty for no promotion."""
    promoted = of(request)
    return f"{promoted['environment']} {promoted['release']}" if promoted else ""
