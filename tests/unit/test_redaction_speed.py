"""No input makes the redaction slow, and its benchmark runs."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maestro.redaction import Redactor

# Measured as it is, without what measures coverage.
pytestmark = pytest.mark.no_cover

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/redaction.py"
REDACTOR = Redactor(["Tr0ub4dor&3-long-secret", "abcdefgh", "hunt2", "0000000000000001"])
UNITS = [
    "password=", 'password="', "password: ", "password=$X ", 'password=\\"', "\\", "%41", "&amp;", "\x1b[",
    "http://a:b", "authorization: ", "cookie: a=b;", "-----BEGIN RSA PRIVATE KEY-----",
    "AAAAAAAAAAAA\n-----END RSA PRIVATE KEY-----\n", "mysql ", "curl -u ", "echo a | ", "name: token value: ",
    "password: |\n  a\n", "kind: Secret\ndata:\n  a: b\n---\n", "<password>", "eyJ", "a", "0", '"', "{", "\n  ",
    "--password ", "login a password ", "| password |", "x | y\n", "pa\u200bss=", "?sig=", ":AA", "QUFB",
    "x -----BEGIN RSA PRIVATE KEY-----\n", "LS0tLS1CRUdJTi", "0000000 ", " 70 61 62 63\n", "password for a ",
    "https://x/hooks/", "$$apr1$$", "NEO4J_AUTH=", "chpasswd <<EOF\n", "(echo a; echo ", "secret=a, b", "[--password ",
]  # fmt: skip


def _seconds(text: str) -> float:
    begin = time.process_time()
    REDACTOR.text(text)
    return time.process_time() - begin


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_the_length_alone(unit: str) -> None:
    short = long = math.inf
    # What a busy machine spoils is measured again.
    for _ in range(4):
        short = min(short, *(_seconds((unit * 8_000)[:8_000]) for _ in range(2)))
        long = min(long, _seconds((unit * 32_000)[:32_000]))
        if long < 4 * short * 2 + 0.05:
            return
    pytest.fail(f"{long:.2f} s for 32,000 characters, {short:.2f} s for a quarter of them")


@pytest.mark.slow
def test_the_benchmark_shows_its_ratios() -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARK, *"--megabytes 1 --rounds 1 --plays 1 --tasks 8".split()],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert len(re.findall(r"ratio +\d+\.\d\d", done.stdout)) == 4, done.stdout + done.stderr
    assert "a play of 8 tasks takes" in done.stdout
    # A busy machine may break a promise on so small a log; only a real slowdown fails here.
    ratios = [float(ratio) for ratio in re.findall(r"ratio +(\d+\.\d\d)", done.stdout)]
    assert min(ratios) > 0.3
