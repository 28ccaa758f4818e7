"""Chat: a message in, the answer of the first model that has one."""

from __future__ import annotations

import uuid
from typing import Any, cast

import redis.exceptions
from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from app.core.logger import get_logger
from app.core.memory import TURNS, WorkingMemory
from app.llm.chain import Chain, NoAnswer
from app.llm.providers import Turn
from app.models import AppSetting, ChatMessage

router = APIRouter(prefix="/chat")
log = get_logger(__name__)

ID = r"^[A-Za-z0-9-]{1,64}$"


class Message(BaseModel):
    """What the user says."""

    message: str = Field(min_length=1, max_length=8000)
    conversation: str | None = Field(default=None, pattern=ID)
    chain: str | None = None


@router.post("")
async def chat(body: Message, request: Request) -> Any:
    """The answer, who gave it, and who failed before. 503 with all causes where nobody answered."""
    chain: Chain = request.app.state.chain
    settings = await run_in_threadpool(_settings, request.app.state.engine)
    name = body.chain or settings["chain"]
    if name not in chain.chains:
        raise HTTPException(422, f"no chain {name}; there are: {', '.join(chain.chains)}")
    conversation = body.conversation or uuid.uuid4().hex
    asked: Turn = {"role": "user", "content": body.message}
    earlier = await _earlier(request, conversation)
    try:
        answer = await chain.ask(
            [{"role": "system", "content": settings["system_prompt"]}, *earlier, asked], name
        )
    except NoAnswer as error:
        causes = [
            {"model": str(failure.model), "reason": failure.reason} for failure in error.failures
        ]
        return JSONResponse(
            {"detail": "no model answered", "failures": causes, "conversation": conversation}, 503
        )
    said: Turn = {"role": "assistant", "content": answer.text}
    await run_in_threadpool(
        _store, request.app.state.engine, conversation, [asked, said], str(answer.model)
    )
    await _remember(request.app.state.memory, conversation, [asked, said])
    return {
        "conversation": conversation,
        "answer": answer.text,
        "provider": answer.model.provider,
        "model": answer.model.name,
        "failures": [
            {"model": str(failure.model), "reason": failure.reason} for failure in answer.failures
        ],
    }


@router.get("/{conversation}")
def conversation(conversation: str, request: Request) -> list[dict[str, str]]:
    """All of a conversation, oldest first."""
    with Session(request.app.state.engine) as session:
        query = (
            select(ChatMessage)
            .where(ChatMessage.conversation == conversation)
            .order_by(col(ChatMessage.id))
        )
        return [
            {"role": row.role, "content": row.content, "model": row.model}
            for row in session.exec(query)
        ]


async def _earlier(request: Request, conversation: str) -> list[Turn]:
    """The last turns: from Redis, or from the database where Redis has none or is away."""
    try:
        turns = await cast("WorkingMemory", request.app.state.memory).turns(conversation)
    except (redis.exceptions.RedisError, OSError):
        log.warning("Redis does not answer: the conversation is read from the database")
        turns = []
    return turns or await run_in_threadpool(_stored, request.app.state.engine, conversation)


async def _remember(memory: WorkingMemory, conversation: str, turns: list[Turn]) -> None:
    try:
        await memory.add(conversation, turns)
    except (redis.exceptions.RedisError, OSError):
        log.warning("Redis does not answer: the database alone has this turn")


def _settings(engine: Any) -> dict[str, str]:
    with Session(engine) as session:
        return {row.key: row.value for row in session.exec(select(AppSetting))}


def _stored(engine: Any, conversation: str) -> list[Turn]:
    with Session(engine) as session:
        query = (
            select(ChatMessage)
            .where(ChatMessage.conversation == conversation)
            .order_by(col(ChatMessage.id).desc())
        )
        rows = list(session.exec(query.limit(TURNS)))
    return [{"role": row.role, "content": row.content} for row in reversed(rows)]


def _store(engine: Any, conversation: str, turns: list[Turn], model: str) -> None:
    with Session(engine) as session:
        for turn in turns:
            said_by = model if turn["role"] == "assistant" else ""
            session.add(
                ChatMessage(
                    conversation=conversation,
                    role=turn["role"],
                    content=turn["content"],
                    model=said_by,
                )
            )
        session.commit()
