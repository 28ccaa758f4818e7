"""Known secrets vanish in every form; short and common values do not black out the output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from redaction.forms import FORMS

from maestro.redaction import Redactor

SECRET = "Tr0ub4dor&3/é+\"x' $y~<z>"


def traces(text: str, shown: str) -> list[str]:
    """Return the longer words of what was shown that are still in a text."""
    visible = re.sub("\x1b\\[[0-9;]*m", "", shown)
    return [word for word in re.findall(r"[A-Za-z0-9]{4,}", visible) if word in text]


@pytest.mark.requirement("T7.4", "C9")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_of_a_known_secret_is_masked(form: Callable[[str], str]) -> None:
    shown = form(SECRET)
    for text in (shown, f"value={shown}", f"before [{shown}] after", f'{{"x": "{shown}"}}'):
        redacted = Redactor([SECRET], unknown=False).text(text)
        assert "***" in redacted
        assert not traces(redacted, shown)


def test_what_stands_around_a_secret_stays() -> None:
    assert Redactor([SECRET]).text(f"a {SECRET} b") == "a *** b"


def test_overlapping_secrets_are_one_span() -> None:
    assert Redactor(["abcdefghij", "ghijklmnop"]).text("x abcdefghijklmnop y") == "x *** y"


def test_secrets_may_have_names_and_be_bytes() -> None:
    redactor = Redactor({"a": b"bytes-\xff-secret", "b": ["one-secret-1", {"c": "two-secret-2"}]})
    assert redactor.text("one-secret-1 two-secret-2") == "*** ***"
    assert list(redactor.stream([b"x bytes-\xff-secret y"])) == [b"x *** y"]


MULTI_LINE = "first line of it\nsecond line of it\nthird one"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (MULTI_LINE, "***"),
        ("  first line of it\n  second line of it", "  ***\n  ***"),
        ("> second line of it", "> ***"),
        ("api-1  | third one", "api-1  | ***"),
        (MULTI_LINE.replace("\n", "\\n"), "***"),
        (MULTI_LINE.replace("\n", "\n    "), "***"),
    ],
)
def test_a_secret_of_several_lines_is_masked_line_by_line(shown: str, expected: str) -> None:
    assert Redactor([MULTI_LINE]).text(shown) == expected


@pytest.mark.parametrize(
    ("secret", "leaf"),
    [
        ('{"user": "bob", "password": "Zy9#kk"}', "Zy9#kk"),
        ('{"a": {"api_key": "abcd1234"}}', "abcd1234"),
        ('{"a": ["x9Y8z7W6v5"]}', "x9Y8z7W6v5"),
        ('{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg\\n"}', "MIIEvQIBADANBg"),
        ("user: bob\npassword: 'Zy9#kk'\n", "Zy9#kk"),
        ("db:\n  token: abcd1234\n", "abcd1234"),
        ("A=1\nDB_PASSWORD=Zy9#kk\n", "Zy9#kk"),
        ("postgres://u:Zy9%23kk@db/app", "Zy9#kk"),
        ("postgres://u:Zy9%23kk@db/app", "Zy9%23kk"),
    ],
)
def test_the_leaves_of_a_secret_are_secrets(secret: str, leaf: str) -> None:
    assert Redactor([secret], unknown=False).text(f"got {leaf}!") == "got ***!"


def test_the_harmless_leaves_of_a_secret_stay() -> None:
    secret = json.dumps(
        {
            "type": "service_account",
            "client_email": "robot@example.iam.example.com",
            "token_uri": "https://oauth2.example.com/token",
            "port": 5432,
            "private_key": "s3cr3t-k3y",
        }
    )
    text = "service_account robot@example.iam.example.com https://oauth2.example.com/token 5432"
    assert Redactor([secret], unknown=False).text(text) == text


@pytest.mark.parametrize(
    "value", ["true", "prod", "root", "5432", "postgres", "Production", "127.0.0.1", "v1.2.3"]
)
def test_a_common_word_is_not_masked_and_is_reported(value: str) -> None:
    redactor = Redactor({"common": value})
    text = f"the {value} is {value}"
    assert redactor.text(text) == text
    assert list(redactor.report()) == ["common"]
    assert value not in redactor.report()["common"]


@pytest.mark.parametrize("value", ["", " ", "a", "ab", "abc"])
def test_a_value_below_four_characters_is_not_masked_everywhere(value: str) -> None:
    redactor = Redactor({"tiny": value})
    assert redactor.text("abc ab a cabcab") == "abc ab a cabcab"
    assert "tiny" in redactor.report()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hunt2", "***"),
        ("x=hunt2;", "x=***;"),
        ("(hunt2)", "(***)"),
        ("xhunt2 hunt2x hunt2_", "xhunt2 hunt2x hunt2_"),
        ("aHVudDI=", "***"),
    ],
)
def test_a_value_of_four_to_seven_characters_is_masked_at_word_boundaries(
    text: str, expected: str
) -> None:
    assert Redactor(["hunt2"], unknown=False).text(text) == expected


def test_a_value_of_eight_characters_is_masked_inside_of_words() -> None:
    assert Redactor(["hunter22"], unknown=False).text("xhunter22x") == "x***x"


def test_short_values_are_masked_where_a_key_names_them() -> None:
    assert Redactor(["abc"]).text("password=abc") == "password=***"


@pytest.mark.no_cover  # much of what the others count
def test_a_thousand_secrets_are_told_apart() -> None:
    secrets = [f"prefix-{number:04d}-suffix" for number in range(1000)]
    redactor = Redactor(secrets, unknown=False)
    assert redactor.text("prefix-0999-suffix prefix-1000-suffix") == "*** prefix-1000-suffix"


@pytest.mark.parametrize(
    "secret", ["abababababababab", "xyzxyzxyzxyzxyzxyzxyz", "0123012301230123012301"]
)
def test_a_secret_that_repeats_itself_is_found_at_every_position(secret: str) -> None:
    for shift in range(20):
        assert (
            Redactor([secret], unknown=False).text("." * shift + secret + "!")
            == "." * shift + "***!"
        )


@pytest.mark.parametrize("letters", ["kZ4x9-Qw7", "ké4x9-Qw7", "漢Z4字9-Qw7", "k😀4x9\udc80Q"])
def test_a_secret_of_any_length_is_found_at_every_position(letters: str) -> None:
    """Also where others have pieces of it, and characters of several bytes are before it."""
    for length in (4, 6, 7, 8, 10, 11, 12, 15, 16, 31):
        secret = (letters * 5)[:length]
        others = [f"{letters * 6}{number}" for number in range(9)]
        redactor = Redactor([*others, secret], unknown=False)
        for lead in (".", "ß", "\U0001f600"):
            text = "".join(f"{lead * shift} {secret} " for shift in range(9))
            masked = "".join(f"{lead * shift} *** " for shift in range(9))
            assert redactor.text(text) == masked, (length, lead)


def test_many_short_secrets_are_found_too() -> None:
    redactor = Redactor([f"k{number:03d}" for number in range(100, 400)], unknown=False)
    assert redactor.text("k100 k399 k400 ak100") == "*** *** k400 ak100"


def test_a_secret_that_holds_the_mask_leaves_a_stable_text() -> None:
    redactor = Redactor(["secret-one", "left***right"], unknown=False)
    once = redactor.text("leftsecret-oneright")
    assert redactor.text(once) == once


def test_colour_codes_inside_of_a_secret_are_kept() -> None:
    assert Redactor(["hunter2222"]).text("\x1b[31mhunter\x1b[0m2222 ok") == "\x1b[31m***\x1b[0m ok"


def test_secrets_can_be_added_later() -> None:
    redactor = Redactor()
    assert redactor.text("s3cr3t-value") == "s3cr3t-value"
    redactor.add("s3cr3t-value", "late")
    assert redactor.text("s3cr3t-value") == "***"


def test_the_label_is_the_same_for_the_same_secret_only() -> None:
    redactor = Redactor()
    assert redactor.label("a") == redactor.label("a") != redactor.label("b")
    assert Redactor().label("a") != redactor.label("a")
    assert "a-secret" not in redactor.label("a-secret")


def test_the_redactor_does_not_show_its_secrets() -> None:
    assert "s3cr3t-value" not in repr(Redactor(["s3cr3t-value"]))
