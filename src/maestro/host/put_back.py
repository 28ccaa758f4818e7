"""Put the release that served back, with all that a failed one replaced or removed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError, raise_all
from . import adoption, anew, health, lease, nameless, recovery, release, removal, room, settle
from .aim import Aim
from .engine import Engine
from .layout import Layout, point
from .roll import Roll, together
from .rules import ROLLBACK
from .strangers import services as services_of_strangers

if TYPE_CHECKING:
    from ..records import Manifest

# The Engine may be starting anew.
ENGINE_PATIENCE = 60.0


def put_back(
    layout: Layout,
    staged: str,
    timeout: float,
    serves: str | None = None,
    check: Callable[[], None] = lambda: None,
    *,
    settling: float = settle.WATCH_BACK,
) -> dict[str, Any]:
    """Let the release that served serve again, and remove what the failed one brought.

    ``serves`` is its id, by default the current one. Containers that still are what it wants
    are not touched; what starts first comes back before the failed one goes. Where no release
    served, nothing of the stack is left but what was there before, see `removal.undo_first`. A
    service that does not come up keeps no other from coming back: `recovery.Incomplete` names it
    at the end. So does a `MaestroError` that names a container which cannot be removed.
    """
    engine = _ready(layout)
    old = layout.current_id() if serves is None else serves
    if not old:
        _undo_first(layout, staged, engine)
        return {"serves": "", "restored": []}
    manifest = layout.manifest(old)
    aim = Aim(old, manifest["services"], manifest.get("routes") or [], ROLLBACK)
    roll = _roll(layout, aim, timeout, check, engine, settling)
    check()
    if layout.current_id() != old:
        point(layout.current, layout.release(old))
    anew.undo(layout, engine, lambda names: roll.leaving.stop(names, manifest["order"]))
    # What somebody ran by hand served beside the release, or in its place.
    aside = adoption.services(layout, staged) | services_of_strangers(engine, layout)
    stuck: list[MaestroError] = []
    restored, problems = _restore(roll, manifest, aside, stuck)
    if staged != old:
        adoption.restore(layout, staged, engine)
    _tidy(layout, staged, engine)
    if problems:
        raise recovery.Incomplete(old, restored, problems)
    raise_all(stuck)
    recovery.clear(layout)
    return {"serves": old, "restored": restored}


def _ready(layout: Layout) -> Engine:
    """The Engine once it answers, with room on the disk and what containers hold written down."""
    room.give(layout)
    engine = Engine()
    engine.wait_ready(ENGINE_PATIENCE)
    nameless.note(layout, engine)
    return engine


def _tidy(layout: Layout, staged: str, engine: Engine) -> None:
    nameless.sweep(layout, engine)
    release.discard(layout, staged)


def _roll(
    layout: Layout,
    aim: Aim,
    timeout: float,
    check: Callable[[], None],
    engine: Engine,
    settling: float,
) -> Roll:
    """A roll on a host that may have lost images, and has a part of the release already."""
    return Roll(
        layout,
        aim,
        timeout,
        check=check,
        engine=engine,
        apart=True,
        settle=settling,
        strict=False,
        pull="missing",
    )


def _undo_first(layout: Layout, staged: str, engine: Engine) -> None:
    removal.undo_first(layout, staged, engine)
    anew.forget(layout)
    _tidy(layout, staged, engine)
    recovery.clear(layout)


def _restore(
    roll: Roll, manifest: Manifest, aside: set[str], stuck: list[MaestroError]
) -> tuple[list[str], dict[str, str]]:
    """The services that came back, and why others did not; those ``aside`` are left as they are.

    ``stuck`` gets what cannot be removed.
    """
    services = manifest["services"]
    # What was done is not done again: only what the failed release made of it goes.
    ran = [
        name
        for name in services
        if name not in aside and roll.standing.ran(name) and roll.standing.due(name)
    ]
    with _kept_going(roll, stuck):
        roll.leaving.remove(ran, strangers=False)
    restored: list[str] = []
    problems: dict[str, str] = {}
    for level in together(roll, manifest["order"]):
        stale = [name for name in level if name not in aside and roll.standing.due(name)]
        done, failed = recovery.restore(roll, stale)
        restored += done
        problems |= failed
    roll.traffic.settle()
    for name, (containers, why) in roll.judging.verify().items():
        problems[name] = health.failure(roll.layout, roll.engine, name, containers, why).what
    with _kept_going(roll, stuck):
        roll.leaving.leave(services, aside)
    return restored, problems


@contextlib.contextmanager
def _kept_going(roll: Roll, stuck: list[MaestroError]) -> Iterator[None]:
    """Let what cannot be removed keep nothing from coming back; a lost lease ends it all the same.

    The host tries again by itself, see `switch`.
    """
    try:
        yield
    except lease.Lost:
        raise
    except MaestroError as problem:
        roll.engine.wait_ready(5)
        problem.what = f"release {roll.aim.release} is running again, but {problem.what}"
        stuck.append(problem)
