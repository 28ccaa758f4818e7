"""Which commitments are proven: the marker ``requirement`` and ``make requirements``.

A test names the ids it proves: ``@pytest.mark.requirement("R3.2", "D19")``. An id that is not
in docs/requirements.yml stops the run before the first test. In a full run (``--full``, which
``make test`` passes) one more test comes last: it compares the states in that file with the
tests that passed in this very run and fails on any difference, both ways. A full run leaves its
outcome in test-results/requirements.json, where ``make requirements`` finds it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

RESULTS = "test-results/requirements.json"
CLAIMS = "docs/requirements.yml"
STATES = ("pending", "proven")


@dataclass(frozen=True)
class Row:
    """One commitment: its id, its sentence, its claimed state, the group it stands in."""

    id: str
    text: str
    state: str
    group: str


def read_claims(path: Path) -> dict[str, Row]:
    """Read the file of commitments; raise ValueError on a doubled id or a state unknown."""
    rows: dict[str, Row] = {}
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
        for name, row in group["requirements"].items():
            if row["state"] not in STATES:
                raise ValueError(f"{path}: {name}: state {row['state']!r} is none of {STATES}")
            if name in rows:
                raise ValueError(f"{path}: {name} stands twice")
            rows[name] = Row(name, row["text"], row["state"], group["title"])
    return rows


@dataclass
class Record:
    """What happened to the tests that prove something: id -> test -> passed."""

    outcomes: dict[str, dict[str, bool]] = field(default_factory=lambda: defaultdict(dict))

    def proven(self) -> set[str]:
        """The ids of which at least one test passed, and none that ran failed."""
        return {name for name, tests in self.outcomes.items() if tests and all(tests.values())}

    def differences(self, rows: dict[str, Row]) -> list[str]:
        """Every id whose claimed state is not what the tests showed."""
        shown = self.proven()
        lines = []
        for row in rows.values():
            tests = self.outcomes.get(row.id, {})
            if row.state == "proven" and row.id not in shown:
                failed = [test for test, passed in tests.items() if not passed]
                why = f"failed or did not run to its end: {', '.join(failed)}" if failed else ""
                lines.append(f"{row.id} is claimed as proven, but {why or 'no test of it passed'}")
            elif row.state == "pending" and row.id in shown:
                lines.append(f"{row.id} is pending, but proven by: {', '.join(tests)}")
        return lines


def marked_ids(item: pytest.Item) -> list[str]:
    """The ids a test names, its class's and module's included."""
    return [str(name) for mark in item.iter_markers("requirement") for name in mark.args]


class Plugin:
    """Checks the markers at collection, records outcomes, judges the claims at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        self.full = bool(config.getoption("--full"))
        self.rows = read_claims(self.root / CLAIMS)
        self.record = Record()
        self.ids: dict[str, list[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Refuse unknown ids; put the judgement of a full run last."""
        wrong = []
        for item in items:
            ids = marked_ids(item)
            marks = list(item.iter_markers("requirement"))
            if any(not mark.args for mark in marks):
                wrong.append(f"{item.nodeid}: the marker names no id")
            wrong += [f"{item.nodeid}: {name}" for name in ids if name not in self.rows]
            self.ids[item.nodeid] = ids
        if wrong:
            lines = "\n  ".join(wrong)
            raise pytest.UsageError(f"unknown requirement (see {CLAIMS}):\n  {lines}")
        if self.full:
            items.append(Judgement.from_parent(session, name="requirements", plugin=self))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):
        """Note a pass only when set-up, call and tear-down all did; an xfail is no pass."""
        report = yield
        for name in self.ids.get(item.nodeid, ()):
            tests = self.record.outcomes[name]
            if report.failed:
                tests[item.nodeid] = False
            elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
                tests.setdefault(item.nodeid, True)
        return report

    def pytest_sessionfinish(self) -> None:
        """Leave a full run's outcome for `make requirements`."""
        if self.full:
            path = self.root / RESULTS
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.record.outcomes, indent=1, sort_keys=True) + "\n")


class Judgement(pytest.Item):
    """The last test of a full run: the claims are what this run showed."""

    def __init__(self, *, plugin: Plugin, **rest: object) -> None:
        super().__init__(**rest)
        self.plugin = plugin

    def runtest(self) -> None:
        """Fail with every difference at once."""
        if lines := self.plugin.record.differences(self.plugin.rows):
            raise Mismatch("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style=None):
        """Show the differences alone: the traceback is of no use."""
        if isinstance(excinfo.value, Mismatch):
            return f"{CLAIMS} and the tests differ:\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        """Say where the claims stand."""
        return self.plugin.root / CLAIMS, None, "requirements: the claims are what this run showed"


class Mismatch(Exception):
    """A claimed state is not what the tests showed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the full run."""
    parser.addoption(
        "--full", action="store_true", help="judge the claims in docs/requirements.yml"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the plugin that reads it."""
    config.addinivalue_line("markers", "requirement(*ids): the commitments the test proves")
    if not (config.rootpath / CLAIMS).exists():
        raise pytest.UsageError(f"{CLAIMS} is missing")
    try:
        config.pluginmanager.register(Plugin(config), "maestro-requirements")
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def summary(root: Path) -> tuple[list[str], int]:
    """Return what `make requirements` prints, and its exit status."""
    rows = read_claims(root / CLAIMS)
    proven = {row.id for row in rows.values() if row.state == "proven"}
    path = root / RESULTS
    notes = []
    if path.exists():
        record = Record(json.loads(path.read_text()))
        notes = record.differences(rows)
        proven &= record.proven()
    elif proven:
        notes = ["no full run (make test) has shown it in this checkout"]
    lines = [f"proven {len(proven)} of {len(rows)}", *(f"  !! {note}" for note in notes)]
    for group in dict.fromkeys(row.group for row in rows.values()):
        members = [row for row in rows.values() if row.group == group]
        pending = [row for row in members if row.id not in proven]
        lines += ["", f"{group}: {len(members) - len(pending)} of {len(members)}"]
        lines += [f"  {row.id:6} {row.text}" for row in pending]
    return lines, int(path.exists() and bool(notes))


if __name__ == "__main__":
    text, status = summary(Path(__file__).parents[1])
    sys.stdout.write("\n".join(text) + "\n")
    sys.exit(status)
