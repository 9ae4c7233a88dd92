"""Many short texts joined to one, so that looking something up in all of them is a single search."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate

_BETWEEN = "\n"
"""No folded text holds it, so nothing is found across two of them."""


class Shelf:
    """Folded texts by their numbers."""

    def __init__(self, texts: Mapping[int, str]) -> None:
        self._numbers = list(texts)
        self._joined = "".join(text + _BETWEEN for text in texts.values())
        self._starts = list(accumulate((len(text) + len(_BETWEEN) for text in texts.values()), initial=0))

    def without(self, pieces: Iterable[str]) -> set[int]:
        """Return the numbers of the texts that hold none of these folded pieces."""
        holding: set[int] = set()
        for piece in pieces:
            at = self._joined.find(piece)
            while at >= 0:
                place = bisect_right(self._starts, at) - 1
                holding.add(self._numbers[place])
                at = self._joined.find(piece, self._starts[place + 1])
        return set(self._numbers) - holding
