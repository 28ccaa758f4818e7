"""Working memory: the last turns of each conversation, in Redis database 1."""

from __future__ import annotations

import json
from typing import cast

import redis.asyncio as redis

from app.config import Settings
from app.llm.providers import Turn

TURNS = 20
KEY = "conversation:{}"


class WorkingMemory:
    """What was said lately. A Redis that does not answer costs the memory, not the answer."""

    def __init__(self, settings: Settings) -> None:
        self.seconds = settings.MEMORY_SECONDS
        self.client = redis.Redis.from_url(
            settings.get_redis_url(db=1),
            decode_responses=True,
            socket_timeout=2,
            socket_connect_timeout=1,
        )

    async def turns(self, conversation: str) -> list[Turn]:
        """The last turns, oldest first."""
        lines = await self.client.lrange(KEY.format(conversation), -TURNS, -1)  # type: ignore[misc]
        return [cast("Turn", json.loads(line)) for line in lines]

    async def add(self, conversation: str, turns: list[Turn]) -> None:
        """Remember turns for MEMORY_SECONDS."""
        key = KEY.format(conversation)
        async with self.client.pipeline() as pipe:
            pipe.rpush(key, *(json.dumps(turn) for turn in turns))
            pipe.ltrim(key, -TURNS, -1)
            pipe.expire(key, self.seconds)
            await pipe.execute()

    async def ping(self) -> bool:
        """Whether Redis answers."""
        return bool(await self.client.ping())  # type: ignore[misc]

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
