"""A stream gives what the whole text gives, however it is cut, and holds only a window of it."""

from __future__ import annotations

import random

import pytest
from redaction import cases

from maestro.redaction import Redactor
from maestro.redaction.stream import AHEAD, BODY

SECRET = "s3cr3t/väl+ue with blanks"
REDACTOR = Redactor([SECRET])


def _log(lines: int, seed: int = 1) -> str:
    pick = random.Random(seed)
    corpus = [
        cases.expected(case)[0] for case in cases.FIELDS + cases.PLACES + cases.COMMANDS
    ] + cases.HARMLESS
    corpus += [f"x {SECRET} y", SECRET[:9] + "\n" + SECRET[9:], "é" * 40, "\x1b[31mred\x1b[0m"]
    return "\n".join(pick.choice(corpus) for _ in range(lines))


def _chunks(data: bytes, sizes: list[int], seed: int = 2) -> list[bytes]:
    pick = random.Random(seed)
    chunks, at = [], 0
    while at < len(data):
        size = pick.choice(sizes)
        chunks.append(data[at : at + size])
        at += size
    return chunks


@pytest.mark.parametrize("sizes", [[1], [1, 2, 3], [7, 4096], [65536], [10**7]])
def test_a_stream_equals_the_text(sizes: list[int]) -> None:
    text = _log(60 if sizes == [1] else 4000)
    whole = REDACTOR.text(text).encode()
    assert b"".join(REDACTOR.stream(_chunks(text.encode(), sizes))) == whole


def test_bytes_that_are_no_text_pass_unchanged() -> None:
    data = bytes(range(256)) * 50
    assert b"".join(Redactor(["an-unrelated-Secret-1"]).stream(_chunks(data, [1, 5]))) == data


@pytest.mark.no_cover  # megabytes through lines that the others count
def test_a_secret_across_the_border_of_windows_is_masked() -> None:
    for shift in range(-40, 40, 3):
        text = "x" * (BODY + shift) + " " + SECRET + " " + "y" * (2 * AHEAD)
        assert "väl+ue" not in REDACTOR.text(text)
        line = "a b\n" * ((BODY + shift) // 4) + SECRET + "\n" + "y z\n" * AHEAD
        assert "väl+ue" not in REDACTOR.text(line)


def test_a_key_and_its_value_across_the_border_of_windows() -> None:
    for shift in range(-30, 10):
        text = "x " * ((BODY + shift) // 2) + "password=hunter2secret " + "y " * AHEAD
        assert "hunter2secret" not in REDACTOR.text(text)


def test_a_secret_longer_than_a_window_is_masked_whole() -> None:
    text = "token=" + "A1b2" * BODY + " end"
    assert REDACTOR.text(text).replace("***", "") == "token= end"


def test_a_stream_gives_back_early() -> None:
    stream = REDACTOR.open()
    given = sum(len(stream.feed(b"some line of a log\n" * 100)) for _ in range(200))
    assert given > 200 * 1900 - BODY - 2 * AHEAD


def test_complete_lines_can_be_had_at_once() -> None:
    stream = REDACTOR.open()
    assert stream.feed(b"password=x\nand a par") == b""
    assert stream.lines() == b"password=***\n"
    assert stream.lines() == b""
    assert stream.finish() == b"and a par"


def test_a_key_before_a_flush_still_counts() -> None:
    stream = REDACTOR.open()
    out = (
        stream.feed(b"password: |\n")
        + stream.lines()
        + stream.feed(b"  some lines\n")
        + stream.lines()
    )
    assert b"some lines" not in out + stream.finish()
