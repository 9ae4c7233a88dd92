"""The way down from a price cliff: the least that has to be left out to get below a limit, exactly.

Which documents lose the fewest tokens and still free enough is a subset-sum problem. It is solved exactly,
with the sums that can be reached held as the bits of one integer: some thousand documents take milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from service.domain.corpora import Member

CHECKPOINT: Final = 48
"""Reachable sums are kept after so many runs of equal documents, and worked out again in between."""


def least_to_leave_out(
    members: Sequence[Member], tokens: int, *, priorities: Mapping[str, int] | None = None
) -> tuple[Member, ...] | None:
    """Return the documents whose absence frees at least so many tokens and loses the fewest.

    A document of higher priority is never left out for the sake of one of lower priority: first as few tokens
    as possible of the highest are lost, then of the next. Between equals later documents tend to go, since
    what comes before them stays a cached prefix.

    Args:
        members: in packed order.
        tokens: to be freed, at least.
        priorities: by document id; 0 unless named, the higher the dearer.

    Returns:
        In packed order; empty where nothing has to be freed, None where leaving out everything would not do.
    """
    dear = priorities or {}
    cheaper = sum([member.most_tokens for member in members])
    if cheaper < tokens:
        return None
    left: set[str] = set()
    ranked = sorted(members, key=lambda member: -dear.get(member.document_id, 0))
    for _, group in groupby(ranked, key=lambda member: dear.get(member.document_id, 0)):
        level = list(group)
        sizes = [member.most_tokens for member in level]
        cheaper -= sum(sizes)
        gone = [level[place] for place in least(sizes, tokens - cheaper)]
        tokens -= sum(member.most_tokens for member in gone)
        left |= {member.document_id for member in gone}
    return tuple(member for member in members if member.document_id in left)


def least(sizes: Sequence[int], need: int) -> list[int]:
    """Return the places of the sizes whose sum is the least that reaches `need`, which all of them do.

    Works on whichever is smaller: what goes, or what stays.
    """
    if need <= 0:
        return []
    room = sum(sizes) - need
    if need <= room:
        within = (1 << need + max(sizes)) - 1  # a sum beyond could do without any of its sizes
        return sorted(_reaching(sizes, range(len(sizes) - 1, -1, -1), within, wanted=need))
    staying = set(_reaching(sizes, range(len(sizes)), (1 << room + 1) - 1, wanted=room))
    return [place for place in range(len(sizes)) if place not in staying]


def _reaching(sizes: Sequence[int], order: Sequence[int], within: int, *, wanted: int) -> Iterator[int]:
    """Yield places whose sizes sum to the wanted sum, else to the least above it, else to the most below.

    Args:
        sizes: positive.
        order: which places are tried first.
        within: a mask of the sums that are looked at.
        wanted: the sum; trying ends where it is reached.
    """
    runs: list[_Run] = []
    sums = _Sums()
    kept = {0: sums}
    largest = max(sizes)
    for size, places in groupby(order, key=sizes.__getitem__):
        if sums.holds(wanted):
            break
        runs.append(_Run(size, tuple(places)))
        sums = sums.added(runs[-1], within).folded(largest, within)
        if len(runs) % CHECKPOINT == 0:
            kept[len(runs)] = sums
    total = wanted
    if not sums.holds(wanted):
        reachable = sums.spread(within)
        beyond = reachable >> wanted
        total = wanted + (beyond & -beyond).bit_length() - 1 if beyond else reachable.bit_length() - 1
    yield from _walk_back(runs, kept, total=total)


def _walk_back(runs: Sequence[_Run], kept: Mapping[int, _Sums], *, total: int) -> Iterator[int]:
    """Yield the places whose sizes add up to `total`, from the sums that were reachable before each run."""
    for start in sorted((start for start in kept if start < len(runs)), reverse=True):
        if kept[start].holds(total):
            continue
        steps = runs[start : start + CHECKPOINT]
        within = (1 << total + 1) - 1
        before = [kept[start]]
        for run in steps[:-1]:
            before.append(before[-1].added(run, within))
        for run, sums in zip(reversed(steps), reversed(before), strict=True):
            needed = run.needed_for(total, sums)
            total -= needed * run.size
            yield from run.places[:needed]


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums that can be reached with some of the sizes so far.

    They are the same from either end: what some sizes add up to, the others add up to the rest. Of many sizes
    every sum is soon reached but for a few near both ends; then those near zero are all that is held.

    Attributes:
        bits: bit n of the sum n; once folded, of those below `edge` alone.
        total: of all sizes so far.
        edge: from here to as far below the total, every sum is reached; None where that is not known.
    """

    bits: int = 1
    total: int = 0
    edge: int | None = None

    def holds(self, wanted: int) -> bool:
        """Whether a sum is reached."""
        if self.edge is None:
            return wanted >= 0 and bool(self.bits >> wanted & 1)
        near = min(wanted, self.total - wanted)
        return near >= self.edge or (near >= 0 and bool(self.bits >> near & 1))

    def added(self, run: _Run, within: int) -> _Sums:
        """Return the sums that are reached with a run too; larger ones than within may be missing."""
        mask = within if self.edge is None else (1 << self.edge) - 1
        reachable = run.added_to(self.bits, mask)
        return _Sums(reachable, self.total + run.size * len(run.places), self.edge)

    def folded(self, largest: int, within: int) -> _Sums:
        """Return the same with the middle left out where every sum of it is reached.

        It must be as long as the largest size: then it has no gap after another size either.
        """
        if self.edge is not None or self.total >= within.bit_length():
            return self
        gaps = ~self.bits & (1 << self.total // 2 + 1) - 1
        edge = gaps.bit_length()
        if self.total - 2 * edge + 1 < largest:
            return self
        return _Sums(self.bits & (1 << edge) - 1, self.total, edge)

    def spread(self, within: int) -> int:
        """Return the bits of all sums up to half the total, or of all, as far as they are within."""
        if self.edge is None:
            return self.bits
        return (self.bits | (1 << self.total // 2 + 1) - (1 << self.edge)) & within


@dataclass(frozen=True, slots=True)
class _Run:
    """Places next to each other of the same size: they are taken one after another, from the first on."""

    size: int
    places: tuple[int, ...]

    def added_to(self, reachable: int, within: int) -> int:
        """Return the sums that can be reached with them too."""
        left, some = len(self.places), 1
        while left > 0:  # 1, 2, 4 … and the rest of them: some of these make up every number of them
            reachable |= reachable << self.size * min(some, left)
            if reachable.bit_length() > within.bit_length():
                reachable &= within
            left -= some
            some *= 2
        return reachable

    def needed_for(self, total: int, sums: _Sums) -> int:
        """Return how few of them reach the sum, which all can, beside what is reached without them."""
        every = len(self.places)
        return next((n for n in range(every) if sums.holds(total - n * self.size)), every)
