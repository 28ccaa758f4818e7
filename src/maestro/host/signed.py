"""Whether an image is signed by a key that the environment asks for, before any host pulls it.

The signature is one of cosign's: a part of what has the tag ``sha256-HEX.sig`` beside the image
(https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Protocol

from ..errors import MaestroError
from . import openssl

ANNOTATION = "dev.cosignproject.cosign/signature"
KIND = "cosign container image signature"
SETTING = "maestro_images_signed_by"


class Client(Protocol):
    """What a registry is asked with, see `registry.Registry`."""

    def attached(self, reference: str, tag: str) -> list[tuple[bytes, dict[str, str]]]:
        """The parts of what has this tag beside an image, each with its annotations."""


def check(client: Client, reference: str, digest: str, keys: Sequence[str]) -> None:
    """Refuse an image that none of these keys (PEM) has signed; without keys nobody has to."""
    if not keys:
        return
    found = client.attached(reference, f"{digest.replace(':', '-')}.sig")
    # What it says is read only after it is known whose word it is.
    ours = [text for text, said in found if _by_one_of(keys, text, said.get(ANNOTATION, ""))]
    if any(_of(text) == digest for text in ours):
        return
    what = "is signed by another key" if found else "is not signed"
    if ours:
        what = "has the signature of another image"
    name = reference.partition("@")[0].rpartition(":")[0] or reference
    raise MaestroError(
        f"the image {what}, and {SETTING} asks for it: {digest}",
        where=reference,
        fix=f"sign what you trust: cosign sign --key KEY {name}@{digest}",
    )


def _by_one_of(keys: Sequence[str], text: bytes, signature: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(raw) and any(openssl.verified(key, text, raw) for key in keys)


def _of(text: bytes) -> str:
    """The digest that a signature is about."""
    try:
        said = json.loads(text)["critical"]
        return str(said["image"]["docker-manifest-digest"]) if said["type"] == KIND else ""
    except (ValueError, KeyError, TypeError):
        return ""
