"""Debian's Chromium without a window, in a container: what a page does in a real browser.

It is driven by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from developing import docker

NAME = "maestro-browser"
RECIPE = """FROM debian:trixie-slim
RUN apt-get update \\
  && apt-get install -y --no-install-recommends chromium-headless-shell fonts-dejavu-core
"""
OPTIONS = ("chromium-headless-shell", "--no-sandbox", "--disable-gpu")

SHOWN = """new Promise((found, lost) => {
  const look = () => document.body.textContent.includes(%s)
    ? found(Date.now() / 1000) : requestAnimationFrame(look);
  look();
  setTimeout(() => lost(new Error("not shown")), 60000);
})"""


def image() -> str:
    """The name of an image with the browser, made once and kept."""
    subprocess.run(["docker", "build", "-q", "-t", NAME, "-"], input=RECIPE.encode(), check=True)
    return NAME


@dataclass
class Page:
    """A page that is shown, and its connection to the browser's own tools."""

    tools: aiohttp.ClientWebSocketResponse
    number: int = 0

    async def call(self, method: str, **values: object) -> dict[str, Any]:
        """A command of the protocol, and its result. An error in it fails the test."""
        self.number += 1
        await self.tools.send_json({"id": self.number, "method": method, "params": values})
        while True:
            told = await self.tools.receive_json(timeout=60)
            if told.get("id") == self.number:
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result

    async def value(self, code: str) -> Any:
        """What code in the page comes to; a promise is waited for."""
        words = {"expression": code, "awaitPromise": True, "returnByValue": True}
        found = await self.call("Runtime.evaluate", **words)
        assert "exceptionDetails" not in found, f"{code}: {found}"
        return found["result"].get("value")

    async def until(self, condition: str, seconds: float = 60) -> None:
        """Wait for a condition in the page, which may be replaced by another meanwhile."""
        end = asyncio.get_running_loop().time() + seconds
        while not await self.value(f"Boolean({condition})"):
            assert asyncio.get_running_loop().time() < end, f"never: {condition}"
            await asyncio.sleep(0.1)

    async def shows(self, text: str) -> float:
        """When a text is in the page, in seconds since 1970; at the latest after a minute."""
        return float(await self.value(SHOWN % json.dumps(text)))


@contextlib.asynccontextmanager
async def page(url: str, port: int) -> AsyncIterator[Page]:
    """A page at an address of this machine; the browser listens at ``port`` of 127.0.0.1."""
    started = docker(
        *("run", "--detach", "--rm", "--network", "host", image(), *OPTIONS),
        *(f"--remote-debugging-port={port}", "about:blank"),
    )
    try:
        async with aiohttp.ClientSession() as session:
            address = await _address(session, port)
            async with session.ws_connect(address, max_msg_size=0) as tools:
                shown = Page(tools)
                await shown.call("Page.navigate", url=url)
                yield shown
    finally:
        docker("rm", "--force", started.split()[-1], check=False)


async def _address(session: aiohttp.ClientSession, port: int) -> str:
    for _ in range(300):
        with contextlib.suppress(aiohttp.ClientError, json.JSONDecodeError, StopIteration):
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = await answer.json()
            return str(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
        await asyncio.sleep(0.2)
    raise AssertionError("the browser does not answer")
