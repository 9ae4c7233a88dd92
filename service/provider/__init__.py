"""Whoever answers: one Protocol, and the values that cross it.

The only importer of httpx and the only reader of provider JSON.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from service.domain.prompts import Message
from service.domain.usage import Usage

__all__ = [
    "Anything",
    "BatchLine",
    "Batches",
    "ChatRequest",
    "Delta",
    "OnWire",
    "Parameters",
    "Provider",
    "ProviderBatch",
    "Reply",
    "Usage",
    "Waiting",
]


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """A refusal, for nothing, after which the same request is sent again.

    Attributes:
        seconds: until then.
        code, detail: of the error that it would else be.
    """

    seconds: float
    code: str
    detail: str


@dataclass(slots=True)
class OnWire:
    """Whether a request is under way: the provider sets it, whoever may have to stop the call reads it.

    A call that is stopped while nothing is under way (before the first attempt, or waiting for the next) was
    surely not billed.

    Attributes:
        waits: told of each wait for a further attempt, before it begins.
    """

    now: bool = False
    waits: Callable[[Waiting], None] = lambda _: None


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


@dataclass(frozen=True, slots=True)
class ProviderBatch:
    """A batch as the provider tells of it.

    Attributes:
        status: validating, in_progress, finalizing, cancelling; completed, failed, expired, cancelled.
        done, failed: its lines so far.
        output_id, errors_id: the files that hold what came of them.
        code, detail, bad_lines: why it failed as a whole, and at which lines (from 1) where that is told.
    """

    id: str
    status: str
    done: int = 0
    failed: int = 0
    output_id: str | None = None
    errors_id: str | None = None
    expires_at: datetime | None = None
    code: str | None = None
    detail: str = ""
    bad_lines: tuple[int, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in {"completed", "failed", "expired", "cancelled"}


@dataclass(frozen=True, slots=True)
class BatchLine:
    """What came of one line: a reply, or an error with its code, which is not billed.

    Neither is there where a reply came that can't be read.
    """

    custom_id: str
    reply: Reply | None = None
    code: str | None = None
    detail: str = ""


class Batches(Protocol):
    """Lines that are answered within a day, at the batch's price."""

    @property
    def file_bytes(self) -> int:
        """The most bytes of a file."""
        ...

    @property
    def file_lines(self) -> int:
        """The most lines of a file."""
        ...

    def line(self, call_id: str, request: ChatRequest) -> bytes:
        """Return a request as a line, with its end of line."""
        ...

    async def offered(self) -> bool:
        """Whether the provider has batches at all."""
        ...

    async def upload(self, name: str, content: AsyncIterator[bytes], size: int) -> str:
        """Upload a file of so many bytes, which costs nothing; return its id."""
        ...

    async def create(self, input_id: str, mark: str) -> ProviderBatch:
        """Make a batch over an uploaded file: the paid act."""
        ...

    async def get(self, provider_id: str) -> ProviderBatch:
        """Return a batch as it stands."""
        ...

    async def find(self, mark: str, *, since: datetime) -> ProviderBatch | None:
        """Return the batch that was made with that mark since then, if there is one."""
        ...

    async def cancel(self, provider_id: str) -> None:
        """Ask for a batch to be stopped."""
        ...

    async def delete(self, file_id: str) -> None:
        """Delete a file; afterwards no batch can be made over it."""
        ...

    def download(self, file_id: str) -> AsyncIterator[bytes]:
        """Yield a file's bytes."""
        ...

    def read(self, text: bytes | str) -> BatchLine | None:
        """Return a line of what came; None for what is no line."""
        ...


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

    @property
    def batches(self) -> Batches | None:
        """What puts lines into batches; None where there are none."""
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
