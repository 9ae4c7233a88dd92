"""What the upstream counts and bills: tokens, the prefix cache, money by the published rules.

Written from the vendor's published rules and apart from the product's own pricing, which it judges.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ingest.tokens import count_tokens
from tests.support import seen

MAX_INPUT_TOKENS = 922_000
LONG_CONTEXT_ABOVE = 272_000
_CACHE_STEP = 128
_CACHE_FROM = 1024
_MESSAGE_OVERHEAD = {"assistant": 6}
_BLOCK = re.compile(r"(?<=\n)(?=<(?:document|page) )")
"""Between blocks of a packed prompt counts add up, so each block is counted once in a session."""
_QUESTION = re.compile(r"<question>\n(.*?)\n</question>", re.DOTALL)
_PICTURE = re.compile("\ufdd0(?:[0-9a-f]{64} \\w+ ([0-9]+)\ufdd1|.*)", re.DOTALL)
"""Where a picture stands in a prompt made flat; one that is cut off takes with it what is left."""


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens, short band then long band: (input, cached input, output)."""

    short: tuple[str, str, str]
    long: tuple[str, str, str] | None


GPT_5_5 = {
    "default": Rates(("5", "0.50", "30"), ("10", "1.00", "45")),
    "flex": Rates(("2.50", "0.25", "15"), ("5", "0.50", "22.50")),
    "priority": Rates(("12.50", "1.25", "75"), None),
    "batch": Rates(("2.50", "0.25", "15"), ("5", "0.50", "22.50")),
}


@dataclass(frozen=True, slots=True)
class Billed:
    """One line of the invoice."""

    request_id: str
    model: str
    service_tier: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    usd: Decimal
    asked: str = ""
    """The question it was for."""
    tells_cache: bool = True
    tokens_per_minute: int = 2_000_000

    def usage(self) -> dict[str, Any]:
        """The reply's `usage` object."""
        told = self._usage()
        return told if self.tells_cache else {**told, "prompt_tokens_details": None}

    def _usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def price(tier: str, *, prompt: int, cached: int, completion: int) -> Decimal:
    """USD of one request: strictly above the threshold every token of it is re-rated, cached ones too.

    Raises:
        LookupError: no rate is published for that tier and band.
    """
    rates = GPT_5_5[tier].long if prompt > LONG_CONTEXT_ABOVE else GPT_5_5[tier].short
    if rates is None:
        raise LookupError(tier)
    per_input, per_cached, per_output = map(Decimal, rates)
    total = (prompt - cached) * per_input + cached * per_cached + completion * per_output
    return total / 1_000_000


def prompt_tokens(body: dict[str, Any], *, extra: int = 0) -> int:
    """Tokens of a request's input: contents, 4 for each system or user message, 6 for each assistant's, 2.

    Args:
        body: the request.
        extra: what this provider counts beside, as no one has published.
    """
    messages = body["messages"]
    texts = sum(tokens(text_of(m)) + _MESSAGE_OVERHEAD.get(m["role"], 4) for m in messages)
    return 2 + extra + texts + seen.tokens(body)


def tokens(text: str) -> int:
    """Tokens of a text, remembered block by block."""
    return sum(map(_block_tokens, _BLOCK.split(text)))


def text_of(message: dict[str, Any]) -> str:
    """A message's text, its parts joined."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def asked(body: dict[str, Any]) -> str:
    """The question that a packed prompt asks, which stands at its end; empty in other prompts."""
    found = _QUESTION.search(text_of(body["messages"][-1]))
    return found[1] if found else ""


class PrefixCache:
    """Longest equal prefix over the earlier prompts of one model and one key, in steps of 128 tokens."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[str]] = defaultdict(lambda: deque(maxlen=16))

    def cached_tokens(self, body: dict[str, Any], *, prompt: int) -> int:
        """How much of the prompt an earlier one left behind; at least one token is always new."""
        text = _flat(body)
        shared = max((_common(text, earlier) for earlier in self._seen[_route(body)]), default=0)
        steps = min(_prefix_tokens(text[:shared]), prompt - 1) // _CACHE_STEP
        return steps * _CACHE_STEP if steps * _CACHE_STEP >= _CACHE_FROM else 0

    def remember(self, body: dict[str, Any]) -> None:
        """From now on later prompts may share this one's prefix."""
        self._seen[_route(body)].append(_flat(body))


def _route(body: dict[str, Any]) -> tuple[str, str]:
    return body["model"], body.get("prompt_cache_key") or ""


def _flat(body: dict[str, Any]) -> str:
    return "".join(f"<{message['role']}>\n{_flat_content(message)}" for message in body["messages"])


def _flat_content(message: dict[str, Any]) -> str:
    """A message's text, each picture in it by its hash, its detail and its tokens."""
    content = message.get("content")
    if not isinstance(content, list):
        return content or ""
    return "".join(_flat_picture(part) if part["type"] == "image_url" else part["text"] for part in content)


def _flat_picture(part: dict[str, Any]) -> str:
    digest = hashlib.sha256(part["image_url"]["url"].encode()).hexdigest()
    return f"\ufdd0{digest} {part['image_url'].get('detail', 'auto')} {seen.part_tokens(part)}\ufdd1"


def _prefix_tokens(flat: str) -> int:
    pictures = sum(int(match[1] or 0) for match in _PICTURE.finditer(flat))
    return tokens(_PICTURE.sub("", flat)) + pictures


def _common(one: str, other: str) -> int:
    """The length of the longest common prefix, by halving: comparing slices is what Python does fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@lru_cache(maxsize=8192)
def _block_tokens(block: str) -> int:
    return count_tokens(block)
