"""A CI's platform in small: a key, its key set, and tokens as its jobs get them."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://token.forge.example"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int = 0) -> str:
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass
class Local:
    """``algorithm`` is RS256 or ES256; ``bits`` are those of an RSA key."""

    algorithm: str = "RS256"
    kid: str = "one"
    bits: int = 2048
    key: Any = field(init=False)

    def __post_init__(self) -> None:
        if self.algorithm == "RS256":
            self.key = rsa.generate_private_key(65537, self.bits)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        """Its public key."""
        public = self.key.public_key().public_numbers()
        if self.algorithm == "RS256":
            numbers = {"kty": "RSA", "n": _number(public.n), "e": _number(public.e)}
        else:
            point = {"x": _number(public.x, 32), "y": _number(public.y, 32)}
            numbers = {"kty": "EC", "crv": "P-256", **point}
        return {**numbers, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def settings(self, **changes: Any) -> dict[str, Any]:
        """What a host is told of it, as maestro_approval_oidc has it."""
        claims = {
            "repository": "us/shop",
            "environment": "production",
            "ref": "refs/heads/main",
        }
        return {"issuer": ISSUER, "keys": {"keys": [self.jwk]}, "claims": claims, **changes}

    def token(self, plan: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of the job that approves this plan; a claim that is None is left out."""
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": f"maestro:{plan}",
            "sub": "repo:us/shop:environment:production",
            "repository": "us/shop",
            "environment": "production",
            "ref": "refs/heads/main",
            "actor": "ana",
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": f"{time.time()}",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        top = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (top, said))
        return f"{text}.{encoded(self.sign(text.encode()))}"

    def sign(self, data: bytes) -> bytes:
        """Its signature as a token has it."""
        if self.algorithm == "RS256":
            signed: bytes = self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            return signed
        numbers = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in numbers)
