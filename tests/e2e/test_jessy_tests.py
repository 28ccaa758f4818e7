"""Jessy's own tests in containers, on the host that built its images: what `make test-jessy` does.

One run of everything comes first; then two at the same time, and one in which something is broken.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import shlex
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import lab

HOST = "registry"
TAG = "e2e"
JESSY = lab.PROJECT / "docker/jessy"
FEATURE = JESSY / "acceptance/features/dimension_navigation.feature"
SLEEPS = """#[test]
fn a_first_one() {}

#[test]
fn b_sleeps() {
    std::thread::sleep(std::time::Duration::from_secs(3));
}
"""
FAILS = """#[test]
fn says_what_is_wrong() {
    assert_eq!(1 + 1, 3, "the sum of this test");
}
"""
HANGS = SLEEPS.replace("from_secs(3)", "from_secs(3000)")


def shell(command: str, *, check: bool = True, stdin: bytes = b"", timeout: int = 900) -> str:
    """What a command on the build host wrote, stderr included."""
    done = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", HOST, f"exec 2>&1; {command}"],
        cwd=lab.PROJECT,
        input=stdin,
        stdout=subprocess.PIPE,
        check=False,
        timeout=timeout,
    )
    out = done.stdout.decode(errors="replace")
    assert not check or done.returncode == 0, f"{command} ended with {done.returncode}:\n{out}"
    return out


@dataclass
class Seen:
    """What a command wrote on a terminal, line by line with the second, and how it ended."""

    lines: list[tuple[float, str]]
    code: int
    seconds: float

    @property
    def text(self) -> str:
        """Without colours."""
        return re.sub(
            r"\x1b(\[[\d;?]*[A-Za-z]|\(B)|\r", "", "".join(line for _, line in self.lines)
        )

    def at(self, pattern: str) -> float:
        """The second in which the first line came that matches."""
        return next(second for second, line in self.lines if re.search(pattern, line))


def on_a_terminal(command: str) -> Seen:
    """Run a command on the build host as a user sees it."""
    started = time.monotonic()
    with subprocess.Popen(
        ["ssh", "-tt", "-F", ".lab/ssh_config", HOST, command],
        cwd=lab.PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as running:
        assert running.stdout
        lines = [(time.monotonic() - started, line) for line in running.stdout]
        code = running.wait(timeout=900)
    return Seen(lines, code, time.monotonic() - started)


@dataclass
class Checkout:
    """A copy of what the tests need, on the build host."""

    directory: str

    def make(self, target: str) -> str:
        """What `make TARGET` runs here, as a command for the build host, which has no make."""
        lines = lab.run("make", "--dry-run", "--silent", target).ok().out.splitlines()
        command = next(line for line in lines if line.startswith("docker/jessy/testing/run "))
        known = "/etc/maestro/build-ca.crt"
        return (
            f"cd {self.directory} && test ! -e {known} || export BUILD_CA_FILE={known}; "
            f"TEST_TAG={TAG} {command}"
        )

    def compose(self, *words: str) -> str:
        """A command of Compose as `docker compose run --rm test` is given by hand."""
        return (
            f"cd {self.directory}/docker/jessy && TEST_TAG={TAG} SECRETS_DIR={self.directory} "
            f"docker compose -f compose.yaml -f compose.test.yaml {shlex.join(words)}"
        )

    def write(self, path: str, text: str) -> str:
        shell(f"cat >{self.directory}/{path}", stdin=text.encode())
        return f"{self.directory}/{path}"


@pytest.fixture(scope="module")
def checkout(demo: lab.Run) -> Iterator[Checkout]:
    """The working tree's files; the database that somebody develops with holds three notes."""
    archive = lab.archive("docker/jessy")
    copy = Checkout(shell("mktemp -d -p /var/tmp").strip())
    shell(f"tar -x -C {copy.directory}", stdin=archive)
    try:
        yield copy
    finally:
        shell(copy.compose("down", "--volumes", "--timeout", "1"), check=False)
        shell(f"rm -rf {copy.directory}; docker volume rm test-results; docker image rm "
              f"jessy-test:{TAG} jessy-test-api:{TAG} jessy-acceptance:{TAG} "
              f"jessy-core:counted-{TAG} jessy-api:counted-{TAG} jessy-postgres:{TAG}",
              check=False)  # fmt: skip


@pytest.fixture(scope="module")
def everything(checkout: Checkout) -> Seen:
    """`make test-jessy`, with what the images' lane built in the cache."""
    return on_a_terminal(checkout.make("test-jessy"))


def written(folder: str, pattern: str, word: str) -> int:
    """How many tests stand in the sources."""
    files = (JESSY / folder).glob(pattern)
    return sum(len(re.findall(word, file.read_text(encoding="utf-8"))) for file in files)


