"""The Docker Engine of this host, through its API socket.

The API is versioned and answers in milliseconds; starting the command-line client
for each question costs ten times that, and its text output is no interface.
API: https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ..errors import MaestroError
from . import life
from .reference import Reference

SOCKET = "/var/run/docker.sock"
STOPPED = 120.0  # seconds the Engine may take to stop or remove a container beyond its grace


class _Connection(http.client.HTTPConnection):
    """HTTP over the Engine's Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gone(MaestroError):
    """What was asked for is not there: removed meanwhile, by another run or by hand."""


class Engine:
    """Questions to the Engine and the few orders Compose has no command for."""

    def __init__(self, path: str = SOCKET) -> None:
        self.path = path

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        headers: dict[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """Status and body of one API call; `MaestroError` when no Engine answers."""
        connection = _Connection(self.path, timeout)
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            sent = {"Host": "docker", **(headers or {})}
            if body is not None:
                sent["Content-Type"] = "application/json"
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, target, body=data, headers=sent)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise MaestroError(
                f"no Docker Engine answers: {error}",
                where=self.path,
                fix="run maestro.stacks.provision for this host, or start its docker service",
            ) from error
        finally:
            connection.close()

    def _get(self, path: str, query: dict[str, str] | None = None) -> Any:
        status, body = self.request("GET", path, query)
        if status >= 400:
            kind = Gone if status == 404 else MaestroError
            raise kind(_message(body) or f"the Engine answered {status}", where=path)
        return json.loads(body)

    def wait_ready(self, timeout: float) -> None:
        """Wait until the Engine answers, for it may be starting; `MaestroError` if it does not."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                status, body = self.request("GET", "/_ping", timeout=5)
                if status == 200:
                    return
                problem = MaestroError(_message(body), where=self.path)
            except MaestroError as error:
                problem = error
            if time.monotonic() > deadline:
                raise problem
            time.sleep(0.25)

    def info(self) -> dict[str, Any]:
        """``GET /info``: version, data directory, memory in bytes."""
        answer: dict[str, Any] = self._get("/info")
        return answer

    def containers(self, label: str = "") -> list[dict[str, Any]]:
        """All containers, running or not, optionally those with a label."""
        query = {"all": "1"}
        if label:
            query["filters"] = json.dumps({"label": [label]})
        answer: list[dict[str, Any]] = self._get("/containers/json", query)
        return answer

    def unhealthy(self) -> list[dict[str, Any]]:
        """Running containers whose health check fails; a paused one is not among them."""
        filters = {"health": ["unhealthy"], "status": ["running"]}
        answer: list[dict[str, Any]] = self._get(
            "/containers/json", {"filters": json.dumps(filters)}
        )
        return answer

    def stats(self, container: str) -> dict[str, Any]:
        """What a container uses, at once: the Engine does not wait for a second reading.

        Empty where it is gone.
        """
        query = {"stream": "false", "one-shot": "true"}
        status, body = self.request("GET", f"/containers/{container}/stats", query)
        found: dict[str, Any] = json.loads(body) if status < 400 else {}
        return found

    def frozen(self, container: str, pid: int) -> bool:
        """Whether a container's main process is stopped, as by SIGSTOP: it hears no signal.

        Where that is an init (`init: true`), what it started is the main process.
        """
        status, body = self.request(
            "GET", f"/containers/{container}/top", {"ps_args": "-eo pid,ppid,stat"}
        )
        rows = json.loads(body).get("Processes") or [] if status < 400 else []
        main = [row[2] for row in rows if row[0] == str(pid)]
        below = [row[2] for row in rows if row[1] == str(pid)]
        return any(all(state.startswith("T") for state in some) for some in (main, below) if some)

    def networks(self) -> list[dict[str, Any]]:
        """All networks; the listing does not say which containers are attached."""
        answer: list[dict[str, Any]] = self._get("/networks")
        return answer

    def volumes(self) -> list[dict[str, Any]]:
        """All volumes."""
        answer: list[dict[str, Any]] = self._get("/volumes")["Volumes"] or []
        return answer

    def inspect(self, container: str) -> dict[str, Any]:
        """``docker inspect`` of one container; `Gone` where it is not there any more."""
        answer: dict[str, Any] = self._get(f"/containers/{container}/json")
        return answer

    def image(self, image: str) -> dict[str, Any]:
        """``docker inspect`` of one image; empty where it is gone."""
        status, body = self.request("GET", f"/images/{image}/json")
        found: dict[str, Any] = json.loads(body) if status < 400 else {}
        return found

    def find(self, container: str) -> dict[str, Any]:
        """``docker inspect`` of one container; empty where it is gone."""
        status, body = self.request("GET", f"/containers/{container}/json")
        found: dict[str, Any] = json.loads(body) if status < 400 else {}
        return found

    def repo_digests(self) -> set[str]:
        """``NAME@sha256:...`` of every image on the host."""
        images = self._get("/images/json")
        found = [digest for image in images for digest in image.get("RepoDigests") or []]
        # The Engine shortens the names of Docker Hub's images.
        return {f"{Reference.parse(name).name}@{name.partition('@')[2]}" for name in found}

    def pull(self, reference: str, auth: dict[str, str] | None = None) -> None:
        """Pull ``NAME@sha256:...``; the login travels in the request and is not kept."""
        name, _, digest = reference.rpartition("@")
        headers = {}
        if auth:
            document = json.dumps(auth).encode()
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(document).decode()
        status, body = self.request(
            "POST",
            "/images/create",
            {"fromImage": name, "tag": digest},
            headers=headers,
            timeout=1800,
        )
        # Progress lines; an error inside the stream comes with status 200.
        errors = [line for line in body.splitlines() if b'"error"' in line]
        if status >= 400 or errors:
            reason = _message(errors[-1] if errors else body) or f"the Engine answered {status}"
            raise MaestroError(
                f"the image cannot be pulled: {reason}",
                where=reference,
                fix="check that this host reaches the registry and trusts its certificate "
                "(maestro.stacks.provision installs both)",
            )

    def create(self, name: str, definition: Mapping[str, Any]) -> str:
        """Create a container as the API describes it, and return its id."""
        status, body = self.request("POST", "/containers/create", {"name": name}, body=definition)
        if status >= 400:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=name)
        return str(json.loads(body)["Id"])

    def events(
        self, filters: Mapping[str, list[str]], *, since: float, quiet: float
    ) -> Iterator[dict[str, Any]]:
        """What happened ``since`` (Unix time) and happens; ends after ``quiet`` seconds of nothing.

        Also ends when the Engine does; `MaestroError` when none answers at the start.
        """
        connection = _Connection(self.path, quiet)
        query = urlencode({"filters": json.dumps(filters), "since": f"{since:.3f}"})
        try:
            connection.request("GET", f"/events?{query}", headers={"Host": "docker"})
            response = connection.getresponse()
            while line := response.readline():
                yield json.loads(line)
        except TimeoutError:
            return
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise MaestroError(f"no Docker Engine answers: {error}", where=self.path) from error
        finally:
            connection.close()

    def changed(self, container: str) -> bool:
        """Whether a container wrote anything outside of its volumes."""
        return bool(self._get(f"/containers/{container}/changes"))

    def commit(self, container: str, repository: str, tag: str) -> None:
        """Keep what a container wrote as an image of this name."""
        query = {"container": container, "repo": repository, "tag": tag}
        status, body = self.request("POST", "/commit", query, timeout=1800)
        if status >= 400:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=container)

    def tags(self, repository: str) -> list[str]:
        """``REPOSITORY:TAG`` of every image of one repository on the host."""
        query = {"filters": json.dumps({"reference": [repository]})}
        return [tag for image in self._get("/images/json", query) for tag in image["RepoTags"]]

    def logs(self, container: str, lines: int = 20) -> str:
        """The last lines a container wrote, standard output and error together."""
        query = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        status, body = self.request("GET", f"/containers/{container}/logs", query)
        return "" if status >= 400 else _demultiplex(body)

    def restart(self, container: str, grace: int | None = None) -> None:
        """Stop a container within its own grace period, or this (seconds), and start it again."""
        patience = STOPPED + life.grace(self.inspect(container))
        query = None if grace is None else {"t": str(grace)}
        path = f"/containers/{container}/restart"
        status, body = self.request("POST", path, query, timeout=patience)
        if status >= 400:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=container)

    def remove_network(self, network: str) -> None:
        """Remove a network that nobody is on; `MaestroError` in the Engine's own words."""
        status, body = self.request("DELETE", f"/networks/{network}")
        if status >= 400 and status != 404:
            raise MaestroError(
                _message(body) or f"the Engine answered {status}", where=f"network {network}"
            )

    def stop(self, container: str) -> None:
        """Stop a container within its own grace period; it stays, with all it has."""
        detail = self.find(container)
        if detail.get("State", {}).get("Status") == "paused":
            self.unpause(container)
        patience = STOPPED + life.grace(detail)
        status, body = self.request("POST", f"/containers/{container}/stop", timeout=patience)
        if status >= 400 and status != 404:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=container)

    def volume(self, name: str) -> dict[str, Any]:
        """``docker volume inspect``; empty where it is gone."""
        status, body = self.request("GET", f"/volumes/{name}")
        found: dict[str, Any] = json.loads(body) if status < 400 else {}
        return found

    def remove_volume(self, name: str) -> None:
        """Remove a volume that no container has; `MaestroError` when one does."""
        status, body = self.request("DELETE", f"/volumes/{name}")
        if status >= 400:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=name)

    def remove(self, container: str, grace: int | None = None) -> None:
        """Stop a container within its own grace period (seconds), then remove it.

        One that is paused goes on before, or it would not hear that it has to stop. Its volumes
        stay. `MaestroError` where the Engine does not remove it: it may still run and write.
        """
        detail = self.find(container)
        if detail.get("State", {}).get("Status") == "paused":
            self.unpause(container)
        query = {} if grace is None else {"t": str(grace)}
        patience = STOPPED + (life.grace(detail) if grace is None else grace)
        self.request("POST", f"/containers/{container}/stop", query, timeout=patience)
        status, body = self.request(
            "DELETE", f"/containers/{container}", {"v": "0", "force": "1"}, timeout=STOPPED
        )
        # One that removes itself (`docker run --rm`) is gone by now, or on its way.
        if status >= 400 and status not in (404, 409):
            raise MaestroError(
                f"the container cannot be removed: {_message(body) or status}",
                where=container,
                fix=f"on the host: docker rm --force {container[:12]}",
            )

    def unpause(self, container: str) -> None:
        """Let a paused container go on."""
        self.request("POST", f"/containers/{container}/unpause")

    def rename(self, container: str, name: str) -> None:
        """Give a container another name; `MaestroError` where it is taken."""
        status, body = self.request("POST", f"/containers/{container}/rename", {"name": name})
        if status >= 400:
            raise MaestroError(_message(body) or f"the Engine answered {status}", where=name)


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace").strip()[:500]
    return str(document.get("message") or document.get("error") or "")


def _demultiplex(body: bytes) -> str:
    """Join the frames of a log stream (8-byte header: stream, length)."""
    if not body or body[0] > 2 or body[1:4] != b"\0\0\0":
        return body.decode("utf-8", "replace")
    parts, position = [], 0
    while position + 8 <= len(body):
        length = int.from_bytes(body[position + 4 : position + 8], "big")
        parts.append(body[position + 8 : position + 8 + length])
        position += 8 + length
    return b"".join(parts).decode("utf-8", "replace")
