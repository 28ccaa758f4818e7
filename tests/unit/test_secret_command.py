"""Secrets that a program prints."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError
from maestro.secrets.command import CommandSource, RunCache
from maestro.secrets.source import Place, SecretProblem
from maestro.secrets.sources import open_source

VALUE = "v4lue-of-the-secret"


def source(home: Path, script: str, cache: RunCache | None = None, **keys: Any) -> CommandSource:
    """A source whose program notes each of its runs, and then does as ``script`` says."""
    program = home / "program"
    program.write_text(f"import sys\nopen('runs', 'a').write(sys.argv[1] + '\\n')\n{script}\n")
    command = [sys.executable, str(program), "{environment}/{stack}/{name}"]
    place = Place("staging", "shop", home, home / "secrets")
    return CommandSource(place, command, keys.get("timeout"), cache or RunCache())


def runs(home: Path) -> list[str]:
    return (home / "runs").read_text().split()


@pytest.mark.parametrize(
    ("printed", "value"),
    [(f"{VALUE}\n", VALUE), (VALUE, VALUE), ("a\nb\n\n", "a\nb\n"), ("a\r\n", "a"), ("é", "é")],
)
def test_it_is_what_the_program_prints(tmp_path: Path, printed: str, value: str) -> None:
    script = f"sys.stdout.buffer.write({printed.encode()!r})"
    assert source(tmp_path, script).read(["token"]) == {"token": value}
    assert runs(tmp_path) == ["staging/shop/token"]


def test_it_is_asked_once_in_a_run(tmp_path: Path) -> None:
    cache = RunCache()
    for _ in range(2):
        source(tmp_path, "print(sys.argv[1])", cache).read(["one", "two"])
    assert runs(tmp_path) == ["staging/shop/one", "staging/shop/two"]
    # Each task is a process of its own.
    fork = multiprocessing.get_context("fork")
    for names in (["one", "three"], ["three"]):
        task = fork.Process(
            target=source(tmp_path, "print(sys.argv[1])", cache).read, args=(names,)
        )
        task.start()
        task.join()
        assert task.exitcode == 0
    assert runs(tmp_path)[2:] == ["staging/shop/three"]
    source(tmp_path, "print(sys.argv[1])").read(["one"])  # another run
    assert len(runs(tmp_path)) == 4


@pytest.mark.parametrize(
    ("script", "timeout", "said"),
    [
        (f"print('{VALUE}'); sys.exit('not signed in: {VALUE}')", None, "ended with exit code 1"),
        (f"print('{VALUE}', flush=True); import time; time.sleep(60)", 0.5, "within 0.5 s"),
        ("pass", None, "the secret token is empty"),
        ("sys.stdout.buffer.write(b'\\xff')", None, "is binary"),
    ],
)
def test_what_it_does_not_print(
    tmp_path: Path, script: str, timeout: float | None, said: str
) -> None:
    with pytest.raises(SecretProblem, match="the secret token") as caught:
        source(tmp_path, script, timeout=timeout).read(["token"])
    assert said in str(caught.value)
    assert caught.value.names == ["token"]
    assert VALUE not in f"{caught.value}{caught.value.__context__!r}{caught.value.__cause__!r}"


def test_all_that_it_does_not_print_is_said_at_once(tmp_path: Path) -> None:
    script = "print(1) if 'two' in sys.argv[1] else sys.exit(3)"
    with pytest.raises(MaestroError) as caught:
        source(tmp_path, script).read(["one", "two", "three"])
    assert str(caught.value).count("ended with exit code 3") == 2
    assert "staging/shop/three" in str(caught.value)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    settings = {"source": "command", "command": "/no/such/program {name}"}
    found = open_source(settings, environment="staging", stack="shop", root=tmp_path)
    with pytest.raises(SecretProblem, match="cannot be started: No such file"):
        found.read(["token"])
    assert found.names() == []
    assert "/no/such/program token" in found.how_to_add("token")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "is not a command with {name}"),
        ({"command": []}, "is not a command with {name}"),
        ({"command": ["{name}"]}, "is not a command with {name}"),
        ({"command": ["op", 1]}, "is not a command with {name}"),
        ({"command": "op {name}", "timeout": "soon"}, "maestro_secrets.timeout: found 'soon'"),
        ({"command": "op {name}", "timeout": 0}, "maestro_secrets.timeout: found 0"),
        ({"command": "op {name}", "path": "x"}, "known: timeout, source, command"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(MaestroError) as caught:
        open_source({"source": "command", **settings}, environment="a", stack="b", root=tmp_path)
    assert said in str(caught.value)