@pytest.mark.requirement("D3", "D48", "T2.1", "T2.2")
def test_all_tests_pass_in_containers(everything: Seen) -> None:
    assert everything.code == 0, everything.text[-4000:]
    text = everything.text
    units = written("core/src", "**/*.rs", r"#\[\w*:*test\]")
    whole = written("acceptance/tests", "*.rs", r"#\[test\]")
    passed = [int(n) for n in re.findall(r"test result: ok\. (\d+) passed", text)]
    assert units in passed
    assert whole in passed
    for name in re.findall(
        r"func (Test\w+)\(t ", (JESSY / "api/internal/server/server_test.go").read_text()
    ):
        assert re.search(rf"PASS .*{name}", text), name
    scenarios = re.findall(r"Scenario(?: Outline)?: (.+)", FEATURE.read_text())
    assert all(name in text for name in scenarios)
    assert text.index("test database begins with 0 rows")
    # Nothing is left of the stack, its database and its secrets.
    assert shell("docker ps --all --quiet --filter name=jessy-test-") == ""
    assert shell("docker volume ls --quiet --filter name=test") == ""
    assert shell("docker network ls --quiet --filter name=jessy-test-") == ""


@pytest.mark.requirement("R2.5")
def test_features_are_shown_step_by_step(everything: Seen) -> None:
    text = everything.text
    assert "Feature: Navigation through the dimensions of the mapped file" in text
    steps = [line.strip() for line in FEATURE.read_text().splitlines()]
    plain = [step for step in steps if re.match("(Given|When|Then|And) ", step) and "<" not in step]
    assert len(plain) > 10
    for step in plain:
        assert re.search(rf"✔>?\s+{re.escape(step)}", text), step


def pages(text: str, directory: Path) -> str:
    """The page over all reports, as a browser gets it from a server on this machine."""
    done = lab.run(".venv/bin/python", "scripts/coverage_page.py", str(directory)).ok()
    assert "Core (Rust):" in done.out, text
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        found = ""
        for page in ("index.html", "rust/index.html", "go/index.html"):
            with urllib.request.urlopen(f"{url}/{page}") as answer:
                assert answer.status == 200
                assert answer.headers["Content-Type"].startswith("text/html")
                found = found or answer.read().decode()
        server.shutdown()
    return found


@pytest.mark.requirement("R2.3")
def test_coverage_can_be_opened_in_a_browser(
    everything: Seen, checkout: Checkout, tmp_path: Path
) -> None:
    command = f"tar -C {checkout.directory}/test-results -c ."
    sent = subprocess.run(
        ["ssh", "-F", ".lab/ssh_config", HOST, command],
        cwd=lab.PROJECT,
        capture_output=True,
        check=True,
    )
    subprocess.run(["tar", "-x", "-C", tmp_path], input=sent.stdout, check=True)
    page = pages(everything.text, tmp_path)
    rust = {f"src/{path.name}" for path in (JESSY / "core/src").glob("*.rs")}
    go = {str(path.relative_to(JESSY / "api")) for path in (JESSY / "api").rglob("*.go")}
    for name in rust | {name for name in go if not name.endswith("_test.go")}:
        assert re.search(rf"<td>{re.escape(name)}</td>.*?[\d.]+ %</td>", page), name
    figures = json.loads((tmp_path / "coverage.json").read_text())
    assert figures["rust"]["total"] >= 80
    assert figures["go"]["total"] >= 80


@pytest.mark.requirement("R7.3", "T5.3", "R2.1")
def test_two_runs_do_not_see_each_other_nor_what_is_developed(
    everything: Seen, checkout: Checkout
) -> None:
    """Each with 0 rows at its beginning; the database of development keeps what it has."""
    shell(f"for s in db_password api_token; do printf %s-of-this-test $s >{checkout.directory}/$s; "
          f"chmod 444 {checkout.directory}/$s; done")  # fmt: skip
    psql = ("exec", "-T", "db", "psql", "-U", "jessy", "-Atc")
    shell(checkout.compose("up", "--detach", "--wait", "--no-build", "db"))
    shell(checkout.compose(*psql, "CREATE TABLE notes AS SELECT generate_series(1, 3) AS id"))
    one, two = (f"({checkout.make('test-integration')}) >/var/tmp/{TAG}.{n}" for n in (1, 2))
    both = shell(
        f"{one} & {two}; code=$?; wait $!; echo codes $? $code; "
        f"cat /var/tmp/{TAG}.[12]; rm /var/tmp/{TAG}.[12]"
    )
    assert "codes 0 0" in both, both[-4000:]
    assert both.count("the test database begins with 0 rows") == 2
    names = set(re.findall(r"A stack of its own: (\S+)", both))
    assert len(names) == 2
    assert shell(checkout.compose(*psql, "SELECT count(*) FROM notes")).strip() == "3"
    assert shell("docker volume ls --quiet --filter name=test") == ""
    # The unit tests want none of it.
    shell(checkout.compose("down", "--timeout", "1"))


@pytest.mark.requirement("R2.1", "R2.2")
def test_one_command_runs_the_unit_tests_and_shows_them_as_they_come(
    everything: Seen, checkout: Checkout
) -> None:
    more = checkout.write("sleeps.rs", SLEEPS)
    seen = on_a_terminal(
        checkout.compose("run", "--rm", "--volume", f"{more}:/app/tests/sleeps.rs:ro", "test")
    )
    assert seen.code == 0, seen.text
    assert re.search(r"test result: ok\. [1-9]\d* passed", seen.text)
    assert any("\x1b[" in line for _, line in seen.lines)
    assert seen.seconds - seen.at("a_first_one") > 1
    assert shell("docker ps -aq -f label=com.docker.compose.oneoff=True") == ""
    assert "test-results" in shell("docker volume ls -q").split()


