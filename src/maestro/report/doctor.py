"""What `maestro doctor` says: one line for each thing that was looked at, and what to do.

Facts come in, lines go out: `host.checkup` has those of a host, `play.doctor` the controller's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..host.checkup import UNITS
from .tables import columns

if TYPE_CHECKING:
    from ..records import CheckupFacts, DiskFacts, Examined

OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"
GIB = 1 << 30
LEAST_FREE = 1 * GIB  # bytes: less holds no release beside the one that runs
FEW_FREE = 0.1  # of a file system
CLOCK = 5.0  # seconds that a clock may be off
_PROVISION = "ansible-playbook maestro.stacks.provision -l {}"
# What SSH says, and what to do. https://man.openbsd.org/ssh.1
_SSH: tuple[tuple[str, str], ...] = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "if it was installed anew: ssh-keygen -R ADDRESS, and compare the new fingerprint",
    ),
    (
        "Host key verification failed",
        "its key is not known: ssh to it once, and compare the fingerprint",
    ),
    (
        "Permission denied",
        "ssh-copy-id USER@ADDRESS, or correct ansible_user and ansible_ssh_private_key_file",
    ),
    ("Could not resolve", "correct ansible_host in the inventory"),
    ("timed out", "is it running, and does a firewall let SSH through? see ansible_host"),
    ("refused", "does sshd run there? see ansible_host and ansible_port"),
)
_SUDO = ("sudo", "become", "privilege")


@dataclass(frozen=True)
class Check:
    """One line: ``area`` and ``what`` was looked at, on which ``host``, and how it is."""

    area: str
    what: str
    state: str
    found: str = ""
    fix: str = ""
    host: str = ""


def of_host(host: str, given: Examined) -> list[Check]:
    """The lines of one host; of one that was not reached only why."""
    if given.get("unreached"):
        text = _plain(given["unreached"])
        fix = next((fix for word, fix in _SSH if word in text), "ssh to it by hand")
        return [Check("keys", "SSH", PROBLEM, text, fix, host)]
    reached = Check("keys", "SSH", OK, "", "", host)
    if given.get("problem"):
        text = _plain(given["problem"])
        if any(word in text.lower() for word in _SUDO):
            fix = "let the account use sudo without a password, or add -K (ask for it)"
            return [reached, Check("hosts", "sudo", PROBLEM, text, fix, host)]
        fix = "Python 3 is needed there: apt-get install python3, or set ansible_python_interpreter"
        return [reached, Check("hosts", "Python", PROBLEM, text, fix, host)]
    facts = given["facts"]
    checks = [
        *_host(host, facts, given["agent"], given["environment"]),
        _clock(facts, given["began"], given["ended"]),
        *map(_disk, facts["disks"]),
        *_registry(facts),
        *_engine(host, facts),
    ]
    return [reached, *(Check(**{**asdict(check), "host": host}) for check in checks)]


def _plain(text: str) -> str:
    """The line of an error that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    known = [line for line in lines if any(word in line for word, _ in _SSH)]
    return (known or lines or ["no answer"])[0]


def _host(host: str, facts: CheckupFacts, agent: str, environment: str) -> Iterable[Check]:
    provision = _PROVISION.format(host)
    if facts["root"]:
        yield Check("hosts", "sudo", OK)
    else:
        fix = "set ansible_become: true for it in the inventory"
        yield Check("hosts", "sudo", PROBLEM, "the account is not root there", fix)
    said = facts["identity"]
    if said.get("problem"):
        yield Check("hosts", "provisioned", PROBLEM, said["problem"], provision)
    elif not said:
        yield Check("hosts", "provisioned", PROBLEM, "it never was", provision)
        return
    elif said["environment"] != environment:
        what = f"the host is {said['environment']}, and the inventory says {environment or 'none'}"
        fix = f"correct maestro_environment, or provision it anew: {provision}"
        yield Check("hosts", "provisioned", PROBLEM, what, fix)
    else:
        yield Check("hosts", "provisioned", OK, f"as {said['host']}, {said['environment']}")
    still = [unit for unit, wanted in UNITS.items() if facts["units"].get(unit) != wanted]
    if not facts["agent"]:
        yield Check("hosts", "agent", PROBLEM, "it is not installed", provision)
    elif still:
        what = ", ".join(f"{unit} is {facts['units'].get(unit) or 'unknown'}" for unit in still)
        yield Check("hosts", "agent", PROBLEM, what, f"systemctl enable --now {' '.join(still)}")
    elif facts["agent"] != agent:
        yield Check("hosts", "agent", NOTE, "of another version: the next deploy updates it")
    else:
        yield Check("hosts", "agent", OK)


