"""An approval that a CI's platform signs: a token of the job that its reviewers let run.

The token is a JSON Web Token (RFC 7519) for one audience: ``maestro:`` and the whole hash of the
plan. The keys of its issuer are pinned on the host, as a JSON Web Key Set (RFC 7517): a host
fetches none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import MaestroError
from . import openssl

SETTING = "maestro_approval_oidc"
AUDIENCE = "maestro:"
AHEAD = 300  # seconds by which the clocks of two machines may differ
LONGEST = 16384  # characters of a token
# One of these says whose pipeline it is: without it, any project of the platform could approve.
PROJECTS = ("repository", "repository_id", "project_path", "project_id")
_AGAIN = "run the job that approves again"
_SET = f"see {SETTING} in docs/approval.md"
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")  # RFC 5480
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")  # RFC 3279


@dataclass(frozen=True)
class Issuer:
    """Whose tokens approve: ``claims`` are those a token must have, ``keys`` public keys as JWK.

    ``approver`` is the claim that names a person. That is who started the job: where ``reviewed``
    is set, the platform itself has another person review it.
    """

    issuer: str
    keys: tuple[Mapping[str, str], ...]
    claims: Mapping[str, str]
    approver: str = "actor"
    reviewed: bool = False

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Issuer:
        """From plain data; ``keys`` may be a key set, its list, or the text of its file."""
        keys = said["keys"]
        keys = json.loads(keys) if isinstance(keys, str) else keys
        keys = keys["keys"] if isinstance(keys, Mapping) else keys
        found = cls(
            str(said["issuer"]),
            tuple({str(k): str(key[k]) for k in sorted(_PUBLIC & set(key))} for key in keys),
            {str(name): str(value) for name, value in sorted(said["claims"].items())},
            str(said.get("approver") or "actor"),
            said.get("reviewed") is True,
        )
        return found.checked()

    def checked(self) -> Issuer:
        """Itself; `MaestroError` where its tokens would prove too little."""
        problem = ""
        if not self.issuer.startswith("https://"):
            problem = f"{self.issuer!r} is no issuer: it begins with https://"
        elif not set(PROJECTS) & set(self.claims):
            problem = f"claims must name the project: one of {', '.join(PROJECTS)}"
        elif not self.claims.get("environment"):
            problem = "claims must name the environment, whose reviewers approve"
        elif not self.keys:
            problem = "there are no keys"
        if problem:
            raise MaestroError(f"{self.issuer}: {problem}", where=SETTING, fix=_SET)
        for key in self.keys:
            public_key(key)
        return self

    @property
    def project(self) -> str:
        """The project as its claims name it."""
        return next(self.claims[name] for name in PROJECTS if name in self.claims)

    @property
    def name(self) -> str:
        """Who approves, for messages and the history."""
        return f"{self.project}, environment {self.claims['environment']}"


_PUBLIC = {"kty", "kid", "n", "e", "crv", "x", "y"}


@dataclass(frozen=True)
class Token:
    """A token that was read and not yet verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes = b""
    signature: bytes = b""
    text: str = field(default="", repr=False)

    @classmethod
    def read(cls, text: str) -> Token:
        """From its three parts; `MaestroError` where it is none."""
        parts = text.strip().split(".")
        try:
            header, claims, signature = map(_decoded, parts if len(text) <= LONGEST else ())
            signed = ".".join(parts[:2]).encode("ascii")
            return cls(_object(header), _object(claims), signed, signature, text.strip())
        except (ValueError, binascii.Error):
            raise MaestroError("the approval's token cannot be read", fix=_AGAIN) from None

    @property
    def plan(self) -> str:
        """The hash of the plan that it is for; empty where it is for something else."""
        said = self.claims.get("aud")
        audience = said[0] if isinstance(said, list) and len(said) == 1 else said
        if not isinstance(audience, str) or not audience.startswith(AUDIENCE):
            return ""
        return audience.removeprefix(AUDIENCE)

    @property
    def shown(self) -> str:
        """Who approves with it, as it says itself."""
        said = self.claims
        person = said.get("actor") or said.get("user_login") or said.get("sub")
        project = next((said[name] for name in PROJECTS if name in said), "")
        return f"{project}, environment {said.get('environment')}, started by {person}"[:200]

    @property
    def id(self) -> str:
        """What makes it one of its kind: it approves one run."""
        return hashlib.sha256(self.signed).hexdigest()[:32]

    def time(self, name: str) -> float:
        """One of its times, in seconds since 1970; `MaestroError` where it has none."""
        said = self.claims.get(name)
        if isinstance(said, bool) or not isinstance(said, int | float):
            raise MaestroError(f"the approval's token has no time {name!r}", fix=_AGAIN)
        return float(said)


