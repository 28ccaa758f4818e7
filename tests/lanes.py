"""What runs beside what: the lab's tests in lanes, each done by one process, in its order.

A test of the lab changes hosts; the tests of one lane share theirs and come one after the other,
those of two lanes have nothing in common. A lane waits for its hosts more than it computes, so
each begins as early as it can. What needs no host comes when all of them have begun, on the
processes that are free by then, and keeps both cores busy while the last of them wait. Without
more processes (`pytest` as it is) all of it runs in one, in the same order.

A test with the marker ``alone`` measures time: nothing runs beside it, and it comes last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e import lab
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
SCENARIOS = sorted(
    (path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")),
    key=lambda name: (name != "default", name),
)
DEPLOYS = [name for name in SCENARIOS if (ROOT / "molecule" / name / "prepare.yml").exists()]

# Names a host that is ready, while a test is written: neither the lab nor the host is made then.
GIVEN = "MAESTRO_TEST_HOST"
STAGING, PRODUCTION, NONE = "staging", "production", ""
# Hosts of lanes of their own, see tests/gallery_hosts.py: with the distribution's Compose, and with
# a newer one and user namespaces. Files whose tests run on the second where they run on one alone:
GALLERY = ("gallery-1", "gallery-2")
NEWER = ("test_files_and_values.py", "test_life.py", "test_userns.py")
USERS = ("test_userns.py",)  # what an Engine with user namespaces alone shows
# In the order in which a free process takes them; a lane's files in the order in which they run.
LANES: dict[str, tuple[str, ...]] = {
    # Every file of the directories below that is not named here; the table's long waits come while
    # the other lanes have work for both cores.
    STAGING: ("test_deploy.py", "test_table.py"),
    PRODUCTION: (
        "test_first_deploy.py",
        "test_docker_engine.py",
        "test_lease.py",
        "test_rollback.py",
        "test_failures.py",
        "test_rotation.py",
        "test_secrecy.py",
        "test_waves.py",
        "test_approval.py",
        "test_canary.py",
        "test_edge_tls.py",
        "test_mami.py",
    ),
    **dict.fromkeys(GALLERY, ("test_gallery.py",)),  # tests with a Direct
    "build host": (
        "test_jessy_images.py",
        "test_jessy_stress.py",
        "test_jessy_bench.py",
        "test_jessy_tests.py",
        "test_images.py",
        "test_lab.py",
    ),
    # This machine's own Engine.
    "this machine": ("test_jessy_up.py", "test_mami_program.py", "test_mami_up.py"),
    "molecule deploys": (),  # scenarios that take turns on one host
    "molecule": (),
    NONE: (),  # tests/lint, tests/unit
}
# The longest of what needs no host comes before the rest of it, so that the last process does not
# end long after the others; in this order.
LONGEST = ("test_lint.py", "test_bootstrap.py", "test_redaction_output.py", "test_hooks.py")
ON_HOSTS = ("e2e", "load", "faults")


def lane(nodeid: str) -> str:
    """The lane of a test; nothing when it may run beside any other."""
    path = Path(nodeid.partition("::")[0])
    if path.parent.name in ON_HOSTS:
        if host := re.search(r"\[.*\b(gallery-[12])\b.*\]$", nodeid):
            return host[1]
        return next((name for name in LANES if path.name in LANES[name]), STAGING)
    named = re.search(r"\[(.+)\]$", nodeid)
    if path.parent.name == "molecule" and named and named[1] in SCENARIOS:
        return "molecule deploys" if named[1] in DEPLOYS else "molecule"
    return NONE


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order of their lanes, those that are to be alone at the end of each."""
    order = list(LANES)

    def place(item: pytest.Item) -> tuple[int, bool, int]:
        if item.path.name in LONGEST:
            return order.index(NONE), False, LONGEST.index(item.path.name) - len(LONGEST)
        mine = lane(item.nodeid)
        alone = bool(item.get_closest_marker("alone"))
        return order.index(mine), alone, [*LANES[mine], item.path.name].index(item.path.name)

    items.sort(key=place)


