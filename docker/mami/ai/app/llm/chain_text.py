"""How FALLBACK_CHAINS is written: ``NAME=PROVIDER:MODEL,PROVIDER:MODEL;NAME=...``."""

from __future__ import annotations

from typing import NamedTuple

PROVIDERS = ("groq", "gemini", "ollama")


class Model(NamedTuple):
    """A model and who runs it."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


Chains = dict[str, tuple[Model, ...]]


def parse_chains(text: str) -> Chains:
    """Name of a chain -> its models, in their order; ValueError says what cannot be read."""
    chains: Chains = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, found, models = part.partition("=")
        if not found or not name.strip():
            raise ValueError(f"a chain looks like chat=groq:MODEL,ollama:MODEL, not like {part!r}")
        chains[name.strip()] = tuple(_model(item.strip()) for item in models.split(","))
    if "chat" not in chains:
        raise ValueError("a chain with the name chat is needed: chat=groq:MODEL,ollama:MODEL")
    return chains


def _model(text: str) -> Model:
    provider, _, name = text.partition(":")
    if provider not in PROVIDERS or not name:
        raise ValueError(
            f"{text!r} is not PROVIDER:MODEL with one of the providers {', '.join(PROVIDERS)}"
        )
    return Model(provider, name)