def verify(text: str, issuers: tuple[Issuer, ...], hours: float) -> tuple[Token, Issuer]:
    """The token and who issued it; `MaestroError` where it is not valid now, for one of them."""
    token = Token.read(text)
    said = [one for one in issuers if one.issuer == token.claims.get("iss")]
    if not said:
        raise MaestroError(
            f"nobody may approve here with a token of {str(token.claims.get('iss'))[:200]}",
            fix=f"these may: {', '.join(one.issuer for one in issuers)}",
        )
    _signed(token, said[0] if len(said) == 1 else _with_key(token, said))
    found = next((one for one in said if not _others(token, one)), None)
    if found is None:
        raise MaestroError(
            f"the approval's token is of another job: {'; '.join(_others(token, said[0]))}",
            fix=f"approve it in {said[0].name}",
        )
    _in_time(token, hours)
    return token, found


def _others(token: Token, issuer: Issuer) -> list[str]:
    """Claims that are not what they have to be."""
    return [
        f"{name} is {str(token.claims.get(name, 'missing'))[:100]} and not {value}"
        for name, value in issuer.claims.items()
        if str(token.claims.get(name, "")) != value
    ]


def _in_time(token: Token, hours: float) -> None:
    now, at, end = time.time(), token.time("iat"), token.time("exp")
    starts = max(at, token.time("nbf") if "nbf" in token.claims else at)
    if starts > now + AHEAD:
        raise MaestroError(
            "the approval's token is not valid yet", fix="set the clocks of the host and of the CI"
        )
    if now > min(end, at + hours * 3600):
        raise MaestroError(
            f"the approval's token has expired, {now - min(end, at + hours * 3600):.0f} s ago",
            fix=f"{_AGAIN}, and the deploy right after it",
        )


def _with_key(token: Token, issuers: list[Issuer]) -> Issuer:
    kid = str(token.header.get("kid", ""))
    known = [one for one in issuers if any(key.get("kid") == kid for key in one.keys)]
    return (known or issuers)[0]


# Its signature


def _signed(token: Token, issuer: Issuer) -> None:
    kid, algorithm = str(token.header.get("kid", "")), token.header.get("alg")
    kinds = {"RS256": "RSA", "ES256": "EC"}
    if algorithm not in kinds or "crit" in token.header:
        raise MaestroError(
            f"the approval's token is signed by {str(algorithm)[:20]}",
            fix="allowed: RS256 and ES256",
        )
    keys = [key for key in issuer.keys if key["kty"] == kinds[algorithm]]
    keys = [key for key in keys if key.get("kid", kid) == kid]
    if not keys:
        raise MaestroError(
            f"the key {kid[:100]!r} that signed the approval's token is not pinned here",
            where=issuer.issuer,
            fix=f"if the issuer has new keys, put them into {SETTING} and provision",
        )
    signature = _der_signature(token.signature) if algorithm == "ES256" else token.signature
    if not any(openssl.verified(public_key(key), token.signed, signature) for key in keys):
        raise MaestroError(
            "the signature of the approval's token is not its issuer's",
            where=issuer.issuer,
            fix=_AGAIN,
        )


def public_key(key: Mapping[str, str]) -> str:
    """A JWK as PEM; `MaestroError` where it is no RSA key of 2048 bits, and none on P-256."""
    try:
        der = _rsa(key) if key["kty"] == "RSA" else _p256(key)
    except (KeyError, ValueError, binascii.Error):
        raise MaestroError(
            f"the key {key.get('kid', 'without a name')!r} is no RSA key of 2048 bits, and none on "
            "P-256",
            where=SETTING,
            fix="take the key set of the issuer as it is: its jwks_uri",
        ) from None
    text = base64.encodebytes(der).decode("ascii")
    return f"-----BEGIN PUBLIC KEY-----\n{text}-----END PUBLIC KEY-----\n"


def _rsa(key: Mapping[str, str]) -> bytes:
    modulus, exponent = (_number(key[part]) for part in ("n", "e"))
    if modulus.bit_length() < 2048 or exponent < 3:
        raise ValueError(key)
    numbers = _tlv(0x30, _integer(modulus) + _integer(exponent))
    return _tlv(0x30, _RSA + _tlv(0x03, b"\0" + numbers))


def _p256(key: Mapping[str, str]) -> bytes:
    point = [_decoded(key[part]).rjust(32, b"\0") for part in ("x", "y")]
    if (key["kty"], key["crv"]) != ("EC", "P-256") or any(len(part) != 32 for part in point):
        raise ValueError(key)
    return _P256 + b"".join(point)


def _der_signature(raw: bytes) -> bytes:
    """RFC 7518, 3.4: two numbers of 32 bytes, which openssl has as a sequence."""
    if len(raw) != 64:
        return b""
    numbers = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return _tlv(0x30, b"".join(_integer(number) for number in numbers))


def _integer(number: int) -> bytes:
    return _tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _object(text: bytes) -> dict[str, Any]:
    """What a JSON object says; `ValueError` for any other text."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 -- as what is no JSON at all
    return found


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def _decoded(text: str) -> bytes:
    """Base64 for URLs, without padding; `ValueError` on any other letter."""
    if not text or set(text) - _LETTERS:
        raise ValueError(text)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_LETTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