def environment(path: Path) -> str:
    """The environment whose hosts the tests of a file change."""
    return PRODUCTION if path.name in LANES[PRODUCTION] else STAGING


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist is not typed
    """Gives each lane to one process, and every other test to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Let the lanes say what belongs together."""
    return Lanes(config, log)


@contextlib.contextmanager
def locked(name: str, *, shared: bool = False) -> Iterator[None]:
    """Keep other processes of the tests away from what ``name`` stands for."""
    path = ROOT / ".cache" / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def in_turn(name: str) -> Iterator[None]:
    """`locked`, and who waits comes before who had it last and wants it again."""
    with contextlib.ExitStack() as stack:
        with locked(f"{name}-next"):
            stack.enter_context(locked(name))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Let nothing run beside a test that is to be alone."""
    with contextlib.ExitStack() as stack:
        if item.get_closest_marker("alone"):
            # Who waits here keeps others from beginning.
            stack.enter_context(locked("next"))
            stack.enter_context(locked("tests"))
        else:
            with locked("next", shared=True):
                stack.enter_context(locked("tests", shared=True))
        return (yield)


@pytest.fixture
def production() -> Iterator[None]:
    """The production hosts for this test alone: tests of two lanes use them."""
    with in_turn(PRODUCTION):
        yield


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str], contextlib.AbstractContextManager[bool]]:
    """Whether nobody did what has this name yet; who asks next waits until it is done."""
    base = tmp_path_factory.getbasetemp()
    notes = base if worker_id == "master" else base.parent

    @contextlib.contextmanager
    def first(name: str) -> Iterator[bool]:
        with locked(name):
            note = notes / f"{name}.done"
            yield not note.exists()
            note.touch()

    return first


@pytest.fixture(scope="session")
def production_hosts(lab_made: None) -> None:
    """The production hosts with the Engine and everything else, which the demo leaves bare."""
    if GIVEN in os.environ:
        return
    with in_turn(PRODUCTION):
        lab.playbook("playbooks/provision.yml", "-l", PRODUCTION).ok()


class Demo:
    """`make demo`, run once for all processes of the tests; ``notes`` is a directory of all.

    ``patience`` is how many seconds another process may take to begin with it.
    """

    def __init__(self, notes: Path, patience: float = 0) -> None:
        self.patience = patience
        self.said, self.ended = notes / "demo.txt", notes / "demo.rc"

    def run(self) -> lab.Run:
        """Run it, unless another process did or does."""
        with locked("demo"):
            if not self.ended.exists():
                with self.said.open("w") as said:
                    done = subprocess.run(
                        ["make", "demo"],
                        cwd=ROOT,
                        env={**lab.surroundings(), "NO_COLOR": "1"},
                        stdin=subprocess.DEVNULL,
                        stdout=said,
                        stderr=subprocess.STDOUT,
                        timeout=1800,
                        check=False,
                    )
                self.ended.write_text(str(done.returncode))
        return lab.Run(["make", "demo"], int(self.ended.read_text()), self.said.read_text(), 0)

    def until(self, step: str) -> None:
        """Wait until it comes to a step, while another process runs it; else run it."""
        # Who is to run it may come a little later.
        deadline = time.monotonic() + self.patience
        while not self.said.exists() and time.monotonic() < deadline:
            time.sleep(0.5)
        while self.said.exists() and not self.ended.exists():
            if f"\n== {step}" in self.said.read_text():
                return
            time.sleep(1)
        self.run().ok()


@pytest.fixture(scope="session")
def the_demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Demo:
    """The demo, begun or not."""
    base = tmp_path_factory.getbasetemp()
    return Demo(base) if worker_id == "master" else Demo(base.parent, patience=30)


@pytest.fixture(scope="session")
def demo(the_demo: Demo) -> lab.Run:
    """`make demo`: a staging deployment of Jessy on lab hosts."""
    return the_demo.run().ok()


@pytest.fixture(scope="session")
def lab_made(the_demo: Demo) -> None:
    """The lab with its registry and the secrets of its environments; the demo may go on."""
    if GIVEN in os.environ:
        return
    the_demo.until("Provision")
    # The longest lane waits for the demo's images: whoever builds them goes before all others.
    builder = f"{lab.settings()['name']}-registry"
    lab.run("docker", "update", "--cpu-shares", "4096", builder).ok()
