"""Whoever answers: one Protocol, and the values that cross it.

The only importer of httpx and the only reader of provider JSON.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.domain.prompts import Message
from service.domain.usage import Usage

__all__ = ["Anything", "ChatRequest", "Delta", "OnWire", "Parameters", "Provider", "Reply", "Usage"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call, in the vocabulary of chat completions; None leaves a parameter out."""

    model: str
    messages: tuple[Message, ...]
    max_completion_tokens: int
    reasoning_effort: str | None = None
    verbosity: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    response_format: dict[str, Any] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a call that was answered.

    Attributes:
        text: the whole text, equal to the deltas joined.
        usage: None where the provider sent none; then the cost is estimated and says so.
        service_tier: as the reply names it: the price follows it.
        request_id: the provider's `x-request-id`, to look a call up with.
        raw: the reply as it came (for a stream: id, model, created, its usage chunk and its finish chunk).
        rate_limits: the `x-ratelimit-*` headers without that prefix, e.g. `remaining-tokens`.
    """

    text: str
    finish_reason: str | None
    usage: Usage | None
    refusal: str | None = None
    model: str | None = None
    service_tier: str | None = None
    request_id: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    rate_limits: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class OnWire:
    """Whether a request is under way: the provider sets it, whoever may have to stop the call reads it.

    A call that is stopped while nothing is under way (before the first attempt, or waiting for the next) was
    surely not billed.
    """

    now: bool = False


class Parameters(Protocol):
    """Who knows what a provider takes."""

    def prepare(self, model: str) -> None:
        """Begin to find out about a model, in the background."""
        ...

    def check(self, request: ChatRequest) -> None:
        """Refuse a parameter that is known not to be taken; messages are not looked at.

        Raises:
            UnsupportedParameter: with the values that the provider allows.
        """
        ...

    def told(self, model: str, *, wait: bool = False) -> dict[str, Any] | None:
        """Return what is known of a model (JSON-ready); None of an engine that takes anything.

        Args:
            model: its name here.
            wait: ask now, rather than tell what is known already.
        """
        ...


class Anything:
    """Of an engine that passes over what it does not know."""

    def prepare(self, model: str) -> None:
        """There is nothing to find out."""

    def check(self, request: ChatRequest) -> None:
        """Everything fits."""

    def told(self, model: str, *, wait: bool = False) -> dict[str, Any] | None:
        """There is nothing to tell."""
        del model, wait
        return None


class Provider(Protocol):
    """One seam to every model: the HTTP client and the offline engine both have this shape."""

    @property
    def name(self) -> str:
        """`openai`, `offline`, …; shown as the answer's `engine`."""
        ...

    @property
    def charges(self) -> bool:
        """Whether its answers cost money."""
        ...

    @property
    def takes_tiers(self) -> bool:
        """Whether it can be asked for a service tier; otherwise only the standard price is honest."""
        ...

    @property
    def samples_while_reasoning(self) -> bool:
        """Whether `temperature`, `top_p` and penalties reach a model that may reason."""
        ...

    @property
    def parameters(self) -> Parameters:
        """Who knows what it takes."""
        ...

    def complete(self, request: ChatRequest, on_wire: OnWire | None = None) -> AsyncIterator[Delta | Reply]:
        """Yield deltas, then exactly one Reply.

        Raises:
            service.errors.ProviderError: its subclasses say whether the call may have been billed.
        """
        ...

    async def aclose(self) -> None:
        """Free connections."""
        ...
