"""What happens with every request: its id, its size, its line in the log, its metrics."""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import metrics
from app.core.logger import get_logger, request_id

log = get_logger(__name__)

HEADER = b"x-request-id"
GOOD = re.compile(r"[A-Za-z0-9._-]{1,100}")
QUIET = ("/health", "/metrics", "/api/health")
ROOM = 64 * 1024  # for what a form adds to its file
SERVER_ERROR = 500


class TooLarge(Exception):
    """The body is larger than it may be."""


class Requests:
    """Numbers requests, refuses large ones, logs and counts them all."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        ident = given if GOOD.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(ident)
        started, status, begun, taken = time.perf_counter(), SERVER_ERROR, False, 0

        async def answer(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = [*message["headers"], (HEADER, ident.encode())]
            await send(message)

        async def read() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_bytes + ROOM:
                raise TooLarge
            return message

        try:
            declared = Headers(scope=scope).get("content-length", "0")
            if declared.isdigit() and int(declared) > self.max_bytes + ROOM:
                raise TooLarge
            await self.app(scope, read, answer)
        except TooLarge:
            if not begun:
                text = f"at most {self.max_bytes} bytes are taken"
                await JSONResponse({"detail": text}, 413, {"Connection": "close"})(
                    scope, receive, answer
                )
        except Exception:
            log.exception("the request failed")
            if begun:
                raise
            said = {"detail": "an error of Mami; its log has the reason", "request_id": ident}
            await JSONResponse(said, 500)(scope, receive, answer)
        finally:
            self.note(scope, status, time.perf_counter() - started)
            request_id.reset(token)
        return None

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Log and count an answered request."""
        # The pattern of the path: one name for all ids.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"]
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.LATENCY.labels(method, route).observe(seconds)
        if status >= SERVER_ERROR:
            metrics.ERRORS.labels(method, route).inc()
        path = scope["path"]
        level = "debug" if path.startswith(QUIET) and status < SERVER_ERROR else "info"
        client = (scope.get("client") or ("",))[0]
        facts = {
            "method": method,
            "path": path,
            "status": status,
            "seconds": round(seconds, 4),
            "client": client,
        }
        getattr(log, level)("%s %s %d", method, path, status, extra=facts)
