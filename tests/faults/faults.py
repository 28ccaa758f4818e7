"""What can go wrong in the middle of a deploy, done for real to a host of the lab."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from e2e import lab
from e2e.whole import machine, within


@dataclass(frozen=True)
class Step:
    """A step of a deploy: its task, and how long after it begins the fault strikes."""

    name: str
    task: str
    seconds: float = 0.2


@dataclass(frozen=True)
class Fault:
    """``prepare`` goes before the deploy; ``heal`` ends what ``strike`` did."""

    name: str
    strike: Callable[[str, lab.Playing], None]
    prepare: Callable[[str], None] = lambda host: None
    heal: Callable[[str], None] = lambda host: None


BRING = "Fetch the release, replace changed services and wait until they are healthy"
STEPS = (
    Step("look", "Read the state of the host"),
    # One call: they follow each other within some seconds.
    Step("lease", BRING),
    Step("pull", BRING, 0.6),
    Step("stage", BRING, 1.0),
    Step("secrets", BRING, 1.4),
    Step("migrate", BRING, 2.0),
    Step("roll", BRING, 3.5),
    Step("smoke", BRING, 6.0),
    Step("commit", "Commit the release"),
    Step("finish", "Commit the release", 0.6),
)


def shell(script: str) -> Callable[[str], None]:
    """Something done on the host itself."""

    def run(host: str, *_: object) -> None:
        within(host, "bash", "-ec", script)

    return run


def kill_controller(_host: str, play: lab.Playing) -> None:
    """The playbook is gone without a word; what it began on the host goes on."""
    play.kill()


def restart_host(host: str, *_: object) -> None:
    """The whole machine goes down and comes up again."""
    subprocess.run(["docker", "restart", machine(host)], capture_output=True, check=True)


# Packets vanish, as they do behind a broken switch: nobody is told.
CUT = "iptables -I INPUT -p tcp --dport 22 -j DROP; iptables -I OUTPUT -p tcp --sport 22 -j DROP"
JOIN = (
    "iptables -D INPUT -p tcp --dport 22 -j DROP || true;"
    "iptables -D OUTPUT -p tcp --sport 22 -j DROP || true"
)
NO_REGISTRY = "iptables -I OUTPUT -p tcp --dport 5000 -j REJECT --reject-with tcp-reset"
REGISTRY = "iptables -D OUTPUT -p tcp --dport 5000 -j REJECT --reject-with tcp-reset || true"

# The stack's directory and what the Engine downloads to, on file systems that can be filled.
SMALL = """
cp -a /opt/maestro/counter /opt/maestro/.counter
mount -t tmpfs -o size=6m,mode=755 small /opt/maestro/counter
cp -a /opt/maestro/.counter/. /opt/maestro/counter/
mount -t tmpfs -o size=400m,mode=711 small /var/lib/docker/tmp
"""
FULL = """
for place in /opt/maestro/counter /var/lib/docker/tmp; do
    dd if=/dev/zero of=$place/filler bs=4k 2>/dev/null || true
done
"""
LARGE = """
rm -f /opt/maestro/counter/filler
mountpoint -q /opt/maestro/counter || exit 0
rm -rf /opt/maestro/.counter
cp -a /opt/maestro/counter /opt/maestro/.counter
umount -l /opt/maestro/counter
umount -l /var/lib/docker/tmp
rm -rf /opt/maestro/counter/* /opt/maestro/counter/.[!.]*
cp -a /opt/maestro/.counter/. /opt/maestro/counter/
rm -rf /opt/maestro/.counter
"""

FAULTS = (
    Fault("controller killed", kill_controller),
    Fault("SSH cut", shell(CUT), heal=shell(JOIN)),
    Fault("Engine restarted", shell("systemctl restart docker")),
    Fault("host restarted", restart_host),
    Fault("registry gone", shell(NO_REGISTRY), heal=shell(REGISTRY)),
    Fault("disk full", shell(FULL), prepare=shell(SMALL), heal=shell(LARGE)),
)
