"""A provider's limit of tokens per minute: how it is told, and which request can never pass it.

A vendor counts a request against the limit before it runs it: its input, or, as its guides describe it, an
estimate of that from the characters, or the reserved output where that is more. Only the input surely
counts, so a request is refused here for its input alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.domain.catalog import Band

KNOWN_FOR: Final = timedelta(days=1)
"""How long a limit is taken for granted; accounts are raised, so then it is tried again."""

_HEADER: Final = "limit-tokens"
_COUNT: Final = re.compile(r"[1-9]\d{0,11}")


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Tokens per minute by band, None where unknown: long-context requests have a limit of their own."""

    short: int | None = None
    long: int | None = None

    def of(self, band: Band) -> int | None:
        """The limit of requests in a band."""
        return self.long if band == "long" else self.short

    def passed_by(self, input_tokens: int, band: Band) -> bool:
        """Whether a request of so much input can never pass."""
        limit = self.of(band)
        return limit is not None and input_tokens > limit


UNLIMITED = RateLimits()
"""Nothing is known of limits."""


def told(headers: Mapping[str, str]) -> int | None:
    """Return the limit out of a reply's `x-ratelimit-*` headers (without that prefix); None if untold."""
    value = headers.get(_HEADER, "").strip()
    return int(value) if _COUNT.fullmatch(value) else None
