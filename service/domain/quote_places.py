"""Where in a document a quote may stand that stands nowhere letter for letter."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from service.domain.quote_words import GAP, SMALL, Word, quote_words
from service.domain.quotes import NEAR, FoldedDocument, fold, pieces

LEAST_SHARE = 0.5
"""Share of a quote's words that the source must hold, in order, to be called its source at all."""

MOST_ANCHORS = 24
"""Stretches of a quote that are looked up to find its place."""

_MOST_HITS = 16
_ANCHOR_LENGTH = 11
_SHORTEST_ANCHOR = 5
_LEAST_AGREEING = 5  # one anchor in so many must stand in one place
_SLACK = 60
_LONGEST_WORD = 200
_LONGEST_HEADER = 300  # it moves the words of a quote that stand after it
_KEPT_QUOTES = 64
_ROUNDING = 1e-9


class Sought:
    """A quote prepared for being looked for in many documents.

    Attributes:
        words: its words, gaps included.
        length: folded letters of those that must stand in the source.
        reach: how far apart anchors may put the quote's start and still mean one place.
        asked: how many words must stand in the source.
    """

    def __init__(self, quote: str) -> None:
        self.words = tuple(quote_words(quote))
        needed = [fold(word.text) for word in self.words if word is not GAP and not word.skippable]
        self.length, self.asked = sum(map(len, needed)), len(needed)
        self.reach = self.length // 2 + _SLACK + (NEAR if len(pieces(quote)) > 1 else 250)
        self._needed = needed
        self._thinned: dict[int, tuple[tuple[int, str], ...]] = {}

    def anchors(self, most: int) -> tuple[tuple[int, str], ...]:
        """At most so many of the runs of words to look up, by folded offset."""
        if most not in self._thinned:
            step = max(1, -(-len(self._anchors) // most))
            self._thinned[most] = self._anchors[::step]
        return self._thinned[most]

    def least(self, window: str, floor: float) -> float:
        """How many words must match there: half of them, or where no difference can be let pass, more.

        All differences can be let pass only where each word that the folded text lacks is a function word
        or in brackets, but for one slip.

        Args:
            window: the folded text.
            floor: the share that something else has, which is to be surpassed.
        """
        least = LEAST_SHARE * self.asked
        if floor < LEAST_SHARE or sum(word not in window for word in self._telling) <= 1:
            return least
        return math.floor(floor * self.asked + _ROUNDING) + 1

    def may_stand_in(self, window: str, least: float) -> bool:
        """Whether so many of its words are anywhere in a folded text."""
        return sum(word in window for word in self._folded) >= least

    def may_match(self, source: Iterable[Word], least: float) -> bool:
        """Whether so many of its words are in the source in order: the longest common subsequence.

        Each bit of `row` is a word of the quote, and those that are 0 are in the subsequence (Hyyrö, 2004,
        "Bit-parallel LCS-length computation revisited").
        """
        full = row = (1 << len(self.words)) - 1
        for word in source:
            here = row & self._bits.get(word.key, 0)
            if here:
                row = ((row + here) | (row - here)) & full
        found = len(self.words) - row.bit_count()
        return found > 0 and found >= least

    @cached_property
    def _folded(self) -> tuple[str, ...]:
        return tuple(fold(word.text) for word in self.words if word is not GAP)

    @cached_property
    def _telling(self) -> tuple[str, ...]:
        """The words that no difference but one slip may concern."""
        words = (word for word in self.words if word is not GAP and not word.skippable)
        return tuple(fold(word.text) for word in words if word.key not in SMALL)

    @cached_property
    def _bits(self) -> dict[str, int]:
        bits: Counter[str] = Counter()
        for at, word in enumerate(self.words):
            if word is not GAP:
                bits[word.key] |= 1 << at
        return bits

    @cached_property
    def _anchors(self) -> tuple[tuple[int, str], ...]:
        """Runs of whole words of _ANCHOR_LENGTH letters or more, by folded offset; short quotes by word."""
        keys, found, offset = self._needed, [], 0
        for first, key in enumerate(keys):
            last, run = first, ""
            while last < len(keys) and len(run) < _ANCHOR_LENGTH:
                run += keys[last]
                last += 1
            if len(run) >= _ANCHOR_LENGTH:
                found.append((offset, run))
            offset += len(key)
        if len(keys) <= 4:  # noqa: PLR2004 - one changed word would leave such a quote no anchor
            found.extend((0, key) for key in keys if len(key) >= _SHORTEST_ANCHOR)
        return tuple(found)


@lru_cache(maxsize=_KEPT_QUOTES)
def sought(quote: str) -> Sought:
    """Return the quote prepared; the last ones are kept, since a quote is held against many documents."""
    return Sought(quote)


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of a folded text, and what it and the words at its ends are."""

    begin: int
    end: int
    window: str


def region(wanted: Sought, document: FoldedDocument, pages: range | None, most: int) -> Region | None:
    """The stretch of the folded text in which most anchors agree on where the quote starts.

    Args:
        wanted: the quote.
        document: where to look.
        pages: page indices, one of which the quote must touch.
        most: at most so many anchors are looked up.

    Returns:
        None where too few of them agree.
    """
    first, last = (0, len(document.pages)) if pages is None else (pages.start, pages.stop)
    low, high = document.starts[first] - wanted.length, document.starts[last]
    anchors = wanted.anchors(most)
    guesses = _guesses(anchors, document.folded, low, high, wanted.length)
    if not guesses or guesses[0][0] >= high:
        return None
    begin, agreeing = _most_agreed(guesses, wanted.reach, high)
    if agreeing < len(anchors) // _LEAST_AGREEING:
        return None
    start, stop = max(0, begin - _SLACK), begin + wanted.reach + wanted.length + _SLACK
    window = document.folded[max(0, start - _LONGEST_WORD) : stop + _LONGEST_WORD]
    return Region(start, min(len(document.folded), stop), window)


def _guesses(
    anchors: Iterable[tuple[int, str]], text: str, low: int, high: int, length: int
) -> list[tuple[int, int]]:
    """Where the quote would start, were an anchor its own, with that anchor's offset; in order."""
    begin, end = max(0, low), high + length + _LONGEST_HEADER
    guesses: list[tuple[int, int]] = []
    for offset, anchor in anchors:
        at = text.find(anchor, begin, end)
        for _ in range(_MOST_HITS):
            if at < 0:
                break
            if low < at - offset < high + _LONGEST_HEADER:
                guesses.append((at - offset, offset))
            at = text.find(anchor, at + 1, end)
    return sorted(guesses)


def _most_agreed(guesses: Sequence[tuple[int, int]], reach: int, high: int) -> tuple[int, int]:
    """Where, before `high`, most anchors have a guess within `reach`, and how many; of equals the closest."""
    most = max(count for first, _, count in _windows(guesses, reach) if first < high)
    windows = (one for one in _windows(guesses, reach, most) if one[0] < high and one[2] == most)
    return min((last - first, first) for first, last, _ in windows)[1], most


def _windows(
    guesses: Sequence[tuple[int, int]], reach: int, enough: int = sys.maxsize
) -> Iterator[tuple[int, int, int]]:
    """From each guess on, the last within `reach` (or that makes `enough`), and how many anchors have one."""
    inside: Counter[int] = Counter()
    end = 0
    for first, offset in guesses:
        while len(inside) < enough and end < len(guesses) and guesses[end][0] <= first + reach:
            inside[guesses[end][1]] += 1
            end += 1
        yield first, guesses[end - 1][0], len(inside)
        inside[offset] -= 1
        if not inside[offset]:
            del inside[offset]
