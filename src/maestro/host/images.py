"""Pull images by digest: the one place where an image reaches a host."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import incoming
from .engine import Engine
from .layout import Layout, write_atomically
from .login import Login
from .reference import Reference

AT_ONCE = 3  # the Engine's own default for concurrent downloads


def pull(images: Iterable[str], login: Login | None) -> list[str]:
    """Pull each ``NAME@sha256:...`` that is not there; return those that were pulled.

    The login is sent only to its own registry. Raises `MaestroError` at the first image
    that cannot be had.
    """
    engine = Engine()
    missing = sorted(set(images) - engine.repo_digests())

    def one(image: str) -> None:
        if incoming.is_sent(image):
            return
        auth = None
        if login is not None and Reference.parse(image).registry == login.registry:
            auth = {
                "username": login.username,
                "password": login.password,
                "serveraddress": login.registry,
            }
        engine.pull(image, auth)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, missing))
    # One after the other: they all come from the same address.
    for image in filter(incoming.is_sent, missing):
        with incoming.serving(image):
            engine.pull(image)
    return missing


def note(layout: Layout, names: Iterable[str]) -> None:
    """Remember what a first deploy brought to the host; see `pulled`."""
    found = sorted({*pulled(layout), *names})
    if found and not layout.current_id() and layout.home.is_dir():
        write_atomically(_file(layout), json.dumps(found) + "\n", 0o600)


def pulled(layout: Layout) -> set[str]:
    """``NAME@DIGEST`` of the images that were pulled for a stack which nothing served yet."""
    try:
        return set(json.loads(_file(layout).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def settle(layout: Layout) -> None:
    """The stack serves: what was pulled for it belongs to a release now."""
    _file(layout).unlink(missing_ok=True)


def _file(layout: Layout) -> Path:
    return layout.home / "pulled.json"
