"""Why something happens to a service or a network: data that is compared, and its words.

A new reason is a name here, its words in `shown`, and the place in `compare` that finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..stack import borrowing

# The names of reasons. Any other name is a key of the Compose file that differs.
MISSING = "no-container"
UNRECORDED = "not-as-recorded"
REPLICAS = "replica-count"
STOPPED = "not-running"
DONE = "done"  # a job that ended with 0
UNHEALTHY = "unhealthy"
CUT_OFF = "off-network"  # somebody disconnected it by hand
NETWORK = "network-recreated"
LEAVES = "left-the-stack"
TAKES_OVER = "takes-over"
SHARES = "shares-with"
FOLLOWS = "restarts-with"
OWNER_GONE = "owner-gone"
OWNER_RESTARTED = "owner-restarted"
CALLED = "called-otherwise"  # a network, by the file before
ADDRESSES = "addresses-needed"


@dataclass(frozen=True)
class Reason:
    """One reason for a step, or for a network that is recreated.

    ``about`` names what it is about: variables, files, networks, services or containers.
    ``current`` is how it is and ``desired`` how it shall be. Both are empty where the value may
    be a secret: of a changed variable only the name is known here.
    """

    name: str
    about: tuple[str, ...] = ()
    current: str = ""
    desired: str = ""


def shown(reason: Reason) -> str:
    """A reason as an operator reads it."""
    about = ", ".join(reason.about)
    current, desired = reason.current, reason.desired
    words = {
        MISSING: "has no container",
        UNRECORDED: "differs from the recorded release",
        REPLICAS: f"{current} -> {desired} containers",
        STOPPED: f"is {current}",
        DONE: "done",
        UNHEALTHY: "is unhealthy",
        CUT_OFF: f"is not on the network {about}",
        NETWORK: f"network {about} is recreated",
        LEAVES: "no longer in the stack",
        TAKES_OVER: f"takes over {about}, made {current}",
        SHARES: f"shares with {about}, which is {current}",
        FOLLOWS: f"with {about}, which is {current}",
        OWNER_GONE: f"holds the {borrowing.WORDS.get(about)} of a container that is gone",
        CALLED: f"the file called it {current} before",
        ADDRESSES: f"{about} needs its addresses",
        OWNER_RESTARTED: f"holds the {borrowing.WORDS.get(about)} {current} had before a restart",
    }
    if reason.name in words:
        return words[reason.name]
    change = f"{current} -> {desired}" if desired else about
    return f"{reason.name} {change}".rstrip()


def all_shown(reasons: Iterable[Reason]) -> str:
    """Several of them in one line."""
    return "; ".join(map(shown, reasons))
