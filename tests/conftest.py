"""What every test of Maestro shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest_plugins = [
    "lanes", "traceability", "newer_compose", "counter", "relay", "gallery_hosts", "jessy_stack",
    "mami_stack", "watching_stack",
]  # fmt: skip

SHOWN = pytest.StashKey[list[tuple[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the long runs."""
    parser.addoption(
        "--long", action="store_true", help="the long forms of load, fault and plan tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of what is in the long runs alone."""
    config.addinivalue_line("markers", "long: runs with --long alone (make test-long)")
    config.stash[SHOWN] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the long runs."""
    if config.getoption("--long"):
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was measured to the first process, where there are several."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["shown"] = session.config.stash[SHOWN]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what another process measured."""
    node.config.stash[SHOWN] += getattr(node, "workeroutput", {}).get("shown", [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what the tests measured, whether they passed or not."""
    for title, text in config.stash[SHOWN]:
        terminalreporter.section(title)
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether this is a long run."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def show(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Keep a title and a text, such as a table, for the end of the run."""
    return lambda title, text: pytestconfig.stash[SHOWN].append((title, text))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what this test starts count for the coverage: code that only a run of Ansible reaches."""
    monkeypatch.setattr("e2e.lab.measured", True)
