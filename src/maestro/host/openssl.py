"""Signatures, verified by the program openssl.

Every host has it, and it is reviewed for what a comparison of our own could miss: padding that is
laxly parsed, points that are on no curve.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from ..errors import MaestroError


def verified(key: str, signed: bytes, signature: bytes) -> bool:
    """Whether the key (PEM) has signed these bytes, over their SHA-256.

    ``signature`` is as X.509 has it: for an elliptic curve two numbers in DER.
    https://docs.openssl.org/3.0/man1/openssl-dgst/
    """
    with tempfile.TemporaryDirectory(prefix="maestro-") as home:
        paths = [Path(home) / name for name in ("key.pem", "signature")]
        paths[0].write_text(key, encoding="ascii")
        paths[1].write_bytes(signature)
        argv = ["openssl", "dgst", "-sha256", "-verify", str(paths[0]), "-signature", str(paths[1])]
        try:
            done = subprocess.run(  # noqa: S603 -- an argument list, no shell
                argv, input=signed, capture_output=True, check=False
            )
        except FileNotFoundError:
            raise MaestroError(
                "openssl is not there, which verifies signatures", fix="install openssl"
            ) from None
    return done.returncode == 0 and b"Verified OK" in done.stdout
