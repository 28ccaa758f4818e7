"""What takes minutes and mostly waits runs beside the unit tests: the demo, then Molecule.

Starts when the collected tests need it. A test waits for its own piece by `result`; nothing
runs beside the end-to-end tests, which come last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
AT_ONCE = 2
DEMO = "demo"


@dataclass(frozen=True)
class Ended:
    """How a piece of work ended: its exit code and all it said."""

    rc: int
    out: str


class Background:
    """Commands that run while other tests do; each is waited for by its name."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[Ended]] = {}
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, name: str, *argv: str, after: str | None = None) -> None:
        """Run a command, once ``after`` ended well."""
        self._futures[name] = self._pool.submit(self._run, argv, after)

    def result(self, name: str) -> Ended:
        """Wait for a piece of work."""
        return self._futures[name].result()

    def settle(self) -> None:
        """Wait until nothing runs beside the test that asks."""
        for future in self._futures.values():
            future.result()

    def stop(self) -> None:
        """End what still runs, when the session is broken off."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, argv: tuple[str, ...], after: str | None) -> Ended:
        if after and (before := self.result(after)).rc:
            return Ended(before.rc, f"{after} failed before it:\n{before.out}")
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # Without what measures the tests: it would only slow these commands down.
        environ = {key: value for key, value in os.environ.items() if "COVERAGE" not in key}
        with self._lock:
            if self._stopped:
                return Ended(1, "the session was broken off")
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**environ, "PATH": path, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            self._processes.add(process)
        out, _ = process.communicate()
        self._processes.discard(process)
        return Ended(process.returncode, out)


RUNNING = pytest.StashKey[Background]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the collected tests will wait for."""
    if session.config.option.collectonly:
        return
    wanted = {
        item.callspec.params["name"]
        for item in session.items
        if item.path.name == "test_scenarios.py" and hasattr(item, "callspec")
    }
    ends = any("demo" in getattr(item, "fixturenames", ()) for item in session.items)
    if not wanted and not ends:
        return
    work = session.config.stash[RUNNING] = Background()
    work.start(DEMO, "make", "demo")
    for name in SCENARIOS:
        if name in wanted:
            work.start(name, "molecule", "test", "--scenario-name", name, after=DEMO)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing running."""
    if RUNNING in config.stash:
        config.stash[RUNNING].stop()


@pytest.fixture(scope="session")
def background(pytestconfig: pytest.Config) -> Background:
    """What runs beside the tests."""
    return pytestconfig.stash[RUNNING]