@pytest.mark.requirement("R2.4")
def test_a_failing_unit_test_is_named_with_its_place_and_message(
    everything: Seen, checkout: Checkout
) -> None:
    more = checkout.write("fails.rs", FAILS)
    out = shell(
        checkout.compose("run", "--rm", "-T", "-v", f"{more}:/app/tests/fails.rs:ro", "test")
        + "; echo code $?",
        check=False,
    )
    assert "code 101" in out
    assert "says_what_is_wrong" in out
    assert "tests/fails.rs:3" in out
    assert "the sum of this test" in out


@pytest.mark.requirement("R2.5", "D41")
def test_what_fails_is_named_by_the_run(everything: Seen, checkout: Checkout) -> None:
    """A unit test, an integration test and a step of a feature; each part runs its own alone."""
    for path, old, new in (
        ("api/internal/server/server_test.go", "answer.Code != 200 ", "answer.Code != 299 "),
        ("acceptance/tests/integration.rs", "ids.len(), 40", "ids.len(), 41"),
        (f"acceptance/features/{FEATURE.name}", "is 4096 bytes", "is 4097 bytes"),
    ):
        shell(f"sed -i 's/{old}/{new}/' {checkout.directory}/docker/jessy/{path}")
    for target, part, named, other in (
        ("test-unit", "unit: jessy-api", r"FAIL.*TestHealth", "many_write"),
        ("test-integration", "integration", "many_write_at_once_and_nothing_is_lost", "Scenario:"),
        ("test-bdd", "bdd", r"✘\s+And it is 4097 bytes long", "many_write"),
    ):
        out = shell(f"({checkout.make(target)}); echo code $?", check=False)
        assert "code 1" in out, out[-4000:]
        assert re.search(named, out), out[-4000:]
        assert other not in out
        assert re.findall(r"jessy-test: failed: (.+) \(exit \d+\)", out) == [part]
        assert shell("docker ps --all --quiet --filter name=jessy-test-") == ""


@pytest.mark.requirement("D13", "T1.6")
def test_the_service_of_the_tests_is_asked_for_by_name(
    everything: Seen, checkout: Checkout
) -> None:
    plain = json.loads(shell(checkout.compose("config", "--format", "json")))
    assert "test" not in plain["services"]
    asked = json.loads(shell(checkout.compose("--profile", "test", "config", "--format", "json")))
    for name in ("test", "jessy-test"):
        service = asked["services"][name]
        assert service["profiles"] == ["test"]
        assert service["command"][:3] == ["cargo", "test", "--all-features"]
        assert service["environment"]["RUST_TEST_THREADS"] == "1"
        (volume,) = service["volumes"]
        assert (volume["type"], volume["target"]) == ("volume", "/app/test-results")
    # A stack that is started has no such container.
    started = re.findall(r"Container jessy-test-\w+?-(\S+?)-1 ", everything.text)
    assert set(started) >= {"db", "migrate", "jessy-core", "jessy-api"}
    assert not {"test", "jessy-test", "test-api", "acceptance"} & set(started)


@pytest.mark.requirement("D25", "D31")
def test_the_image_writes_a_report_and_ends_what_hangs(
    everything: Seen, checkout: Checkout
) -> None:
    results = f"{checkout.directory}/results"
    shell(f"install -d -o 1000 -g 1000 {results}")
    run = f"docker run --rm -v {results}:/app/test-results"
    shell(f"{run} jessy-test:{TAG}")
    assert int(shell(f"stat -c %s {results}/index.html")) > 1000
    # Without the integration and BDD tests, too little is reached; the gate says so.
    out = shell(f"{run} jessy-test:{TAG} coverage gate; echo code $?", check=False)
    assert "code 1" in out
    assert "below 80 %" in out
    more = checkout.write("hangs.rs", HANGS)
    # Without TEST_TIMEOUT the limit is 300 s; the way is the same.
    assert "${TEST_TIMEOUT:-300}" in shell(f"{run} jessy-test:{TAG} cat /usr/local/bin/limited")
    out = shell(
        f"{run} -e TEST_TIMEOUT=6 -v {more}:/app/tests/hangs.rs:ro jessy-test:{TAG} "
        "cargo test --release --frozen --test hangs; echo code $?",
        check=False,
    )
    assert "code 124" in out


@pytest.mark.long
@pytest.mark.requirement("D25")
def test_what_hangs_is_ended_after_five_minutes(everything: Seen, checkout: Checkout) -> None:
    more = checkout.write("hangs.rs", HANGS)
    started = time.monotonic()
    out = shell(
        f"docker run --rm -v {more}:/app/tests/hangs.rs:ro jessy-test:{TAG} "
        "cargo test --release --frozen --test hangs; echo code $?",
        check=False,
    )
    assert 300 <= time.monotonic() - started < 330
    assert "code 124" in out
