"""Smoke checks, made from the host that was deployed to."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import MaestroError
from . import address, compose, edge, mask
from .engine import Engine
from .labels import ONE_OFF, SERVICE
from .layout import Layout

if TYPE_CHECKING:
    from ..records import Check, Entry

PAUSE = 1.0  # seconds between two attempts
LARGEST = 1 << 20  # bytes of an answer that are looked at


class _Stay(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for the answer."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


class Failed(Exception):
    """One attempt of one check failed."""


def check(layout: Layout, release: str, checks: Sequence[Check], attempts: int = 5) -> list[str]:
    """Make every check, each up to ``attempts`` times; return the names of those that passed.

    Raises `MaestroError` naming all failed checks and what each one saw, redacted.
    """
    passed, failed = [], []
    for item in checks:
        name = str(item.get("name") or _describe(item))
        reason = _attempt(layout, release, item, attempts)
        if reason:
            failed.append(f"{name}: {reason}")
        else:
            passed.append(name)
    if failed:
        text = mask.redactor(layout).text("\n".join(f"    {line}" for line in failed))
        raise MaestroError(
            f"{len(failed)} of {len(checks)} smoke checks failed:\n{text}",
            where=f"stack {layout.stack}",
            fix="correct the service, or the check in x-maestro.smoke",
        )
    return passed


def _attempt(layout: Layout, release: str, item: Check, attempts: int) -> str:
    reason = ""
    for number in range(int(item.get("attempts", attempts))):
        if number:
            time.sleep(PAUSE)
        try:
            _once(layout, release, item)
        except Failed as failed:
            reason = str(failed)
        else:
            return ""
    return reason


def _once(layout: Layout, release: str, item: Check) -> None:
    kind = _kind(item)
    RUN[kind](layout, release, item[kind], float(item.get("timeout", 5)))


def _kind(item: Check) -> str:
    return next(kind for kind in RUN if kind in item)


def _tcp(layout: Layout, _release: str, spec: Entry, timeout: float) -> None:
    place = _address(layout, spec)
    try:
        socket.create_connection(place, timeout).close()
    except OSError as error:
        raise Failed(f"tcp {place[0]}:{place[1]}: {error}") from error


def _http(layout: Layout, _release: str, spec: Entry, timeout: float) -> None:
    if spec.get("edge"):
        _through_edge(spec, timeout)
        return
    host, port = _address(layout, spec)
    shown = f"[{host}]" if ":" in host else host
    url = f"{spec.get('scheme', 'http')}://{shown}:{port}{spec.get('path', '/')}"
    answers(url, spec, timeout)


def _through_edge(spec: Entry, timeout: float) -> None:
    """Ask this host's edge as a client of the network would, and believe its certificate only."""
    host = edge.settings()
    secure = bool(host["redirect_https"])
    context = ssl.create_default_context(cafile=host["authority"] or None)
    url = f"http{'s' if secure else ''}://{spec.get('host', 'localhost')}{spec.get('path', '/')}"
    answers(url, spec, timeout, _Here(context), _HereInTheClear())


