"""Pull images by digest: the one place where an image reaches a host."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from .engine import Engine
from .registry import Login, Reference

AT_ONCE = 3  # the Engine's own default for concurrent downloads


def pull(images: Iterable[str], login: Login | None) -> list[str]:
    """Pull each ``NAME@sha256:...`` that is not there; return those that were pulled.

    The login is sent only to its own registry. Raises `MaestroError` at the first image
    that cannot be had.
    """
    engine = Engine()
    missing = sorted(set(images) - engine.repo_digests())

    def one(image: str) -> None:
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
    return missing
