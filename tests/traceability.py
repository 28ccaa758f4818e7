"""Which commitments are proven: the marker ``requirement`` and ``make requirements``.

A test names the ids it proves: ``@pytest.mark.requirement("R3.2", "D19")``. An id that is not
in docs/requirements.yml stops the run before the first test. In a full run (``--full``, which
``make test`` passes) one more verdict comes last: it compares the states in that file with the
tests that passed in this very run and fails on any difference, both ways. A full run leaves its
outcome in test-results/requirements.json, where ``make requirements`` finds it. Where several
processes run the tests, each reports to the first, which judges.

What takes minutes to show is claimed as ``long``: a test of ``make test-long`` proves it. A full
run sees to it that there is such a test; a long run leaves its outcome beside that of the full one.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

RESULTS = "test-results/requirements.json"
RESULTS_LONG = "test-results/requirements-long.json"
CLAIMS = "docs/requirements.yml"
STATES = ("pending", "proven", "long")
PROPERTY = "requirement"


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
            failed = [test for test, passed in tests.items() if not passed]
            if row.state == "long" and failed:
                lines.append(f"{row.id} is claimed as proven, but failed: {', '.join(failed)}")
            elif row.state == "proven" and row.id not in shown:
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
        self.long = bool(config.getoption("--long", False))
        self.rows = read_claims(self.root / CLAIMS)
        self.record = Record()
        self.is_worker = hasattr(config, "workerinput")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Refuse unknown ids; let the reports of a test carry its own."""
        wrong = []
        unproven = {row.id for row in self.rows.values() if self.full and row.state == "long"}
        for item in items:
            ids = marked_ids(item)
            unproven -= set(ids) if item.get_closest_marker("long") else set()
            marks = list(item.iter_markers("requirement"))
            if any(not mark.args for mark in marks):
                wrong.append(f"{item.nodeid}: the marker names no id")
            wrong += [f"{item.nodeid}: {name}" for name in ids if name not in self.rows]
            item.user_properties += [(PROPERTY, name) for name in ids]
        if wrong:
            lines = "\n  ".join(wrong)
            raise pytest.UsageError(f"unknown requirement (see {CLAIMS}):\n  {lines}")
        if unproven:
            names = ", ".join(sorted(unproven))
            raise pytest.UsageError(f"{CLAIMS}: no test with the marker `long` proves {names}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a pass only when set-up, call and tear-down all did; an xfail is no pass."""
        # Without the lane that a process of several adds to a test's name.
        test = re.sub(r"@[\w -]+\Z", "", report.nodeid)
        for name in [value for key, value in report.user_properties if key == PROPERTY]:
            tests = self.record.outcomes[str(name)]
            if report.failed:
                tests[test] = False
            elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
                tests.setdefault(test, True)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge a full run that came to its end, and leave its outcome for `make requirements`."""
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not ended or self.is_worker or session.config.option.collectonly:
            return
        if self.long:
            self._leave_long()
        if not self.full:
            return
        path = self.root / RESULTS
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.record.outcomes, indent=1, sort_keys=True) + "\n")
        lines = self.record.differences(self.rows)
        verdict = pytest.TestReport(
            nodeid=f"{CLAIMS}::requirements",
            location=(CLAIMS, None, "requirements: the claims are what this run showed"),
            keywords={},
            outcome="failed" if lines else "passed",
            longrepr="\n".join([f"{CLAIMS} and the tests differ:", *lines]) if lines else None,
            when="call",
        )
        session.config.hook.pytest_runtest_logreport(report=verdict)
        if lines:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _leave_long(self) -> None:
        """Leave what a long run showed of what it alone proves; what others showed stays."""
        path = self.root / RESULTS_LONG
        known = json.loads(path.read_text()) if path.exists() else {}
        new = {name: tests for name, tests in self.record.outcomes.items() if name in self.rows}
        known |= {name: tests for name, tests in new.items() if self.rows[name].state == "long"}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


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


def _proven_long(root: Path, rows: dict[str, Row]) -> tuple[set[str], set[str]]:
    """What is proven by long runs, without what failed in one here; and what passed in one here."""
    path = root / RESULTS_LONG
    record = Record(json.loads(path.read_text()) if path.exists() else {})
    claimed = {row.id for row in rows.values() if row.state == "long"}
    return claimed - (set(record.outcomes) - record.proven()), record.proven()


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
    long, shown = _proven_long(root, rows)
    lines = [f"proven {len(proven | long)} of {len(rows)}", *(f"  !! {note}" for note in notes)]
    if long:
        known = ", ".join(sorted(long & shown)) or "none of them"
        lines.append(f"  {len(long)} by `make test-long` alone; a long run here showed: {known}")
    proven |= long
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
