"""Images that came over SSH: this host's Engine pulls them from an archive that lies here.

For as long as one pull takes, a registry answers at a loopback address, which the Engine takes
without TLS. So an image has a digest like any other: it is pinned by it, and the Engine asks only
for layers that it lacks. API: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

An archive is a tar file with the manifest and the blobs of one image, each under its digest.
"""

from __future__ import annotations

import contextlib
import http.server
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import MaestroError
from .reference import SENT

HOME = Path("/var/lib/maestro/incoming")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PORT = int(SENT.rpartition(":")[2])
_KEPT = 24 * 3600  # seconds after which what no deploy fetched is removed
_PIECE = 1 << 20


def is_sent(image: str) -> bool:
    """Whether ``NAME@sha256:...`` is one that comes over SSH."""
    return image.startswith(f"{SENT}/")


def archive(digest: str) -> Path:
    """Where an image's archive lies until it was pulled."""
    return HOME / f"{digest.partition(':')[2]}.tar"


@contextlib.contextmanager
def serving(image: str) -> Iterator[None]:
    """Answer the Engine for one image; `MaestroError` where its archive did not arrive."""
    digest = image.rpartition("@")[2]
    path = archive(digest)
    if not path.is_file():
        raise MaestroError(
            "the image is not on this host, and did not come over SSH",
            where=image,
            fix="deploy again, with the image in the Engine of the machine you deploy from",
        )
    with path.open("rb") as stream:
        server = _server(_Archive(stream, digest), image)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
    path.unlink(missing_ok=True)
    _tidy()


class _Archive:
    """The blobs of an archive by digest."""

    def __init__(self, stream: BinaryIO, manifest: str) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self.manifest = manifest
        with tarfile.open(fileobj=stream, mode="r:") as found:
            self.blobs = {item.name: (item.offset_data, item.size) for item in found}

    def pieces(self, digest: str) -> Iterator[bytes]:
        """The bytes of a blob, some at a time."""
        start, left = self.blobs[digest]
        while left:
            with self._lock:
                self._stream.seek(start)
                piece = self._stream.read(min(left, _PIECE))
            if not piece:
                return
            start, left = start + len(piece), left - len(piece)
            yield piece


def _server(found: _Archive, image: str) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Ping, manifest or blob."""
            path = self.path.rstrip("/")
            digest = path.rpartition("/")[2]
            if path == "/v2":
                self._answer(200, "application/json", 2)
                self.wfile.write(b"{}")
            elif digest not in found.blobs or ("/manifests/" in path and digest != found.manifest):
                self._answer(404, "application/json", 0)
            else:
                kind = MANIFEST if digest == found.manifest else "application/octet-stream"
                self._answer(200, kind, found.blobs[digest][1], digest)
                if self.command != "HEAD":
                    for piece in found.pieces(digest):
                        self.wfile.write(piece)

        do_HEAD = do_GET  # noqa: N815 -- the name that http.server calls

        def _answer(self, status: int, kind: str, size: int, digest: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(size))
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if digest:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the step's answer is what counts."""

    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", _PORT), Handler)
    except OSError as error:
        raise MaestroError(
            f"port {_PORT} of 127.0.0.1 cannot be had: {error.strerror}",
            where=image,
            fix=f"see who has it: ss -lntp 'sport = :{_PORT}'",
        ) from error


def _tidy() -> None:
    """Remove what no deploy came for."""
    for path in HOME.glob("*.tar"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT:
                path.unlink()
