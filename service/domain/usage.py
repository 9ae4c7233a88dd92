"""Tokens as a provider counted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call read and wrote, in tokens.

    Reasoning is counted inside completion, cached and newly written cache inside prompt.

    Attributes:
        estimated: counted by us, because the provider sent none: what it costs is booked at most.
        cache_told: the provider says how much it read from its cache; otherwise that is zero here.
        priced_as: the dearer model that the reply named, at whose price it is booked at most.
        invoiced: what it cost was told by the user, from the provider's invoice.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False
    cache_told: bool = True
    priced_as: str | None = None
    invoiced: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def is_at_most(self) -> bool:
        """Whether what it cost rests on our own counts, or on a name."""
        return (self.estimated or self.priced_as is not None) and not self.invoiced

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            estimated=self.estimated or other.estimated,
            cache_told=self.cache_told and other.cache_told,
            priced_as=self.priced_as or other.priced_as,
            invoiced=(self.invoiced or other.invoiced) and not (self.is_at_most or other.is_at_most),
        )
