"""Real servers on loopback and on a Unix socket, with the answers a test gives them."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Answer:
    """What the server says; raw bytes instead of it are sent as they are."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Reply = Callable[[Asked], Answer | bytes]


@dataclass
class Server:
    """Where a server listens and what it was asked."""

    address: str
    asked: list[Asked]


def _handler(reply: Reply, asked: list[Asked]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            # A client that still sends when the answer comes would take it for a broken pipe.
            self.rfile.read(int(headers.get("content-length", 0)))
            asked.append(Asked(self.command, self.path, headers))
            found = reply(asked[-1])
            self.close_connection = True
            if isinstance(found, bytes):
                self.wfile.write(found)
                return
            self.send_response(found.status)
            for key, value in found.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(found.body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- the handler's own names

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None:
            """Tests assert on what was asked instead."""

    return Handler


class _Tcp(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that trusts nobody hangs up: that is what some tests are about."""


class _Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that stops waiting hangs up."""


@contextlib.contextmanager
def http_server(reply: Reply, certificate: Path | None = None) -> Iterator[Server]:
    """Serve on a free loopback port, with TLS where a certificate is given."""
    asked: list[Asked] = []
    server = _Tcp(("127.0.0.1", 0), _handler(reply, asked))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    with _serving(server):
        yield Server(f"127.0.0.1:{server.server_address[1]}", asked)


@contextlib.contextmanager
def unix_server(path: Path, reply: Reply) -> Iterator[Server]:
    """Serve HTTP on a Unix socket."""
    asked: list[Asked] = []
    with _serving(_Unix(str(path), _handler(reply, asked))):
        yield Server(str(path), asked)


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def authority(directory: Path, name: str) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key in one file; the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
