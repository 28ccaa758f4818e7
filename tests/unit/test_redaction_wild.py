"""What programs in the wild write: secrets vanish, known and unknown; what only looks alike stays."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

import pytest
from redaction import wild
from redaction.cases import expected

from maestro.redaction import Redactor

REDACTOR = Redactor()
KNOWN = Redactor([wild.KNOWN_SECRET], unknown=False)
BOTH = Redactor([wild.KNOWN_SECRET])
SECRET = wild.KNOWN_SECRET


def streamed(redactor: Redactor, text: str, size: int = 7) -> str:
    """Return what a stream cut into small chunks makes of a text."""
    data = text.encode()
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(redactor.stream(chunks)).decode()


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("case", wild.SECRETS)
def test_a_secret_is_masked_and_nothing_else(case: str) -> None:
    before, after = expected(case)
    assert REDACTOR.text(before) == after
    assert REDACTOR.text(after) == after
    assert streamed(REDACTOR, before) == after


@pytest.mark.parametrize("text", wild.HARMLESS)
def test_what_looks_alike_stays_to_the_letter(text: str) -> None:
    assert REDACTOR.text(text) == text
    assert REDACTOR.obj([text, {"x": text}]) == [text, {"x": text}]
    assert Redactor(["an-unrelated-Secret-1"]).text(f"a\n{text}\n") == f"a\n{text}\n"


@pytest.mark.parametrize("case", wild.KNOWN)
def test_a_known_secret_in_the_other_case_is_masked(case: str) -> None:
    before, after = expected(case)
    assert KNOWN.text(before) == after
    assert streamed(KNOWN, before) == after


def test_a_known_word_in_the_other_case_is_no_secret() -> None:
    assert Redactor(["Wonder"]).text("no wonder, WONDER") == "no wonder, WONDER"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("lead", range(4))
def test_the_base64_of_utf_16_is_masked_where_the_secret_is(encoding: str, lead: int) -> None:
    before, after = "Connect".ljust(12 + lead, "-"), " -Host db.internal -Port 1433"
    encoded = base64.b64encode(f"{before}{SECRET}{after}".encode(encoding)).decode()
    for text in (encoded, "\n".join(encoded[at : at + 60] for at in range(0, len(encoded), 60))):
        redacted = KNOWN.text(text)
        shown = base64.b64encode(SECRET.encode(encoding).ljust(90)).decode()
        assert shown[8:24] not in redacted.replace("\n", "")
        assert redacted.replace("\n", "")[:8] == encoded[:8], "what stands before stays"
        assert redacted[-16:].replace("\n", "")[-12:] == encoded[-12:], "what stands behind stays"


def test_utf_16_read_as_bytes_is_masked() -> None:
    text = f"x {SECRET} y".encode("utf-16-le").decode("latin-1")
    assert KNOWN.text(text).replace("\0", "") == "x *** y"


# --- dumps ---


def _hex(data: bytes, size: int, glue: str) -> str:
    return glue.join(data[at : at + size].hex() for at in range(0, len(data), size))


def _rows(data: bytes, show: Callable[[bytes], str], base: str = "08x") -> str:
    parts = range(0, len(data), 16)
    return "".join(f"{at:{base}}{show(data[at : at + 16])}\n" for at in parts)


def _swapped(data: bytes, size: int) -> bytes:
    padded = data.ljust(-(-len(data) // size) * size, b"\0")
    return b"".join(padded[at : at + size][::-1] for at in range(0, len(padded), size))


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def _character(byte: int) -> str:
    return {10: "\\n", 0: "\\0"}.get(byte) or (chr(byte) if 32 <= byte < 127 else f"{byte:03o}")


DUMPS: dict[str, Callable[[bytes], str]] = {
    "hexdump -C": lambda d: _rows(
        d, lambda p: f"  {p[:8].hex(' '):<23}  {p[8:].hex(' '):<23}  |{_printable(p)}|"
    ),
    "xxd": lambda d: _rows(d, lambda p: f": {_hex(p, 2, ' '):<39}  {_printable(p)}"),
    "xxd -g1": lambda d: _rows(d, lambda p: f": {p.hex(' '):<47}  {_printable(p)}"),
    "xxd -u": lambda d: _rows(d, lambda p: f": {_hex(p, 2, ' ').upper():<39}  {_printable(p)}"),
    "xxd -e": lambda d: _rows(
        d, lambda p: f": {_hex(_swapped(p, 4), 4, ' '):<35}  {_printable(p)}"
    ),
    "xxd -i": lambda d: "".join(
        "  " + ", ".join(f"0x{byte:02x}" for byte in d[at : at + 12]) + ",\n"
        for at in range(0, len(d), 12)
    ),
    "od -x": lambda d: _rows(d, lambda p: f" {_hex(_swapped(p, 2), 2, ' ')}", "07o"),
    "od -c": lambda d: _rows(d, lambda p: "".join(f"{_character(byte):>4}" for byte in p), "07o"),
    "od -b": lambda d: _rows(d, lambda p: "".join(f" {byte:03o}" for byte in p), "07o"),
    "od": lambda d: _rows(
        d,
        lambda p: "".join(
            f" {int.from_bytes(p[at : at + 2], 'little'):06o}" for at in range(0, len(p), 2)
        ),
        "07o",
    ),
    "od -tu1": lambda d: _rows(d, lambda p: "".join(f"{byte:4}" for byte in p), "07o"),
    "od -tx1z": lambda d: _rows(d, lambda p: f" {p.hex(' '):<47}  >{_printable(p)}<", "07o"),
    "od -An -tx1": lambda d: "".join(f" {d[at:][:16].hex(' ')}\n" for at in range(0, len(d), 16)),
    "tcpdump -X": lambda d: "".join(
        f"\t0x{at:04x}:  {_hex(d[at : at + 16], 2, ' '):<39}  {_printable(d[at : at + 16])}\n"
        for at in range(0, len(d), 16)
    ),
}
WRAPS: dict[str, Callable[[str], str]] = {
    "alone": lambda dump: dump,
    "in a log": lambda dump: "".join(f"api-1  | {line}\n" for line in dump.splitlines()),
    "behind times": lambda dump: "".join(
        f"2026-11-26T09:48:27.123Z {line}\n" for line in dump.splitlines()
    ),
    "in a list": lambda dump: json.dumps(dump.splitlines(), indent=4),
}


@pytest.mark.requirement("T7.4")
@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS.keys())
def test_a_known_secret_in_a_dump_is_masked(
    dump: Callable[[bytes], str], wrap: Callable[[str], str]
) -> None:
    for lead in range(1, 33, 3):
        plain = wrap(dump(b"x" * lead + b" " * len(SECRET) + b" and more of it\n"))
        text = wrap(dump(b"x" * lead + SECRET.encode() + b" and more of it\n"))
        redacted = BOTH.text(text)
        changed = [at for at, line in enumerate(text.splitlines()) if line not in plain]
        for number in changed:
            line = redacted.splitlines()[number]
            assert "***" in line or line in plain, (lead, line)
        if text.startswith("0"):
            assert "***" in KNOWN.text(text)
        assert BOTH.text(redacted) == redacted
        assert streamed(BOTH, text) == redacted


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS.keys())
def test_an_unknown_secret_in_a_dump_is_masked(dump: Callable[[bytes], str]) -> None:
    text = dump(b"host=db.internal\nDB_PASSWORD=Xy7-kk-Q2w9\nuser=app\nport=5432\n")
    redacted = REDACTOR.text(text)
    assert "***" in redacted
    assert "Xy7" not in redacted
    assert redacted.splitlines()[0] == text.splitlines()[0], "its neighbours stay"
    harmless = dump(b"host=db.internal\nuser=app\nport=5432\nlog level=debug\n")
    assert REDACTOR.text(harmless) == harmless


def test_the_characters_beside_the_cells_are_masked_with_them() -> None:
    text = DUMPS["hexdump -C"](b"name=application\n\npw=" + SECRET.encode() + b"\n")
    assert KNOWN.text(text).splitlines() == [
        text.splitlines()[0],
        "00000010  0a 0a 70 77 3d ***  |..pw=***|",
        "00000020  *** 0a                                       |***.|",
    ]


# --- keys ---

_random = random.Random(7)
_BODY = "".join(_random.choices(string.ascii_letters + string.digits + "+/", k=64 * 20 + 20)) + "=="
_LINES = [_BODY[at : at + 64] for at in range(0, len(_BODY), 64)]
KEY = "\n".join(("-----BEGIN PRIVATE KEY-----", *_LINES, "-----END PRIVATE KEY-----", ""))


@pytest.mark.parametrize("width", [40, 48, 60, 64, 70, 72, 76, 100, 120])
@pytest.mark.parametrize("source", ["the base64 of it", "its body"])
def test_the_lines_of_a_known_key_are_masked_one_by_one(width: int, source: str) -> None:
    whole = base64.b64encode(KEY.encode()).decode() if source == "the base64 of it" else _BODY
    lines = [whole[at : at + width] for at in range(0, len(whole), width)]
    shown = [f"2026-11-26 12:00:00 line {line} of it" for line in lines]
    redacted = Redactor([KEY], unknown=False).text("\n".join(shown)).splitlines()
    assert len(redacted) == len(shown)
    for line, original in zip(redacted, lines, strict=True):
        assert line.startswith("2026-11-26 12:00:00 line ")
        assert line.endswith(" of it")
        if len(original) == width and not original.startswith(
            ("LS0tLS1C", "QUklWQVRF", "UklWQVRF")
        ):
            assert "***" in line, original


@pytest.mark.parametrize("width", [64, 76, 2000])
def test_the_base64_of_an_unknown_key_is_masked(width: int) -> None:
    whole = base64.b64encode(KEY.encode()).decode()
    text = "before\n" + "\n".join(whole[at : at + width] for at in range(0, len(whole), width))
    redacted = REDACTOR.text(f"{text}\nafter")
    assert redacted.startswith("before\n***")
    assert redacted.endswith("\nafter")
    assert _BODY[200:240] not in redacted
    assert not [line for line in text.splitlines()[1:-2] if line in redacted]


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ("2026-11-26T09:48:27.123Z ", ""),
        ("Nov 26 09:48:27 host app[12]: ", ""),
        ("INFO key: ", ""),
        ('{"log":"', '\\n","stream":"stdout"}'),
        ("  [worker 3] ", ""),
    ],
)
def test_the_lines_of_an_unknown_key_are_masked_behind_anything(head: str, tail: str) -> None:
    lines = ["start", *KEY.splitlines(), "done"]
    text = "\n".join(f"{head}{line}{tail}" for line in lines)
    redacted = REDACTOR.text(text).splitlines()
    for line, shown in zip(redacted, lines, strict=True):
        assert line == f"{head}{'***' if shown in _LINES else shown}{tail}"


def test_a_public_key_and_its_base64_stay_beside_a_known_private_one() -> None:
    start = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0"
    text = base64.b64encode(start.encode()).decode()
    assert Redactor([KEY]).text(text) == text
    for joined in ("follows\n", "-----BEGIN PRIVATE KEY-----\n"):
        shown = f"{joined}{_LINES[0]}\nafter"
        assert Redactor([KEY], unknown=False).text(shown) == f"{joined}***\nafter"