def _clock(facts: CheckupFacts, began: float, ended: float) -> Check:
    """A host's time has to lie between the two of the controller."""
    off = max(began - facts["at"], facts["at"] - ended, 0.0)
    if off > CLOCK:
        fix = "let both follow a time server: timedatectl set-ntp true"
        return Check("hosts", "clock", PROBLEM, f"{off:.0f} s off the controller's", fix)
    if facts["synchronized"] == "no":
        fix = "timedatectl set-ntp true"
        return Check("hosts", "clock", NOTE, "right now, and it follows no time server", fix)
    return Check("hosts", "clock", OK)


def _disk(disk: DiskFacts) -> Check:
    share = disk["free"] / disk["size"] if disk["size"] else 1.0
    left = disk["files_free"] / disk["files"] if disk["files"] else 1.0
    found = f"{disk['place']}: {disk['free'] / GIB:.1f} GiB free ({share:.0%})"
    fix = "docker system prune, or a larger disk"
    if disk["free"] < LEAST_FREE or left < FEW_FREE / 10:
        few = "" if disk["free"] < LEAST_FREE else ", and hardly a new file fits (inodes)"
        return Check("hosts", "disk", PROBLEM, found + few, fix)
    return Check("hosts", "disk", NOTE if share < FEW_FREE else OK, found, fix)


def _registry(facts: CheckupFacts) -> Iterable[Check]:
    said = facts["registry"]
    if said is None:
        return
    if said["problem"]:
        yield Check("registry", said["name"], PROBLEM, said["problem"], said["fix"])
    else:
        yield Check("registry", said["name"], OK)


def _engine(host: str, facts: CheckupFacts) -> Iterable[Check]:
    engine, provision = facts["engine"], _PROVISION.format(host)
    if engine["problem"]:
        installed = bool(facts["identity"])
        fix = "systemctl status docker" if installed else provision
        yield Check("engine", "running", PROBLEM, engine["problem"], fix)
        return
    yield Check("engine", "running", OK, engine["version"])
    if engine["compose"]:
        yield Check("engine", "Compose", OK, engine["compose"])
    else:
        yield Check("engine", "Compose", PROBLEM, "there is none", provision)
    for text in facts["silent"]:
        yield Check("engine", "ports", NOTE, text, "docker ps, and the log of the container")


def of_inventory(hosts: Mapping[str, str], groups: Iterable[str]) -> list[Check]:
    """``hosts`` are those that were asked, with the environment of each."""
    found = sorted(set(hosts.values()))
    named = ", ".join(groups)
    many = f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}" + (f" of {named}" if named else "")
    checks = [Check("inventory", "hosts", OK, many)]
    if len(found) == 1 and found[0]:
        return [*checks, Check("inventory", "environment", OK, found[0])]
    what = ", ".join(f"{host}: {name or 'none'}" for host, name in sorted(hosts.items()))
    fix = "set maestro_environment in the group_vars of each group, and ask one at a time (-l)"
    return [*checks, Check("inventory", "environment", PROBLEM, what, fix)]


def failed(checks: Iterable[Check]) -> bool:
    """Whether something has to be done."""
    return any(check.state == PROBLEM for check in checks)


def table(checks: Sequence[Check], width: int) -> str:
    """One table; what to do stands below its line."""
    order = ("controller", "inventory", "keys", "secrets", "registry", "hosts", "engine")
    ordered = sorted(checks, key=lambda check: order.index(check.area))
    rows = [(check.area, check.host or "-", check.what, check.state) for check in ordered]
    told = columns(rows)
    start = max(map(len, told), default=0) + 2
    lines = []
    for line, check in zip(told, ordered, strict=True):
        lines += _wrapped(f"{line.ljust(start)}{check.found}".rstrip(), width)
        if check.state != OK:
            first, *more = check.fix.splitlines() or [""]
            lines += _wrapped(f"  -> {first}", width) if first else []
            lines += [f"     {line.strip()}" for line in more]
    problems = sum(check.state == PROBLEM for check in ordered)
    end = f"{problems} problem{'s' if problems > 1 else ''}" if problems else "all is as it should"
    return "\n".join([*lines, "", f"{end}."])


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    inside = "     " if line.startswith("  -> ") else "    "
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=inside,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def plain(checks: Iterable[Check]) -> list[dict[str, str]]:
    """As JSON has them."""
    return [asdict(check) for check in checks]
