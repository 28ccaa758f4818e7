"""Fingerprints of OpenPGP public keys, without a program that not every machine has.

Only what decides whether a key file is the expected one: the packets are RFC 4880's
(section 4.2), the fingerprint of a version 4 key is its section 12.2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from ..errors import MaestroError

_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+: [^\n]*\n)*\s*\n"
    r"(?P<body>[A-Za-z0-9+/=\s]+?)(?:\n=[A-Za-z0-9+/]{4})?\s*\n-----END PGP PUBLIC KEY BLOCK-----"
)
_PUBLIC_KEY = 6


def fingerprints(armored: str) -> list[str]:
    """Return the fingerprints of all primary keys in ASCII-armored text, upper-case hex.

    Subkeys are not listed: a program that verifies signatures accepts one only when its
    primary key has signed it. Raise MaestroError when the text is no such key.
    """
    blocks = list(_ARMOR.finditer(armored.replace("\r\n", "\n")))
    if not blocks:
        raise MaestroError("this is not an ASCII-armored OpenPGP public key")
    try:
        data = b"".join(base64.b64decode("".join(b["body"].split())) for b in blocks)
        keys = [body for tag, body in _packets(data) if tag == _PUBLIC_KEY]
    except (binascii.Error, IndexError, ValueError):
        raise MaestroError("this OpenPGP public key is damaged") from None
    return [_fingerprint(body) for body in keys]


def check(armored: str, expected: str) -> str:
    """Return the key text when it holds exactly the one expected key, else raise MaestroError."""
    wanted = expected.replace(" ", "").upper()
    found = fingerprints(armored)
    if found != [wanted]:
        raise MaestroError(
            f"the key's fingerprint is {' and '.join(found) or 'missing'}, not {wanted}",
            fix="do not use this key before you know why it differs",
        )
    return armored


def _fingerprint(body: bytes) -> str:
    if body[0] != 4:
        raise MaestroError(f"this OpenPGP public key has version {body[0]}, and 4 is known")
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise ValueError("no packet")
        if head & 0x40:
            tag, size, skip = head & 0x3F, *_new_length(data, at + 1)
        else:
            tag, width = (head >> 2) & 0x0F, (1, 2, 4)[head & 0x03]
            size, skip = int.from_bytes(data[at + 1 : at + 1 + width], "big"), width
        at += 1 + skip
        if at + size > len(data):
            raise ValueError("a packet is cut short")
        yield tag, data[at : at + size]
        at += size


def _new_length(data: bytes, at: int) -> tuple[int, int]:
    first = data[at]
    if first < 192:
        return first, 1
    if first < 224:
        return ((first - 192) << 8) + data[at + 1] + 192, 2
    if first == 255:
        return int.from_bytes(data[at + 1 : at + 5], "big"), 5
    raise ValueError("partial lengths do not occur in keys")
