"""Retrieval of chunks as it is commonly shipped: 1,000 characters, 200 of them shared with the one before."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import accumulate

from ingest.tokens import count_tokens

SIZE = 1_000
OVERLAP = 200
BETWEEN_PAGES = "\n\n"
K1, B = 1.5, 0.75
"""As the common libraries for BM25 have them."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document.

    Attributes:
        document: whose it is.
        pages: the physical pages of which it holds anything but white space.
    """

    document: str
    text: str
    pages: frozenset[int]

    @property
    def tokens(self) -> int:
        """The exact count of its text."""
        return count_tokens(self.text)


def cut(document: str, pages: Mapping[int, str]) -> Iterator[Chunk]:
    """Cut a document's joined pages into chunks that end at white space where there is some.

    Args:
        document: its name in the chunks.
        pages: texts by physical page number, in order.
    """
    numbers = list(pages)
    starts = [0, *accumulate(len(text) + len(BETWEEN_PAGES) for text in pages.values())][:-1]
    whole = BETWEEN_PAGES.join(pages.values())
    for start, end in _spans(whole):
        if whole[start:end].strip():
            yield Chunk(document, whole[start:end], frozenset(_touched(whole, starts, numbers, (start, end))))


def _spans(whole: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(whole):
        end = min(start + SIZE, len(whole))
        if end < len(whole):
            space = max(whole.rfind(" ", start + SIZE // 2, end), whole.rfind("\n", start + SIZE // 2, end))
            end = end if space < 0 else space + 1
        yield start, end
        start = end if end == len(whole) else end - OVERLAP


def _touched(
    whole: str, starts: Sequence[int], numbers: Sequence[int], span: tuple[int, int]
) -> Iterator[int]:
    start, end = span
    for place in range(bisect_right(starts, start) - 1, len(starts)):
        if starts[place] >= end:
            return
        until = starts[place + 1] if place + 1 < len(starts) else len(whole)
        if whole[max(start, starts[place]) : min(end, until)].strip():
            yield numbers[place]


def words(text: str) -> list[str]:
    """Return the words of a text, small."""
    return _WORD.findall(text.casefold())


class Bm25:
    """Okapi BM25 over chunks; the formula of Robertson and Zaragoza, with an idf that is never negative."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        counts = [Counter(words(chunk.text)) for chunk in chunks]
        sizes = [count.total() for count in counts]
        usual = sum(sizes) / max(len(sizes), 1)
        self._norms = [K1 * (1 - B + B * size / usual) for size in sizes]
        self._where: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, count in enumerate(counts):
            for word, times in count.items():
                self._where[word].append((number, times))

    def scores(self, question: str) -> list[float]:
        """Return the score of each chunk."""
        found = [0.0] * len(self._norms)
        for word in set(words(question)):
            places = self._where.get(word, [])
            rare = math.log(1 + (len(found) - len(places) + 0.5) / (len(places) + 0.5))
            for number, times in places:
                found[number] += rare * times * (K1 + 1) / (times + self._norms[number])
        return found


def best(
    chunks: Sequence[Chunk], scores: Sequence[float], top: int, *, among: Collection[str] | None = None
) -> list[Chunk]:
    """Return the chunks that score highest, of these documents where some are named."""
    allowed = (n for n, chunk in enumerate(chunks) if among is None or chunk.document in among)
    return [chunks[n] for n in nsmallest(top, allowed, key=lambda n: (-scores[n], n))]
