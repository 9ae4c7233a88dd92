"""The fewest calls that hold every document whole: bin packing, exact where that can be had in a moment.

Most sets need as many calls as their tokens alone say, and the first try shows it. Where it does not, more is
tried as long as it takes a moment: bins filled to the brim by subset sums, and for some dozens of pieces a
bounded exact search. Of hundreds of calls one more or less is hardly seen in the price, since the documents'
tokens stay the same: there the largest pieces first must do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from typing import Final

from service.domain import cliff

MOST_FILLED: Final = 2_000
"""Pieces times bins that are filled by subset sums, at some 10 microseconds each."""

MOST_SEARCHED: Final = 48
MOST_STEPS: Final = 20_000
"""So many pieces are searched exactly, in so many steps: some hundredths of a second."""

Bins = list[list[int]]
"""The places of the sizes in each bin, ascending; the bins by their first."""


def fewest(sizes: Sequence[int], capacity: int) -> Bins:
    """Return the places of these sizes in as few bins as are found, in order where that needs no more.

    In order, packs only grow when documents join, so their cached prefixes last.

    Args:
        sizes: positive, each at most the capacity.
        capacity: of every bin.
    """
    best = _in_order(sizes, capacity)
    if len(best) <= ceil(sum(sizes) / capacity):
        return best
    best = _shorter(best, _first_fit_decreasing(sizes, capacity))
    fillable = len(sizes) * len(best) <= MOST_FILLED
    if not fillable and len(sizes) > MOST_SEARCHED:
        return best
    least = at_least(sizes, capacity)
    if len(best) > least and fillable:
        best = _shorter(best, _filled(sizes, capacity))
    if len(best) > least and len(sizes) <= MOST_SEARCHED:
        best = _Search(sizes, capacity).within(least, len(best) - 1) or best
    return best


def at_least(sizes: Sequence[int], capacity: int) -> int:
    """Return a number of bins that can't be done without (Martello and Toth's L2).

    For any small size, those too large to stand beside it have a bin each; what of the middling ones does not
    fit beside them takes more.
    """
    ordered = sorted(sizes)
    sums = [0, *accumulate(ordered)]
    half = bisect_right(ordered, capacity // 2)  # from here on none stands beside another
    found = ceil(sums[-1] / capacity)
    for start in range(half):
        alone = max(bisect_right(ordered, capacity - ordered[start]), half)
        pairable = alone - half
        room = pairable * capacity - (sums[alone] - sums[half])
        middling = sums[half] - sums[start]
        found = max(found, len(ordered) - half + ceil(max(middling - room, 0) / capacity))
    return max(found, len(ordered) - half)


def _shorter(known: Bins, found: Bins) -> Bins:
    return found if len(found) < len(known) else known


def _in_order(sizes: Sequence[int], capacity: int) -> Bins:
    bins: Bins = []
    room = 0
    for place, size in enumerate(sizes):
        if not bins or size > room:
            bins.append([])
            room = capacity
        bins[-1].append(place)
        room -= size
    return bins


def _first_fit_decreasing(sizes: Sequence[int], capacity: int) -> Bins:
    """Put the largest first, each into the first bin with room for it, found in a tree of rooms."""
    most_bins = min(len(sizes), 2 * sum(sizes) // capacity + 1)  # all but one are more than half full
    leaves = 1 << (most_bins - 1).bit_length()
    most = [capacity] * (2 * leaves)
    bins: Bins = [[] for _ in range(leaves)]
    for place in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        size, at = sizes[place], 1
        while at < leaves:
            at *= 2
            if most[at] < size:
                at += 1
        bins[at - leaves].append(place)
        most[at] -= size
        while at > 1:
            at //= 2
            most[at] = max(most[2 * at], most[2 * at + 1])
    return _tidy(bins)


def _filled(sizes: Sequence[int], capacity: int) -> Bins:
    """Fill one bin after another: the largest that is left, and of the others what leaves the least room."""
    left = sorted(range(len(sizes)), key=lambda one: (-sizes[one], one))
    bins: Bins = []
    while left:
        largest, *others = left
        over = sum(sizes[place] for place in left) - capacity
        stays = set(cliff.least([sizes[place] for place in others], over)) if over > 0 else set()
        bins.append([largest, *(place for at, place in enumerate(others) if at not in stays)])
        left = [place for at, place in enumerate(others) if at in stays]
    return _tidy(bins)


class _Search:
    """Branch and bound: the largest first, into every bin whose room differs, while room may be wasted."""

    def __init__(self, sizes: Sequence[int], capacity: int) -> None:
        self._sizes, self._capacity = sizes, capacity
        self._places = sorted(range(len(sizes)), key=lambda one: (-sizes[one], one))
        self._smallest = min(sizes)
        self._steps = 0

    def within(self, least: int, most: int) -> Bins | None:
        """Return a packing of at most so many bins, the fewest that is found; None where none is."""
        for count in range(least, most + 1):
            self._steps = MOST_STEPS
            bins: Bins = [[] for _ in range(count)]
            waste = count * self._capacity - sum(self._sizes)
            if self._placed(0, bins, [self._capacity] * count, waste=waste):
                return _tidy(bins)
        return None

    def _placed(self, at: int, bins: Bins, rooms: list[int], *, waste: int) -> bool:
        """Place this one and those behind it; `waste` is the room that may stay unused for good."""
        if at == len(self._places):
            return True
        self._steps -= 1
        size, tried = self._sizes[self._places[at]], set[int]()
        for n, room in enumerate(rooms):
            left = room - size
            if self._steps <= 0 or left < 0 or room in tried:
                continue
            tried.add(room)
            lost = left if left < self._smallest else 0
            if lost > waste:
                continue
            bins[n].append(self._places[at])
            rooms[n] = left
            if self._placed(at + 1, bins, rooms, waste=waste - lost):
                return True
            bins[n].pop()
            rooms[n] = room
        return False


def _tidy(bins: Bins) -> Bins:
    return sorted(sorted(held) for held in bins if held)
