"""Images that have to be signed: what a host takes for a signature, in cosign's form."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from maestro.errors import MaestroError
from maestro.host import signed
from maestro.play import approval, signing

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
IMAGE = "registry.test:5000/shop:v1"
Part = tuple[bytes, dict[str, str]]


def key() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


OURS, THEIRS = key(), key()


def public(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    found: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return found.decode()


def part(key: Any, digest: str = DIGEST, kind: str = signed.KIND) -> Part:
    """A signature as `cosign sign --key` leaves it beside an image."""
    critical = {
        "identity": {"docker-reference": "registry.test:5000/shop"},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    text = json.dumps({"critical": critical, "optional": None}).encode()
    raw = key.sign(text, ec.ECDSA(hashes.SHA256()))
    return text, {signed.ANNOTATION: base64.b64encode(raw).decode()}


class Beside:
    """A registry that has this beside the image."""

    def __init__(self, *parts: Part) -> None:
        self.parts = list(parts)

    def attached(self, reference: str, tag: str) -> list[Part]:
        assert (reference, tag) == (IMAGE, f"sha256-{'a' * 64}.sig")
        return self.parts


def test_a_signed_image_is_taken() -> None:
    signed.check(Beside(part(OURS)), IMAGE, DIGEST, [public(OURS)])
    signed.check(Beside(part(THEIRS), part(OURS)), IMAGE, DIGEST, [public(OURS)])
    signed.check(Beside(part(THEIRS)), IMAGE, DIGEST, [public(OURS), public(THEIRS)])
    signed.check(Beside(), IMAGE, DIGEST, [])


def edited() -> Part:
    text, said = part(OURS, OTHER)
    return text.replace(OTHER.encode(), DIGEST.encode()), said


@pytest.mark.parametrize(
    ("parts", "what"),
    [
        ([], "the image is not signed"),
        ([part(THEIRS)], "the image is signed by another key"),
        ([edited()], "the image is signed by another key"),
        ([(part(OURS)[0], {})], "the image is signed by another key"),
        ([(part(OURS)[0], {signed.ANNOTATION: "***"})], "the image is signed by another key"),
        ([part(OURS, OTHER)], "the image has the signature of another image"),
        ([part(OURS, kind="another")], "the image has the signature of another image"),
    ],
)
def test_another_image_is_refused(parts: list[Part], what: str) -> None:
    with pytest.raises(MaestroError) as caught:
        signed.check(Beside(*parts), IMAGE, DIGEST, [public(OURS)])
    assert str(caught.value) == (
        f"{IMAGE}: {what}, and maestro_images_signed_by asks for it: {DIGEST}\n"
        f"  -> sign what you trust: cosign sign --key KEY registry.test:5000/shop@{DIGEST}"
    )


def test_keys_from_files_and_texts(tmp_path: Path) -> None:
    (tmp_path / "cosign.pub").write_text(public(OURS))
    (tmp_path / "cosign.key").write_text("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n")
    assert signing.keys("", tmp_path) == signing.keys([], tmp_path) == []
    assert signing.keys("cosign.pub", tmp_path) == [public(OURS)]
    with pytest.raises(MaestroError, match="come over SSH have no signature"):
        signing.keys("cosign.pub", tmp_path, "ssh")
    assert signing.keys("", tmp_path, "ssh") == []
    both = signing.keys(["cosign.pub", public(THEIRS)], tmp_path)
    assert both == [public(OURS), public(THEIRS)]
    for value, why in (
        ("none.pub", "cannot be read"),
        ("cosign.key", "this is no public key"),
        ({"key": "x"}, "this is no key"),
        ([""], "this is no key"),
    ):
        with pytest.raises(MaestroError, match=why):
            signing.keys(value, tmp_path)


@pytest.mark.parametrize("name", approval.SIGNING)
def test_one_run_does_not_switch_it_off(name: str) -> None:
    (problem,) = approval.from_outside({name: ""})
    assert "cannot be set for one run" in problem.what
