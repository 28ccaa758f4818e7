"""How often Python looks for garbage while a play runs."""

from __future__ import annotations

import gc

# Objects between two looks at the youngest ones, and how often the older ones are looked at.
SELDOM = (20_000, 50, 100)


def relax() -> None:
    """Let what Ansible loaded be, and look at what is made from now on less often.

    A play makes many objects and few circles of them. Each task runs in a fork, which copies the
    pages that the collector writes to. Tried with 40 short tasks: 6 % less CPU, five times of five.
    """
    gc.freeze()
    gc.set_threshold(*SELDOM)
