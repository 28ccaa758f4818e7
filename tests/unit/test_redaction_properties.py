"""What must hold for any input; `make fuzz` tries far more of them than a run of the tests does."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import string
import time
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redaction import cases, wild
from redaction.forms import FORMS

from maestro.redaction import Redactor
from maestro.redaction.redactor import WITHHELD
from maestro.redaction.registry import is_stop_word, why_not

# One of them measures time.
pytestmark = pytest.mark.no_cover


def is_secret(text: str) -> bool:
    """Tell whether a text is masked everywhere, also when it is wrapped."""
    bare = "".join(text.split())
    # Wrapped, it may lack what looks like the prefix of a line.
    ordinary = why_not(bare) is not None or is_stop_word(bare.strip("#>|"))
    return len(bare) >= 8 and not ordinary and "***" not in text


secrets = st.text(min_size=8, max_size=60).map(str.strip).filter(is_secret)
plain = st.text(alphabet=string.ascii_lowercase + " .\n", max_size=80)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=12) | st.sampled_from(["password", "token", "name", "value", "auth"]),
            inner,
            max_size=4,
        )
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)
tricky = st.lists(
    st.sampled_from(
        ["password", "token", "=", ": ", '"', "'", "\\", "\n", " ", "-----BEGIN RSA PRIVATE KEY-----", "://", "@", "***",
         "a", "1", "%41", "&amp;", "\\u0041", "\x1b[31m", "--", "-p", "mysql ", "|", "$", "{", "}", "${X}", "Cookie: ",
         "Authorization: Bearer ", "eyJ", ".", ",", "[", "]", "<", ">", "é", "\r\n", "kind: Secret", "data:\n  "]
    ),
    max_size=25,
).map("".join)  # fmt: skip

CASES = [
    cases.expected(case)[0]
    for case in (
        cases.TOKENS + cases.PLACES + cases.FIELDS + cases.COMMANDS + cases.LINES + wild.SECRETS
    )
]
HARMLESS = cases.HARMLESS + wild.HARMLESS
# Lines that say nothing about the next one.
LINES = [
    line
    for line in HARMLESS
    if "\n" not in line and not line.rstrip().endswith((":", "|", "=", "\\"))
]
# Without the characters that a program may show as what other ones are in UTF-8 (`\\xc2\\xa1`).
printable = (
    st.characters(codec="utf-8", min_codepoint=0x100, exclude_categories=["C", "Z"])
    | st.characters(codec="ascii", exclude_categories=["C"])
    | st.just("é")
)


@st.composite
def mangled(draw: st.DrawFn) -> tuple[list[str], str]:
    """Known secrets, and a text that was put together from cases, cut up, with secrets put in."""
    known = draw(st.lists(secrets, max_size=3))
    text = draw(st.lists(st.sampled_from(CASES + HARMLESS), min_size=1, max_size=3))
    whole = draw(st.sampled_from(["\n", " ", ", ", ""])).join(text)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(whole)))
        end = min(len(whole), start + draw(st.integers(0, 12)))
        piece = draw(st.just("") | tricky | st.sampled_from(known or [""]))
        whole = whole[:start] + piece + whole[end:]
    return known, whole


@pytest.mark.requirement("T7.4")
@given(secrets, plain, plain)
@example("|000000\b", "\n", "")
def test_no_secret_survives_in_a_derived_form(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret], unknown=False)
    raw = secret.encode("utf-8", "surrogatepass")
    derived = [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret)),
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.b64encode(b"xy" + raw + b"z").decode(),
    ]
    with contextlib.suppress(UnicodeEncodeError):
        derived.append(urllib.parse.quote(secret))
    for form in derived:
        text = f"{before} {form} {after}"
        assert form not in redactor.text(text)


@given(
    st.text(printable, min_size=8, max_size=60).map(str.strip).filter(is_secret),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(["", "value=", "x: [", '{"a": "', "api-1  | ", "$ echo ", "?a=1&b="]),
    plain,
)
@example("00000>01", "hard wrapped", "", "")
@example("00000 01", "hard wrapped", "", "")
@example("000000²1", "base64 of a url", "", "")
@example("0000  0001", "hard wrapped", "", "")
@example("000000 0 1", "wrapped at its blank", "", "")
@example("000000a#", "wrapped and indented", "", "")
def test_no_form_of_a_secret_survives(secret: str, form: str, before: str, after: str) -> None:
    shown = FORMS[form](secret)
    redacted = Redactor([secret], unknown=False).text(f"{before}{shown} {after}")
    assert shown not in redacted
    words = re.findall(r"[A-Za-z0-9]{6,}", re.sub("\x1b\\[[0-9;]*m", "", shown))
    assert [word for word in words if word in redacted and word not in before + after] == []


@given(mangled(), st.integers(1, 9))
@example((["0000000@"], "\x1b[34mpassword\x1b[0000000@m=\x1b[32mhunter2\x1b[0m"), 1)
def test_mangled_cases(mangled_case: tuple[list[str], str], size: int) -> None:
    """No input withholds a text, nothing changes the second time, a stream gives the same."""
    known, text = mangled_case
    redactor = Redactor(known)
    once = redactor.text(text)
    assert WITHHELD not in once
    assert redactor.text(once) == once
    data = text.encode("utf-8", "surrogatepass")
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    whole = redactor.text(data.decode("utf-8", "surrogateescape"))
    assert b"".join(redactor.stream(chunks)) == whole.encode("utf-8", "surrogateescape")


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
@example(["docker login registry.test:5000", "password expired"], "\n")
@example(["az login", 'FATAL: password authentication failed for user "app"'], "\n")
def test_harmless_lines_stay_in_any_order(lines: list[str], end: str) -> None:
    text = end.join(lines) + end
    assert Redactor(["an-unrelated-Secret-1"]).text(text) == text


@given(st.lists(tricky | st.sampled_from(CASES), min_size=1, max_size=4))
@example(["=-----BEGIN RSA " + "PRIVATE KEY-----"])
def test_the_time_of_a_text_grows_with_its_length_alone(pieces: list[str]) -> None:
    unit = "".join(pieces)[:2000] or "x"
    redactor = Redactor(["Tr0ub4dor&3-long-secret", "hunt2"])
    begin = time.process_time()
    redactor.text((unit * (6_000 // len(unit) + 1))[:6_000])
    # Far above what any such text takes, far below what a square of its length would.
    assert time.process_time() - begin < 1.5


@given(st.lists(secrets, max_size=3), tricky)
@example(["00000-10"], "password=***-10")
# What mangling the cases found.
@example(
    ["é.X>#1^>$"],
    'password:é.X>#1^>$ {{ db_password }} must contain a digit ["redis-cli", "-a", "x"]',
)
@example(['Z,(0^0;{!1:,"?.b-b#'], 'password="aZ,(0^0;{!1:,"?.b-b#b" user=x')
@example(["a!$*%X\nc'^1Y?!$"], "curl -u bob:hunta!$*%X\nc'^1Y?!$er2 https://example.com")
@example([], '"X-Amz-Security-Token: FwoGZXIvYXdzE", sshpass -p "a b" ssh x')
@example([], '"client_secret   = \\"abc\\"\\nclient_id = \\"x\\""data:image')
@example([], "-----BEGIN RSA PRIVATE KEY-----\nTGyguxDlJfZdWCs1tUkeUUJAZ  echo abc | sudo -S ls")
@example(["9é&]z"], "found sk_test_hfoqamiVKCGaOnWbagpCFO89é&]z in the log")
def test_redacting_twice_changes_nothing(known: list[str], text: str) -> None:
    redactor = Redactor(known)
    once = redactor.text(text)
    assert redactor.text(once) == once


@given(
    st.lists(secrets, max_size=3),
    st.binary(max_size=300) | tricky.map(str.encode),
    st.integers(1, 9),
)
def test_a_stream_equals_the_text(known: list[str], data: bytes, size: int) -> None:
    redactor = Redactor(known)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    whole = redactor.text(data.decode("utf-8", "surrogateescape"))
    assert b"".join(redactor.stream(chunks)) == whole.encode("utf-8", "surrogateescape")


@given(anything)
def test_any_value_is_taken(value: object) -> None:
    redactor = Redactor(["an-unrelated-Secret-1"])
    once = redactor.obj(value)
    assert str(redactor.obj(once)) == str(once)


@given(st.text())
def test_any_text_is_taken_as_a_secret(text: str) -> None:
    assert isinstance(Redactor({"x": text}).text(f"a {text} b"), str)


@given(plain)
def test_plain_text_is_unchanged(text: str) -> None:
    assert Redactor(["an-unrelated-Secret-1"]).text(text) == text
