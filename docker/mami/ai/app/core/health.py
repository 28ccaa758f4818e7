"""What works and what does not: asked for real, at most once a second.

Only what Mami cannot do without is waited for. Of the rest a report has what was found last, while
it is asked again: a log store that hangs delays nobody who wants to know about it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine, text

from app.config import Settings
from app.core.memory import WorkingMemory

OK, ERROR, DISABLED = "ok", "error", "disabled"
NEEDED = ("database", "redis")
PATIENCE, FRESH = 2.5, 1.0  # seconds
BRIEFLY = 0.02  # seconds that a part may take whose state was found before

Check = Callable[[], Awaitable[object]]


class Health:
    """The parts that Mami uses: ok, error or disabled."""

    def __init__(self, settings: Settings, engine: Engine, memory: WorkingMemory) -> None:
        self.settings, self.engine, self.memory = settings, engine, memory
        self.checks: dict[str, Check | None] = {
            "database": lambda: run_in_threadpool(self._database),
            "redis": memory.ping,
            "elasticsearch": self._elasticsearch if settings.ELASTICSEARCH_URL else None,
            "neo4j": self._neo4j if settings.NEO4J_URL else None,
            "qdrant": self._qdrant if settings.QDRANT_URL else None,
            "ollama": self._ollama if settings.OLLAMA_URL else None,
        }
        self._known: tuple[float, dict[str, str]] = (0, {})
        self._last: dict[str, str] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._lock = asyncio.Lock()

    async def parts(self) -> dict[str, str]:
        """Name of a part -> its state."""
        async with self._lock:
            asked, states = self._known
            if time.monotonic() - asked > FRESH or not states:
                values = await asyncio.gather(
                    *(
                        self._state(check) if name in NEEDED else self._lately(name, check)
                        for name, check in self.checks.items()
                    )
                )
                states = dict(zip(self.checks, values, strict=True))
                self._known = time.monotonic(), states
            return states

    async def _lately(self, name: str, check: Check | None) -> str:
        """The state now, or what it was when it was asked last, where that takes a while."""

        async def ask() -> None:
            self._last[name] = await self._state(check)

        asking = self._asking.get(name)
        if asking is None or asking.done():
            asking = self._asking[name] = asyncio.create_task(ask())
        await asyncio.wait({asking}, timeout=BRIEFLY if name in self._last else None)
        return self._last[name]

    async def _state(self, check: Check | None) -> str:
        if check is None:
            return DISABLED
        try:
            async with asyncio.timeout(PATIENCE):
                await check()
        except Exception:  # noqa: BLE001 - whatever it is, the part does not work
            return ERROR
        return OK

    def _database(self) -> None:
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    async def _get(self, url: str, auth: tuple[str, str] | None = None) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE, auth=auth) as client:
            (await client.get(url)).raise_for_status()

    async def _elasticsearch(self) -> None:
        password = self.settings.ELASTICSEARCH_PASSWORD.get_secret_value()
        auth = (self.settings.ELASTICSEARCH_USERNAME, password) if password else None
        await self._get(f"{self.settings.ELASTICSEARCH_URL}/_cluster/health", auth)

    async def _ollama(self) -> None:
        await self._get(f"{self.settings.OLLAMA_URL}/api/tags")

    async def _neo4j(self) -> None:
        import neo4j  # noqa: PLC0415 - seconds of start-up, for those who use it

        login = (self.settings.NEO4J_USERNAME, self.settings.NEO4J_PASSWORD.get_secret_value())
        async with neo4j.AsyncGraphDatabase.driver(
            self.settings.NEO4J_URL, auth=login, connection_timeout=PATIENCE
        ) as driver:
            await driver.verify_connectivity()

    async def _qdrant(self) -> None:
        from qdrant_client import AsyncQdrantClient  # noqa: PLC0415 - likewise

        key = self.settings.QDRANT_API_KEY.get_secret_value() or None
        client = AsyncQdrantClient(
            url=self.settings.QDRANT_URL, api_key=key, timeout=2, check_compatibility=False
        )
        try:
            await client.get_collections()
        finally:
            await client.close()
