"""The chain of models, against servers that speak the providers' protocols."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from app.config import Settings
from app.llm.chain import Answer, Chain, NoAnswer
from app.llm.providers import Turn
from conftest import Server

HELLO: list[Turn] = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Hello"}]
CHAIN = "chat=groq:g1,gemini:g2,ollama:o1;quick=ollama:o2"


class Providers:
    """One server for each provider, all of which answer."""

    def __init__(
        self, make: Callable[[], Server], given: Callable[..., Settings], **values: Any
    ) -> None:
        self.groq, self.gemini, self.ollama = make(), make(), make()
        self.groq.body = {
            "id": "1", "object": "chat.completion", "created": 1, "model": "g1",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "I am Groq"}}],
        }  # fmt: skip
        self.gemini.body = {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "I am Gemini"}]}}]
        }
        self.ollama.body = {"message": {"role": "assistant", "content": "I am Ollama"}}
        self.settings = given(
            GROQ_BASE_URL=self.groq.url, GEMINI_BASE_URL=self.gemini.url, OLLAMA_URL=self.ollama.url,
            **{"GROQ_API_KEY": "key-groq-1", "GEMINI_API_KEY": "key-gemini-1", "FALLBACK_CHAINS": CHAIN, **values},
        )  # fmt: skip
        self.chain = Chain(self.settings)

    def ask(self, name: str = "chat") -> Answer:
        """One question."""
        return asyncio.run(self.chain.ask(HELLO, name))


@pytest.fixture
def providers(
    server: Callable[[], Server], given: Callable[..., Settings]
) -> Callable[..., Providers]:
    """Makes the three."""
    return lambda **values: Providers(server, given, **values)


def test_the_first_model_answers(providers: Callable[..., Providers]) -> None:
    """And nobody else is asked."""
    three = providers()
    assert three.ask().text == "I am Groq"
    path, headers, _ = three.groq.asked[0]
    assert path == "/openai/v1/chat/completions" and headers["Authorization"] == "Bearer key-groq-1"
    assert not three.gemini.asked and not three.ollama.asked


@pytest.mark.parametrize("status", [500, 503, 404, 401, 429])
def test_the_next_model_answers_for_one_that_fails(
    providers: Callable[..., Providers], status: int
) -> None:
    """The answer says who failed and why, and the log names both."""
    three = providers()
    three.groq.status = status
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("app.llm.chain")
    logger.addHandler(handler)
    try:
        answer = three.ask()
    finally:
        logger.removeHandler(handler)
    assert said == [f"groq:g1 failed (HTTP {status}): gemini:g2 answered instead"]
    assert (answer.text, answer.model.provider) == ("I am Gemini", "gemini")
    assert [(str(f.model), f.reason) for f in answer.failures] == [("groq:g1", f"HTTP {status}")]
    assert "g2:generateContent" in three.gemini.asked[0][0]


def test_the_local_model_is_the_last(providers: Callable[..., Providers]) -> None:
    """Groq takes too long, Gemini is not there."""
    three = providers(LLM_TIMEOUT=3)
    three.groq.delay = 6
    three.gemini.close()
    answer = three.ask()
    assert answer.text == "I am Ollama"
    assert [f.reason.split(" ")[0] for f in answer.failures] == ["no", "cannot"]


def test_all_causes_and_no_key_where_nobody_answers(providers: Callable[..., Providers]) -> None:
    """The three causes."""
    three = providers()
    for one in (three.groq, three.gemini, three.ollama):
        one.status, one.body = (
            500,
            {"error": {"message": "your key key-groq-1 key-gemini-1", "code": 500, "status": "X"}},
        )
    with pytest.raises(NoAnswer) as caught:
        three.ask()
    assert [str(f.model) for f in caught.value.failures] == ["groq:g1", "gemini:g2", "ollama:o1"]
    assert "key-" not in str(caught.value)


def test_an_empty_or_broken_answer_is_a_failure(providers: Callable[..., Providers]) -> None:
    """Of any provider."""
    three = providers()
    three.groq.body, three.gemini.body, three.ollama.body = (
        {"choices": []},
        {"candidates": []},
        {"odd": 1},
    )
    with pytest.raises(NoAnswer):
        three.ask()


def test_keys_take_turns_and_a_refused_one_rests(providers: Callable[..., Providers]) -> None:
    """Each request begins with the next key; after 429 the same request tries another one."""
    three = providers(GROQ_API_KEY="k1", GROQ_API_KEY_BACKUP="k2")
    used = lambda: [headers["Authorization"][-2:] for _, headers, _ in three.groq.asked]  # noqa: E731
    three.ask(), three.ask()
    assert used() == ["k1", "k2"]
    three.groq.status = 429
    three.ask()
    assert used()[2:] == ["k1", "k2"]
    three.groq.status = 200
    assert three.ask().model.provider == "gemini", "both rest"
    assert len(used()) == 4


def test_another_chain_by_its_name(providers: Callable[..., Providers]) -> None:
    """With models of its own."""
    assert providers().ask("quick").model.name == "o2"


def test_a_provider_without_key_is_left_out(given: Callable[..., Settings]) -> None:
    """The cause names the variable."""
    with pytest.raises(NoAnswer) as caught:
        asyncio.run(Chain(given(FALLBACK_CHAINS=CHAIN)).ask(HELLO))
    reasons = [f.reason for f in caught.value.failures]
    assert reasons == [
        "GROQ_API_KEY is not set",
        "GEMINI_API_KEY is not set",
        "OLLAMA_URL is not set",
    ]
