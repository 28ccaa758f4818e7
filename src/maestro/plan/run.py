"""The run in which something is decided: what a plan cannot know by itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What a decision has to be told of the run it is made in, see `play.controller.this_run`.

    ``by`` is who runs it (``user@host``), ``at`` its time (UTC, ``YYYY-MM-DDTHH:MM:SSZ``), and
    ``release`` the id of the release it may make: later ones sort last.
    """

    by: str
    at: str
    release: str
