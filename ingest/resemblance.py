"""How much two documents say the same: a sample of each text's phrases, small enough to keep with it.

The sample holds the lowest hashes of all phrases (a bottom-k sketch: Broder, "On the resemblance and
containment of documents", 1997), so that the samples of two texts can be compared, and those of a text's
parts put together, without the texts.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

SIZE: Final = 256
"""Hashes kept of one document: its resemblance to another is then off by 0.03 at most, usually."""

HIGHEST: Final = (1 << 32) - 1
"""Hashes have 32 bits: of a million phrases each, two samples then share 0.06 by accident."""

PHRASE_WORDS: Final = 6
ANCHOR_CHARS: Final = 7
"""Phrases begin at words so long, a quarter of all, and so do not depend on where lines break."""

_HASHES: Final = 1 << 32


class Sketch:
    """A sample that grows with the text."""

    def __init__(self) -> None:
        self._lowest: set[int] = set()
        self._highest = HIGHEST  # of those worth a place: few of a long text's phrases come this far

    def add(self, text: str) -> None:
        """Take in a page's text; a phrase never spans two pages."""
        self.merge(_hashes(text.split()))

    def merge(self, values: Iterable[int]) -> None:
        """Take in another sample."""
        highest = self._highest
        self._lowest.update([value for value in values if value <= highest])
        if len(self._lowest) > SIZE:
            lowest = sorted(self._lowest)[:SIZE]
            self._lowest, self._highest = set(lowest), lowest[-1]

    def values(self) -> tuple[int, ...]:
        """Return the sample, in ascending order."""
        return tuple(sorted(self._lowest))


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the estimated share of phrases that two sampled texts have in common, 0.0 to 1.0."""
    both = set(one) & set(other)
    lowest = heapq.nsmallest(SIZE, set(one) | set(other))
    return sum(value in both for value in lowest) / len(lowest) if lowest else 0.0


def phrases(sample: Sequence[int]) -> float:
    """Return about how many different phrases the sampled text has: from how densely their hashes lie."""
    full = len(sample) == SIZE and max(sample) > 0
    return (SIZE - 1) * _HASHES / max(sample) if full else float(len(sample))


def _hashes(words: list[str]) -> list[int]:
    return [
        crc32(" ".join(words[start : start + PHRASE_WORDS]).encode("utf-8", "surrogatepass"))
        for start, word in enumerate(words)
        if len(word) >= ANCHOR_CHARS
    ]
