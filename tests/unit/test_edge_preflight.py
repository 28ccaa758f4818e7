"""What the role edge refuses of given certificates, before anything changes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from unit.local_play import local_play

PLAY = """
- hosts: shop
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        {name: maestro.stacks.edge, tasks_from: preflight_files, public: true}
"""


def make(home: Path, name: str, days: int) -> None:
    """NAME.crt, good until so many days from now, and NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    (home / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (home / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("good", "good", []),
        (
            "good",
            "old",
            ["shop: the key", "old.key does not belong to the certificate", "set edge"],
        ),
        ("good", "torn", ["shop: the key", "torn.key cannot be read: it must be PEM"]),
        ("old", "old", ["shop: the certificate", "old.crt ended at 20", "set edge_certificate to"]),
    ],
)
def test_given_certificates(tmp_path: Path, certificate: str, key: str, words: list[str]) -> None:
    make(tmp_path, "good", 30)
    make(tmp_path, "old", -1)
    (tmp_path / "torn.key").write_bytes((tmp_path / "good.key").read_bytes()[:80])
    (tmp_path / "play.yml").write_text(PLAY)
    said = {
        "edge_tls": "files",
        "edge_certificate": str(tmp_path / f"{certificate}.crt"),
        "edge_certificate_key": str(tmp_path / f"{key}.key"),
    }
    done = local_play(tmp_path / "play.yml", "shop", "-e", json.dumps(said))
    shown = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode == 0) == (not words), shown
    assert [word for word in words if word not in shown] == [], shown
    assert "PRIVATE KEY" not in shown
