"""Fingerprints of repository keys, held against those that GnuPG prints."""

from __future__ import annotations

import base64

import pytest

from maestro.errors import MaestroError
from maestro.machine import openpgp

# Debian's stable release key of Debian 12, as every Debian has it.
FINGERPRINT = "4D64FEC119C2029067D6E791F8D2585B8783D481"
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
crf6AEq0SURlYmlhbiBTdGFibGUgUmVsZWFzZSBLZXkgKDEyL2Jvb2t3b3JtKSA8
ZGViaWFuLXJlbGVhc2VAbGlzdHMuZGViaWFuLm9yZz6IlgQTFggAPhYhBE1k/sEZ
wgKQZ9bnkfjSWFuHg9SBBQJjzrlTAhsDBQkPCZwABQsJCAcCBhUKCQgLAgQWAgMB
Ah4BAheAAAoJEPjSWFuHg9SBSgwBAP9qpeO5z1s5m4D4z3TcqDo1wez6DNya27QW
WoG/4oBsAQCEN8Z00DXagPHbwrvsY2t9BCsT+PgnSn9biobwX7bDDg==
=5NZE
-----END PGP PUBLIC KEY BLOCK-----
"""


def armored(*packets: bytes) -> str:
    body = base64.b64encode(b"".join(packets)).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_the_fingerprint_is_the_one_gnupg_prints() -> None:
    assert openpgp.fingerprints(KEY) == [FINGERPRINT]


@pytest.mark.parametrize(
    "written", [FINGERPRINT, "4d64 fec1 19c2 0290 67d6 e791 f8d2 585b 8783 d481"]
)
def test_the_expected_key_is_returned_as_it_is(written: str) -> None:
    assert openpgp.check(KEY, written) == KEY


def test_line_ends_and_headers_do_not_matter() -> None:
    changed = KEY.replace("BLOCK-----\n\n", "BLOCK-----\nComment: any\n\n", 1).replace("\n", "\r\n")
    assert openpgp.fingerprints(changed) == [FINGERPRINT]


def test_another_key_is_refused_with_both_fingerprints() -> None:
    with pytest.raises(MaestroError, match=f"{FINGERPRINT}, not {'0' * 40}"):
        openpgp.check(KEY, "0" * 40)


def test_a_second_key_beside_the_expected_one_is_refused() -> None:
    with pytest.raises(MaestroError, match="fingerprint is"):
        openpgp.check(KEY + KEY, FINGERPRINT)


@pytest.mark.parametrize(
    "header", [b"\xc6\x04", b"\xc6\xff\x00\x00\x00\x04", b"\x98\x04", b"\x99\x00\x04"]
)
def test_both_forms_of_packet_headers(header: bytes) -> None:
    assert len(openpgp.fingerprints(armored(header, b"\x04abc"))) == 1


def test_a_two_byte_length() -> None:
    assert len(openpgp.fingerprints(armored(b"\xc6\xc0\x08", b"\x04" + b"x" * 199))) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>Not found</html>", "not an ASCII-armored"),
        ("", "not an ASCII-armored"),
        (KEY.replace("mDME", "AAAA"), "damaged"),
        (armored(b"\xc6\x40abc"), "damaged"),
        (armored(b"\xc6\xe1abc"), "damaged"),
        (armored(b"\xc6\x04\x03abc"), "has version 3"),
    ],
)
def test_what_is_no_key_is_said(text: str, words: str) -> None:
    with pytest.raises(MaestroError, match=words):
        openpgp.fingerprints(text)


def test_a_file_without_a_primary_key_has_no_fingerprint() -> None:
    with pytest.raises(MaestroError, match="fingerprint is missing"):
        openpgp.check(armored(b"\xcd\x01x"), FINGERPRINT)
