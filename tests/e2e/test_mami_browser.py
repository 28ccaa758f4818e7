"""Mami's page in a real browser, through the edge with TLS.

Debian's Chromium, driven by playwright and judged by axe. It needs chromium, node and npm on this
machine, and is part of the long runs alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from e2e import lab, pictures
from mami_stack import HOST, NAME

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("production", "providers")]

BROWSER = lab.PROJECT / "tests/browser"
RESULTS = lab.PROJECT / "test-results/mami"


def key_of(port: int) -> str:
    """The hash of the key in the edge's certificate, which the lab's authority must have signed."""
    trust = ssl.create_default_context(cafile=str(lab.PROJECT / ".lab/ca.crt"))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    assert shown
    public = x509.load_der_x509_certificate(shown).public_key()
    data = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.fixture(scope="module")
def modules() -> Path:
    """Where the locked modules are installed."""
    home = lab.PROJECT / ".cache/browser"
    home.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(BROWSER / name, home)
    lab.run("npm", "ci", "--no-audit", "--no-fund", "--prefix", str(home)).ok()
    return home


def test_chat_images_and_status_work_at_every_size_and_for_everybody(
    modules: Path, tmp_path: Path, show: Callable[[str, str], None]
) -> None:
    port = lab.settings()["ports"][HOST]["https"]
    picture = tmp_path / "picture.png"
    picture.write_bytes(pictures.png(320, 240))
    RESULTS.mkdir(parents=True, exist_ok=True)
    given = {
        "url": f"https://{NAME}:{port}",
        "chromium": shutil.which("chromium") or "chromium",
        "key": key_of(port),
        "modules": str(modules),
        "picture": str(picture),
        "out": str(RESULTS),
    }
    run = lab.run("node", str(BROWSER / "mami.mjs"), json.dumps(given), timeout=600).ok()
    seen: dict[str, Any] = json.loads(run.out.strip().splitlines()[-1])
    show("browser: Mami", f"{len(seen['pictures'])} pictures in {RESULTS}; {seen['violations']}")
    assert not [one for one in seen["violations"] if one["impact"] in ("serious", "critical")]
    assert not seen["overflow"]
    assert not seen["errors"]
    assert len(seen["answers"]) == len(seen["results"]) == 4
    for answer in seen["answers"]:
        assert "Hello from the local model." in answer
        assert "ollama" in answer
        assert "groq:" in answer, "who failed before"
        assert "gemini:" in answer
    # The worker's result: at least as wide as the picture.
    assert all(width >= 320 for width, _ in seen["results"])
    for names in seen["focus"]:
        assert names[0] == "Skip to the content"
        assert {"Chat", "Images", "Status"} <= set(names), "the keyboard alone reaches all pages"
