"""The rule that a claim needs a passing test, tried on small projects of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import traceability
from traceability import Record, read_claims, summary

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))
    (pytester.path / "docs").mkdir()
    claim(pytester, A1="pending", A2="pending", B1="pending")
    pytester.makeconftest("pytest_plugins = ['traceability']")
    return pytester


def claim(project: pytest.Pytester, **states: str) -> None:
    rows = {name: {"text": f"{name} is done.", "state": state} for name, state in states.items()}
    (project.path / "docs/requirements.yml").write_text(
        json.dumps({"groups": [{"title": "All", "requirements": rows}]})
    )


def run(project: pytest.Pytester, *words: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", *words)


MARKED = "import pytest\n@pytest.mark.requirement('A1')\n"
PASSES = MARKED + "def test_it(): pass\n"
FAILS = MARKED + "def test_it(): assert False\n"
FIXTURE = "import pytest\n@pytest.fixture\ndef bad():{}\n"
USES = "@pytest.mark.requirement('A1')\ndef test_it(bad): pass\n"
FAILS_BEFORE = FIXTURE.format(" assert 0") + USES
FAILS_AFTER = FIXTURE.format(" yield; assert 0") + USES


@pytest.mark.parametrize("words", [[], ["-n2", "--dist=loadscope"]])
def test_a_full_run_agrees_when_the_claims_are_what_passed(
    project: pytest.Pytester, words: list[str]
) -> None:
    claim(project, A1="proven", A2="pending")
    project.makepyfile(PASSES.replace("def ", "@pytest.mark.xdist_group('a lane')\ndef "))
    run(project, "--full", *words).assert_outcomes(passed=2)
    assert json.loads((project.path / traceability.RESULTS).read_text()) == {
        "A1": {f"{next(project.path.glob('test_*.py')).name}::test_it": True}
    }


@pytest.mark.parametrize(
    "content",
    [
        "def test_it(): pass\n",
        MARKED + "@pytest.mark.skip\ndef test_it(): pass\n",
        MARKED + "@pytest.mark.xfail\ndef test_it(): assert False\n",
        MARKED + "@pytest.mark.xfail\ndef test_it(): pass\n",
        MARKED + "def test_it(): pytest.skip()\n",
    ],
)
def test_a_claim_without_a_passed_test_fails_the_full_run(
    project: pytest.Pytester, content: str
) -> None:
    claim(project, A1="proven")
    project.makepyfile(content)
    result = run(project, "--full")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*A1 is claimed as proven, but no test of it passed*"])
    assert result.parseoutcomes()["failed"] == 1


@pytest.mark.parametrize(
    ("broken", "words"), [(FAILS, []), (FAILS_BEFORE, []), (FAILS_AFTER, []), (FAILS, ["-n2"])]
)
def test_one_failed_test_unproves_what_another_proves(
    project: pytest.Pytester, broken: str, words: list[str]
) -> None:
    claim(project, A1="proven")
    project.makepyfile(test_good=PASSES, test_bad=broken)
    result = run(project, "--full", *words)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*A1 is claimed as proven, but failed *test_bad.py::test_it*"])


def test_what_passed_but_is_called_pending_fails_the_full_run(project: pytest.Pytester) -> None:
    project.makepyfile(PASSES)
    result = run(project, "--full")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*A1 is pending, but proven by: *::test_it*"])


def test_a_part_of_the_tests_judges_nothing_and_records_nothing(project: pytest.Pytester) -> None:
    claim(project, A1="proven", A2="proven")
    project.makepyfile(PASSES)
    run(project).assert_outcomes(passed=1)
    assert not (project.path / traceability.RESULTS).exists()


@pytest.mark.parametrize("words", [[], ["--full"], ["--collect-only"]])
def test_an_unknown_id_stops_the_run_before_the_first_test(
    project: pytest.Pytester, words: list[str]
) -> None:
    project.makepyfile(
        "import pytest\n@pytest.mark.requirement('A1', 'Z9')\ndef test_it(): print('it ran')\n"
        "@pytest.mark.requirement()\ndef test_none(): pass\n"
    )
    result = run(project, "-s", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*::test_it: Z9", "*::test_none: the marker names no id"])
    assert "it ran" not in result.stdout.str()


def test_markers_of_modules_classes_and_parameters_count(project: pytest.Pytester) -> None:
    claim(project, A1="proven", A2="proven", B1="proven")
    project.makepyfile(
        "import pytest\npytestmark = pytest.mark.requirement('A1')\n"
        "@pytest.mark.requirement('A2')\nclass TestIt:\n"
        "    @pytest.mark.parametrize('n', [\n"
        "        pytest.param(1, marks=pytest.mark.requirement('B1'))])\n"
        "    def test_it(self, n): pass\n"
    )
    run(project, "--full").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"groups": [{"title": "x", "requirements": {"A": {"text": "t", "state": "done"}}}]}',
            "done",
        ),
        (None, "is missing"),
    ],
)
def test_a_broken_file_of_claims_stops_the_run(
    project: pytest.Pytester, content: str | None, expected: str
) -> None:
    path = project.path / "docs/requirements.yml"
    path.write_text(content) if content else path.unlink()
    result = run(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert expected in result.stderr.str()


def test_an_id_in_two_groups_is_refused(tmp_path: Path) -> None:
    row = {"A": {"text": "t", "state": "pending"}}
    path = tmp_path / "claims.yml"
    groups = [{"title": "x", "requirements": row}, {"title": "y", "requirements": row}]
    path.write_text(json.dumps({"groups": groups}))
    with pytest.raises(ValueError, match="A stands twice"):
        read_claims(path)


def test_the_summary_counts_what_is_claimed_and_was_shown(project: pytest.Pytester) -> None:
    claim(project, A1="proven", A2="proven", B1="pending")
    lines, status = summary(project.path)
    assert (lines[0], status) == ("proven 2 of 3", 0)
    assert "no full run" in lines[1]
    project.makepyfile(PASSES)
    run(project, "--full")
    lines, status = summary(project.path)
    assert (lines[0], status) == ("proven 1 of 3", 1)
    assert "A2 is claimed" in lines[1]
    assert lines[3:] == ["All: 1 of 3", "  A2     A2 is done.", "  B1     B1 is done."]


LONG = MARKED.replace("\n@", "\nlong = pytest.mark.long\n@long\n@") + "def test_it(): assert {}\n"


def test_what_a_long_run_proves_needs_such_a_test(project: pytest.Pytester) -> None:
    claim(project, A1="long", A2="pending")
    project.makepyfile(PASSES)
    result = run(project, "--full")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no test with the marker `long` proves A1*"])
    project.makepyfile(LONG.format(True))
    run(project, "--full").assert_outcomes(passed=2)


@pytest.mark.parametrize("passes", [True, False])
def test_a_long_run_leaves_what_it_showed(project: pytest.Pytester, passes: bool) -> None:
    claim(project, A1="long", A2="long", B1="pending")
    project.makeconftest(
        "pytest_plugins = ['traceability']\n"
        "def pytest_addoption(parser): parser.addoption('--long', action='store_true')\n"
    )
    project.makepyfile(LONG.format(passes))
    run(project, "--long")
    lines, status = summary(project.path)
    assert (lines[0], status) == (f"proven {1 + passes} of 3", 0)
    shown = "A1" if passes else "none of them"
    assert f"{1 + passes} by `make test-long` alone; a long run here showed: {shown}" in lines[1]


def test_the_commitments_of_this_project_are_all_there() -> None:
    rows = read_claims(ROOT / "docs/requirements.yml")
    count = {kind: sum(name.startswith(kind) for name in rows) for kind in "RGDTMC"}
    assert count == {"R": 50, "G": 107, "D": 59, "T": 36, "M": 10, "C": 12}
    assert all(row.text.endswith(".") and row.text.count("\n") == 0 for row in rows.values())


def test_differences_are_listed_all_at_once() -> None:
    rows = read_claims(ROOT / "docs/requirements.yml")
    passed = {name: {"test": True} for name, row in rows.items() if row.state == "proven"}
    assert Record(passed).differences(rows) == []
    everything = {name: {"test": True} for name in rows}
    pending = sum(row.state == "pending" for row in rows.values())
    assert len(Record(everything).differences(rows)) == pending
