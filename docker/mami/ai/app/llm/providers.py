"""One call of one model, by the provider's own client.

What goes wrong is told without the text of the error, which may contain a key.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, TypedDict

import httpx

from app.config import Settings
from app.llm.chain_text import Model


class Turn(TypedDict):
    """What one side said: ``role`` is system, user or assistant."""

    role: str
    content: str


class ProviderError(Exception):
    """A call failed; ``status`` is that of the answer, 0 where none came."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status

    @property
    def of_the_key(self) -> bool:
        """Whether another key of the same provider may do: refused, or used up."""
        return self.status in (401, 403, 429)


class Ask(Protocol):
    """Asks a model and gives its answer."""

    async def __call__(
        self, settings: Settings, model: Model, key: str, turns: list[Turn]
    ) -> str: ...


async def ask_groq(settings: Settings, model: Model, key: str, turns: list[Turn]) -> str:
    """Groq, at GROQ_BASE_URL."""
    import groq  # noqa: PLC0415 - see `prepare`

    client = groq.AsyncGroq(
        api_key=key, base_url=settings.GROQ_BASE_URL, timeout=settings.LLM_TIMEOUT, max_retries=0
    )
    try:
        async with client:
            done = await client.chat.completions.create(model=model.name, messages=turns)  # type: ignore[arg-type]
        return _said(done.choices[0].message.content if done.choices else None)
    except groq.APIStatusError as error:
        raise ProviderError(f"HTTP {error.status_code}", error.status_code) from None
    except groq.APITimeoutError:
        raise ProviderError(f"no answer within {settings.LLM_TIMEOUT:g} s") from None
    except groq.APIError:
        raise ProviderError("cannot be reached, or its answer cannot be read") from None


async def ask_gemini(settings: Settings, model: Model, key: str, turns: list[Turn]) -> str:
    """Gemini, at GEMINI_BASE_URL."""
    import google.genai  # noqa: PLC0415 - see `prepare`
    from google.genai import errors as gemini_errors  # noqa: PLC0415
    from google.genai import types as gemini_types  # noqa: PLC0415

    options = gemini_types.HttpOptions(
        base_url=settings.GEMINI_BASE_URL, timeout=int(settings.LLM_TIMEOUT * 1000)
    )
    client = google.genai.Client(api_key=key, vertexai=False, http_options=options)
    system = "\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    roles = {"user": "user", "assistant": "model"}
    contents = [
        gemini_types.Content(
            role=roles[turn["role"]], parts=[gemini_types.Part(text=turn["content"])]
        )
        for turn in turns
        if turn["role"] in roles
    ]
    config = gemini_types.GenerateContentConfig(system_instruction=system or None)
    try:
        done = await client.aio.models.generate_content(
            model=model.name, contents=contents, config=config
        )  # type: ignore[arg-type]
        return _said(done.text)
    except gemini_errors.APIError as error:
        raise ProviderError(f"HTTP {error.code}", int(error.code or 0)) from None
    except ProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - of whichever HTTP client the library uses
        if "Timeout" in type(error).__name__:
            raise ProviderError(f"no answer within {settings.LLM_TIMEOUT:g} s") from None
        raise ProviderError("cannot be reached, or its answer cannot be read") from None
    finally:
        await client.aio.aclose()


async def ask_ollama(settings: Settings, model: Model, key: str, turns: list[Turn]) -> str:
    """Ollama, at OLLAMA_URL; it needs no key."""
    del key
    body = {"model": model.name, "messages": turns, "stream": False}
    try:
        async with httpx.AsyncClient(timeout=settings.LLM_TIMEOUT) as client:
            answer = await client.post(f"{settings.OLLAMA_URL}/api/chat", json=body)
        if answer.status_code != httpx.codes.OK:
            raise ProviderError(f"HTTP {answer.status_code}", answer.status_code)
        return _said(answer.json()["message"]["content"])
    except httpx.TimeoutException:
        raise ProviderError(f"no answer within {settings.LLM_TIMEOUT:g} s") from None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        raise ProviderError("cannot be reached, or its answer cannot be read") from None


def _said(text: str | None) -> str:
    if not text or not text.strip():
        raise ProviderError("an empty answer")
    return text.strip()


def prepare(provider: str) -> None:
    """Load a provider's client, which takes a second or two: at the start, and not in a request."""
    import_module({"groq": "groq", "gemini": "google.genai"}.get(provider, "httpx"))


ASK: dict[str, Ask] = {"groq": ask_groq, "gemini": ask_gemini, "ollama": ask_ollama}