class _Here(urllib.request.HTTPSHandler):
    """Goes to this host, whatever name the request is for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._trusted = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """One request, in a connection to this host under the name it asks for."""

        def connect(name: str, **how: Any) -> http.client.HTTPConnection:
            connection = http.client.HTTPSConnection(name, context=self._trusted, **how)
            raw = socket.create_connection(("127.0.0.1", connection.port), connection.timeout)
            connection.sock = self._trusted.wrap_socket(raw, server_hostname=connection.host)
            return connection

        return self.do_open(connect, req)


class _HereInTheClear(urllib.request.HTTPHandler):
    """The same without TLS."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """One request, in a connection to this host."""

        def connect(name: str, **how: Any) -> http.client.HTTPConnection:
            connection = http.client.HTTPConnection(name, **how)
            address = ("127.0.0.1", connection.port)
            connection.sock = socket.create_connection(address, connection.timeout)
            return connection

        return self.do_open(connect, req)


def answers(url: str, spec: Entry, timeout: float, *handlers: urllib.request.BaseHandler) -> None:
    """Ask ``url`` and compare the answer with ``spec``; `Failed` says what was seen."""
    request = urllib.request.Request(url, headers=dict(spec.get("headers", {})))  # noqa: S310 -- http(s)
    wanted = int(spec.get("status", 200))
    follow: list[urllib.request.BaseHandler] = [_Stay()] if 300 <= wanted < 400 else []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *follow, *handlers)
    try:
        with opener.open(request, timeout=timeout) as response:
            status, body = response.status, response.read(LARGEST)
            if response.length and len(body) < LARGEST:
                raise http.client.IncompleteRead(body, response.length)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(LARGEST)
    except (OSError, ValueError, http.client.HTTPException) as error:
        # A release of an earlier version may record what is no header or address.
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise Failed(f"{url}: {reason}{_hint(reason)}") from error
    text = body.decode("utf-8", "replace")
    if status != wanted:
        raise Failed(f"{url}: status {status}, expected {wanted}: {text[:300]}")
    if str(spec.get("contains", "")) not in text:
        raise Failed(f"{url}: the answer does not contain {spec['contains']!r}: {text[:300]}")
    _compare(url, spec.get("json", {}), text)


def _hint(reason: object) -> str:
    """What to do about a certificate that is not for the name that was asked for."""
    # 62 is OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH.
    if isinstance(reason, ssl.SSLCertVerificationError) and reason.verify_code == 62:
        return (
            "; the certificate has no such name: add it to edge_hosts of the host and run "
            "maestro.stacks.provision, or correct the check's host"
        )
    return ""


def _compare(url: str, wanted: Entry, text: str) -> None:
    if not wanted:
        return
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Failed(f"{url}: the answer is not JSON: {text[:300]}") from error
    for key, value in wanted.items():
        seen = found.get(key) if isinstance(found, dict) else None
        if seen != value:
            raise Failed(f"{url}: {key} is {seen!r}, expected {value!r}")


def _address(layout: Layout, spec: Entry) -> tuple[str, int]:
    """A service's own address, or the port it publishes on this host."""
    port = int(spec["port"])
    if "service" not in spec:
        return "127.0.0.1", port
    found = address.book(Engine(), layout.stack, edge.current(layout))
    there = [
        container
        for container, item in found.containers.items()
        if item["Labels"].get(SERVICE) == spec["service"]
        and item["Labels"].get(ONE_OFF, "False") != "True"
    ]
    for container in there:
        if known := found.of(container):
            return known, port
    if not there:
        raise Failed(f"service {spec['service']} has no running container with an address")
    raise Failed(
        f"service {spec['service']} has no address that this host reaches: a check needs a "
        "bridge network"
    )


def _command(layout: Layout, release: str, spec: Entry, timeout: float) -> None:
    argv = compose.arguments(layout.stack, layout.compose_file(release), "exec", "--no-TTY")
    argv += [str(spec["service"]), *[str(word) for word in spec["argv"]]]
    try:
        result = compose.run(argv, timeout=timeout)
    except compose.TimedOut as error:
        raise Failed(error.what) from error
    if result.returncode != 0:
        seen = (result.stdout + result.stderr).strip()[-300:] or "it wrote nothing"
        raise Failed(f"{' '.join(map(str, spec['argv']))}: exit code {result.returncode}: {seen}")


def _describe(item: Check) -> str:
    kind = _kind(item)
    return f"{kind} {json.dumps(item[kind], sort_keys=True)}"


# The kinds of smoke checks, and what makes one attempt of each within ``timeout`` seconds.
RUN: Mapping[str, Callable[[Layout, str, Mapping[str, Any], float], None]] = {
    "http": _http,
    "tcp": _tcp,
    "command": _command,
}
