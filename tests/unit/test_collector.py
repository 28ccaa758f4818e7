"""A play's collector of garbage works seldom, and still works."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from maestro.play import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_later_is_collected_and_seldom() -> None:
    collector.relax()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == collector.SELDOM
    gone = weakref.ref(Circle())
    gc.collect()
    assert gone() is None
