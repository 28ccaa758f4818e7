"""The maintenance page: one answer to every request, whoever asks and however slowly."""

from __future__ import annotations

import asyncio
import contextlib

RETRY_AFTER = 30  # seconds a client is asked to wait under maintenance
TIME = 5.0  # seconds in which a client has to send its request and to take the answer
LEFT = 1.0  # seconds in which a body that nobody reads may still arrive
HEAD_BYTES = 128 << 10  # of a request's head: more than the edge lets through
CONNECTIONS = 512  # at once; the edge asks again for what is turned away
_LATE = asyncio.TimeoutError
_END = b"\r\n\r\n"

PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Under maintenance</title>
<style>body{font:1.1rem/1.5 sans-serif;margin:20vh auto;max-width:32rem;padding:1rem}</style>
<h1>Under maintenance</h1>
<p>We are working on this service. Please try again in a moment.</p>
</html>
"""
_ANSWER = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    f"Content-Length: {len(PAGE)}\r\n"
    f"Retry-After: {RETRY_AFTER}\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n\r\n"
).encode()


class Server:
    """Answers on one thread, with a bound of connections and of time for each of them."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._open = 0

    def run(self) -> None:
        """Answer until the process ends; `OSError` where the port is taken."""
        asyncio.run(self.serve())

    async def serve(self) -> None:
        """Answer until cancelled."""
        server = await asyncio.start_server(
            self._answer, *self._where, limit=HEAD_BYTES, backlog=CONNECTIONS
        )
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                await asyncio.wait_for(_one(reader, writer), TIME)
        except (OSError, EOFError, _LATE, asyncio.LimitOverrunError):
            # The client's own affair: it is too slow, too greedy or gone.
            pass
        finally:
            self._open -= 1
            writer.transport.abort()


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(_END)
    writer.write(_ANSWER + (b"" if head.startswith(b"HEAD ") else PAGE))
    await writer.drain()
    writer.write_eof()
    # Closing before the body is here would make the kernel take back the answer.
    with contextlib.suppress(_LATE):
        await asyncio.wait_for(_forget(reader), LEFT)


async def _forget(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass
