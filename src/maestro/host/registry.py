"""The registry: which digest a tag means now, and what the image needs.

Source: the OCI distribution specification 1.1 and the Docker token flow
(https://distribution.github.io/distribution/spec/auth/token/).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import platform
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MaestroError
from .login import Login
from .reference import DOCKER_HUB, Reference

CERTIFICATES = Path("/etc/docker/certs.d")
PAUSES = (0.3, 1.0)  # seconds before a registry that answered with 5xx is asked again
# How a registry is asked: by a certificate that is trusted, by any, or without TLS.
VERIFIED, UNVERIFIED, PLAIN = "verified", "unverified", "plain"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le"}


@dataclass(frozen=True)
class ResolvedImage:
    """What a tag meant when it was asked for."""

    reference: str
    digest: str
    user: str
    size: int
    checked: bool = False  # whether it brings a health check
    # Paths at which the image asks for a volume (`VOLUME`).
    volumes: tuple[str, ...] = ()


class _Refused(Exception):
    """The registry answered with an error status."""

    def __init__(self, status: int, challenge: str, body: bytes) -> None:
        super().__init__(str(status))
        self.status = status
        self.challenge = challenge
        self.body = body


class Unreachable(MaestroError):
    """No registry answered in the way it was asked."""


class Registry:
    """A read-only client for one registry."""

    def __init__(
        self, host: str, login: Login | None = None, timeout: float = 10, way: str = VERIFIED
    ) -> None:
        self.host = host
        self._login = login
        self._timeout = timeout
        self._way = way
        scheme = "http" if way == PLAIN else "https"
        self._base = f"{scheme}://{'registry-1.docker.io' if host == DOCKER_HUB else host}/v2"
        self._bearer = ""
        context = ssl.create_default_context()
        if way == UNVERIFIED:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for certificate in sorted((CERTIFICATES / host).glob("*.crt")):
            try:
                context.load_verify_locations(certificate)
            except (OSError, ssl.SSLError) as error:
                raise MaestroError(
                    f"the certificate cannot be read: {error}",
                    where=str(certificate),
                    fix="run maestro.stacks.provision for this host",
                ) from error
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def by(self, way: str) -> Registry:
        """A client for the same registry that asks in another way."""
        return Registry(self.host, self._login, self._timeout, way)

    def resolve(self, reference: str) -> ResolvedImage:
        """Digest, user, compressed size (bytes) and volumes of an image for this machine."""
        image = Reference.checked(reference)
        with self._explained(image, reference):
            document, digest = self._manifest(image, image.digest or image.tag or "latest")
            if "manifests" in document:
                document, _ = self._manifest(image, self._pick(document, reference))
            config_digest = document["config"]["digest"]
            blob = self._get(f"/{image.repository}/blobs/{config_digest}")[0]
            config = json.loads(_proved(blob, str(config_digest)))
        layers = sum(int(layer.get("size", 0)) for layer in document.get("layers", []))
        said = config.get("config") or {}
        test = (said.get("Healthcheck") or {}).get("Test") or ["NONE"]
        return ResolvedImage(
            *(reference, digest, str(said.get("User") or ""), layers),
            checked=test[0] != "NONE",
            volumes=tuple(sorted(said.get("Volumes") or {})),
        )

    def attached(self, reference: str, tag: str) -> list[tuple[bytes, dict[str, str]]]:
        """The parts of what has this tag beside an image, each with its annotations; or none."""
        image = Reference.checked(reference)
        with self._explained(image, reference):
            try:
                document, _ = self._manifest(image, tag)
            except _Refused as refused:
                if refused.status == 404:
                    return []
                raise
            found = []
            for layer in document["layers"]:
                digest = str(layer["digest"])
                blob = self._get(f"/{image.repository}/blobs/{digest}")[0]
                found.append((_proved(blob, digest), dict(layer.get("annotations") or {})))
            return found

    @contextlib.contextmanager
    def _explained(self, image: Reference, reference: str) -> Iterator[None]:
        """Say what an answer means that is none."""
        try:
            yield
        except _Refused as refused:
            raise self._explain(refused, image, reference) from refused
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"the registry {self.host} cannot be reached: {reason}",
                where=reference,
                fix="check that the registry runs, that this host resolves its name and trusts "
                "its certificate; nothing was changed",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise MaestroError(
                f"the registry {self.host} did not answer with an image",
                where=reference,
                fix="check the reference, and that no proxy answers in the registry's place",
            ) from error

    def answers(self) -> None:
        """Ask whether it is there and takes the login; `MaestroError` where not."""
        try:
            self._get("/")
        except _Refused as refused:
            if refused.status in (401, 403):
                who = f"the user {self._login.username!r}" if self._login else "us without a login"
                raise MaestroError(
                    f"it refuses {who} (status {refused.status})",
                    where=self.host,
                    fix="correct the secret registry_password and maestro_registry_username",
                ) from refused
            raise MaestroError(
                f"it answered {refused.status}", where=self.host, fix="look at the registry's log"
            ) from refused
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(
                f"it cannot be reached: {getattr(error, 'reason', error)}",
                where=self.host,
                fix="check that it runs, that this host resolves its name and trusts its "
                "certificate",
            ) from error

    def _pick(self, index: dict[str, Any], reference: str) -> str:
        machine = platform.machine()
        wanted = _MACHINES.get(machine, machine)
        for entry in index.get("manifests", []):
            platform_of = entry.get("platform", {})
            if platform_of.get("architecture") == wanted and platform_of.get("os") == "linux":
                return str(entry["digest"])
        raise MaestroError(
            f"the image has no variant for {wanted}",
            where=reference,
            fix="build it for this architecture",
        )

    def _manifest(self, image: Reference, version: str) -> tuple[dict[str, Any], str]:
        """A manifest or an index, and its digest."""
        accept = ", ".join((*_MANIFESTS, *_INDEXES))
        body, headers = self._get(f"/{image.repository}/manifests/{version}", accept)
        said = version if ":" in version else headers.get("docker-content-digest", "")
        digest = said or "sha256:" + hashlib.sha256(body).hexdigest()
        document: dict[str, Any] = json.loads(_proved(body, digest))
        return document, digest

    def _get(self, path: str, accept: str = "*/*") -> tuple[bytes, dict[str, str]]:
        try:
            return self._fetch(self._base + path, accept, self._authorization())
        except _Refused as refused:
            if refused.status != 401 or not refused.challenge.lower().startswith("bearer"):
                raise
            # Kept for the next question, but not read again: it may be another thread's by then.
            bearer = self._bearer = self._token(refused.challenge)
            return self._fetch(self._base + path, accept, f"Bearer {bearer}")

    def _authorization(self) -> str:
        if self._bearer:
            return f"Bearer {self._bearer}"
        return self._basic() if self._login else ""

    def _basic(self) -> str:
        if self._login is None:
            return ""
        pair = f"{self._login.username}:{self._login.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()

    def _token(self, challenge: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.pop("realm", "")
        if not realm.startswith("https://") and not self._own(realm):
            raise MaestroError(
                f"the registry {self.host} sends its users to {realm!r} for a token",
                where=self.host,
                fix="allowed: an https:// address; the login was not sent",
            )
        url = f"{realm}?{urllib.parse.urlencode(fields)}"
        answer = json.loads(self._fetch(url, "application/json", self._basic())[0])
        return str(answer.get("token") or answer.get("access_token") or "")

    def _own(self, realm: str) -> bool:
        """Whether a registry that is asked in plain HTTP gives out its tokens itself."""
        return self._way == PLAIN and urllib.parse.urlsplit(realm).netloc == self.host

    def _fetch(self, url: str, accept: str, authorization: str) -> tuple[bytes, dict[str, str]]:
        """One answer; a registry that is in trouble for a moment is asked again."""
        for pause in PAUSES:
            try:
                return self._once(url, accept, authorization)
            except _Refused as refused:
                if refused.status < 500:
                    raise
                time.sleep(pause)
        return self._once(url, accept, authorization)

    def _once(self, url: str, accept: str, authorization: str) -> tuple[bytes, dict[str, str]]:
        request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 -- https
        if authorization:
            # Unredirected: a blob may live elsewhere, and the login must not follow it there.
            request.add_unredirected_header("Authorization", authorization)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                headers = {key.lower(): value for key, value in response.headers.items()}
                return response.read(), headers
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "") or ""
            raise _Refused(error.code, challenge, error.read(65536)) from error

    def _explain(self, refused: _Refused, image: Reference, reference: str) -> MaestroError:
        if refused.status in (401, 403):
            who = f"the user {self._login.username!r}" if self._login else "a request without login"
            return MaestroError(
                f"the registry {self.host} refuses {who} (status {refused.status})",
                where=reference,
                fix="correct the secret registry_password and maestro_registry_username; "
                "nothing was changed",
            )
        if refused.status == 404:
            known = ", ".join(self._tags(image)) or "none"
            version = f"@{image.digest}" if image.digest else f":{image.tag or 'latest'}"
            return MaestroError(
                f"the registry {self.host} has no {image.repository}{version}",
                where=reference,
                fix=f"deploy a version that exists (there: {known}), or build this one: "
                f"make images VERSION={image.tag or 'TAG'}",
            )
        return MaestroError(
            f"the registry {self.host} answered {refused.status}",
            where=reference,
            fix="look at the registry's log; nothing was changed",
        )

    def _tags(self, image: Reference) -> list[str]:
        try:
            answer = json.loads(self._get(f"/{image.repository}/tags/list")[0])
        except (_Refused, OSError, ValueError, http.client.HTTPException):
            return []
        return sorted(answer.get("tags") or [])[-8:]


def _proved(body: bytes, digest: str) -> bytes:
    """The bytes, when they are those of the digest: a uid or a layer is believed by it alone."""
    algorithm, _, wanted = digest.partition(":")
    if algorithm not in ("sha256", "sha512") or hashlib.new(algorithm, body).hexdigest() != wanted:
        raise ValueError(digest)
    return body
