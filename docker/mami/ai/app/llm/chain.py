"""Asks the models of a chain in their order, until one answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from app.config import Settings
from app.core import metrics
from app.core.logger import get_logger
from app.llm.chain_text import Model
from app.llm.providers import ASK, ProviderError, Turn, prepare

log = get_logger(__name__)

USED_UP = 60  # seconds a key rests after 429
REFUSED = 600  # and after 401 or 403


@dataclass(frozen=True)
class Failure:
    """Why a model did not answer."""

    model: Model
    reason: str


@dataclass(frozen=True)
class Answer:
    """What a model answered, and which ones failed before."""

    text: str
    model: Model
    failures: tuple[Failure, ...] = ()


class NoAnswer(Exception):
    """No model of the chain answered."""

    def __init__(self, failures: tuple[Failure, ...]) -> None:
        super().__init__("; ".join(f"{failure.model}: {failure.reason}" for failure in failures))
        self.failures = failures


@dataclass
class KeyRing:
    """A provider's keys: each request begins with the next one, and a refused one rests."""

    keys: list[str]
    _next: int = 0
    _rests: dict[str, float] = field(default_factory=dict)

    def in_turn(self) -> list[str]:
        """The keys to try now, in their order."""
        if not self.keys:
            return []
        start = self._next % len(self.keys)
        self._next += 1
        now = time.monotonic()
        return [
            key for key in self.keys[start:] + self.keys[:start] if self._rests.get(key, 0) <= now
        ]

    def rest(self, key: str, status: int) -> None:
        """Leave a key alone for a while."""
        self._rests[key] = time.monotonic() + (USED_UP if status == 429 else REFUSED)  # noqa: PLR2004


class Chain:
    """The providers with their keys."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.chains = settings.get_fallback_chains()
        self.rings = {
            "groq": KeyRing(settings.get_groq_api_keys()),
            "gemini": KeyRing(settings.get_gemini_api_keys()),
            # It needs none: one empty key means that it is there.
            "ollama": KeyRing([""] if settings.OLLAMA_URL else []),
        }

        for provider, ring in self.rings.items():
            if ring.keys:
                prepare(provider)

    async def ask(self, turns: list[Turn], name: str = "chat") -> Answer:
        """The first answer of the chain; `NoAnswer` with all causes where there is none."""
        failures: list[Failure] = []
        for model in self.chains[name]:
            try:
                text = await self._ask(model, turns)
            except ProviderError as error:
                metrics.MODELS.labels(model.provider, "failed").inc()
                failures.append(Failure(model, error.reason))
                continue
            metrics.MODELS.labels(model.provider, "answered").inc()
            for failure in failures:
                log.warning(
                    "%s failed (%s): %s answered instead",
                    failure.model,
                    failure.reason,
                    model,
                    extra={"failed_model": str(failure.model), "model": str(model)},
                )
            return Answer(text, model, tuple(failures))
        log.error("no model of the chain %s answered: %s", name, NoAnswer(tuple(failures)))
        raise NoAnswer(tuple(failures))

    async def _ask(self, model: Model, turns: list[Turn]) -> str:
        ring = self.rings[model.provider]
        if not ring.keys:
            needed = (
                "OLLAMA_URL" if model.provider == "ollama" else f"{model.provider.upper()}_API_KEY"
            )
            raise ProviderError(f"{needed} is not set")
        last = ProviderError("all its keys were refused or used up a moment ago")
        for key in ring.in_turn():
            try:
                async with asyncio.timeout(self.settings.LLM_TIMEOUT):
                    return await ASK[model.provider](self.settings, model, key, turns)
            except TimeoutError:
                raise ProviderError(f"no answer within {self.settings.LLM_TIMEOUT:g} s") from None
            except ProviderError as error:
                if not error.of_the_key:
                    raise
                ring.rest(key, error.status)
                last = error
        raise last
