"""What must hold for any input."""

from __future__ import annotations

import base64
import contextlib
import json
import string
import urllib.parse

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maestro.redaction import Redactor
from maestro.redaction.registry import why_not

quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
secrets = st.text(min_size=8, max_size=60).filter(
    lambda text: (
        text == text.strip()
        and len(text.strip()) >= 8
        and why_not(text) is None
        and "***" not in text
    )
)
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


@pytest.mark.requirement("T7.4")
@quick
@given(secrets, plain, plain)
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


@quick
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


@quick
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


@quick
@given(anything)
def test_any_value_is_taken(value: object) -> None:
    redactor = Redactor(["an-unrelated-Secret-1"])
    once = redactor.obj(value)
    assert str(redactor.obj(once)) == str(once)


@quick
@given(st.text())
def test_any_text_is_taken_as_a_secret(text: str) -> None:
    assert isinstance(Redactor({"x": text}).text(f"a {text} b"), str)


@quick
@given(plain)
def test_plain_text_is_unchanged(text: str) -> None:
    assert Redactor(["an-unrelated-Secret-1"]).text(text) == text
