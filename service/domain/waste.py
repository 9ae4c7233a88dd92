"""What a question pays for twice or for nothing, and what is left of a corpus without it.

Documents that say what an earlier one says, headers and footers that every page repeats, pages with nothing
on them. Works on counts and on samples of texts, never on texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

from service.domain.corpora import Member
from service.domain.documents import Troubles

Switch = Literal["duplicates", "near_duplicates", "repeated", "blank"]
SWITCHES: tuple[Switch, ...] = get_args(Switch)

BY_COUNTS: tuple[Switch, ...] = ("duplicates", "repeated", "blank")
"""What can be told without comparing texts."""

NEAR = 0.8
"""Documents with this share of phrases in common say the same; texts that merely quote stay far below."""

CHARS_A_PHRASE = 60
"""A sample speaks for its text up to so many characters a phrase. Measured: 15 to 35 in prose of all formats,
67 and more in tables, where no phrase begins with most of the text: equal headings prove nothing."""

LEAST_PHRASES = 20
"""Fewer say too little: each would count for more than a twentieth."""

Kind = Literal["duplicate", "near_duplicate", "repeated", "blank", "no_text", "garbled"]

WORTH_TELLING = 0.01
"""Of all tokens: below this share waste is reported where it is asked for only."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a text's phrases, comparable with any other, and how many phrases the text has."""

    values: tuple[int, ...]
    phrases: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How to compare documents: their samples by id, and the share of phrases that two samples tell."""

    samples: Mapping[str, Sample]
    compare: Callable[[Sequence[int], Sequence[int]], float]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A document that is not packed.

    Attributes:
        of: the earlier document that says the same, where that is why.
        similarity: the share of phrases they have in common; 1.0 of the same text.
    """

    member: Member
    switch: Switch
    of: Member | None = None
    similarity: float | None = None

    @property
    def reason(self) -> str:
        """In words."""
        if self.of is None or self.similarity is None:
            return "blank"
        most = 100 if self.switch == "duplicates" else 99
        share = min(most, int(self.similarity * 100 + 1e-9))
        return f"says the same as D{self.of.ordinal} {self.of.filename} ({share} %)"


@dataclass(frozen=True, slots=True)
class Lean:
    """Documents without their waste: those that stay, as they are packed then, and the others."""

    kept: tuple[Member, ...]
    out: tuple[LeftOut, ...] = ()

    @property
    def tokens(self) -> int:
        """Of the documents that stay."""
        return sum(member.tokens for member in self.kept)


@dataclass(frozen=True, slots=True)
class Spare:
    """What could be left out: the switches that save something, what stays, the tokens saved."""

    switches: tuple[Switch, ...]
    lean: Lean
    tokens: int


@dataclass(frozen=True, slots=True)
class Item:
    """One document's waste of one kind.

    Attributes:
        pages, tokens: that are wasted, tags included where that is the whole document.
        of, similarity: as in `LeftOut`.
        switch: what leaves it out; None of pages that can't be read, which may still matter.
    """

    kind: Kind
    member: Member
    pages: int
    tokens: int
    switch: Switch | None
    of: Member | None = None
    similarity: float | None = None


def items(lean: Lean, troubles: Mapping[str, Troubles]) -> list[Item]:
    """List the waste, the most tokens first, and behind it the pages that can't be read.

    Args:
        lean: the documents without all of it; what its items with a switch count is what that saves.
        troubles: of the pages of the documents that stay.
    """
    found = [_dropped(one) for one in lean.out]
    for member in lean.kept:
        of = troubles.get(member.document_id, Troubles())
        found += [
            Item("repeated", member, of.repeating, member.repeated_tokens, "repeated"),
            Item("blank", member, member.pages_blank, member.blank_tokens, "blank"),
            Item("no_text", member, of.without_text, of.without_text_tokens, None),
            Item("garbled", member, of.garbled, of.garbled_tokens, None),
        ]
    return sorted(
        (item for item in found if item.pages),
        key=lambda item: (item.switch is None, -item.tokens, item.member.ordinal, item.kind),
    )


def _dropped(one: LeftOut) -> Item:
    kinds: dict[Switch, Kind] = {"duplicates": "duplicate", "near_duplicates": "near_duplicate"}
    kind = kinds.get(one.switch, "blank")
    member = one.member
    return Item(kind, member, member.pages, member.full_tokens, one.switch, one.of, one.similarity)


def without(
    members: Sequence[Member], switches: Collection[str], *, likeness: Likeness | None = None
) -> Lean:
    """Return the documents without the waste that the switches name.

    In packed order the earlier of two that say the same stays, and is what later ones are compared with.

    Args:
        members: ready documents, in order.
        switches: of `SWITCHES`. `near_duplicates` needs `likeness`, and takes equal texts for alike too.
        likeness: how to compare them.
    """
    kept = _Kept(members, switches, likeness)
    out: list[LeftOut] = []
    leaner = {manner: manner.leaving_out(switches) for manner in {member.manner for member in members}}
    for member in members:
        manner = leaner[member.manner]
        packed = member if manner == member.manner else member._replace(manner=manner)
        if packed.pages and not packed.packed_pages:
            out.append(LeftOut(member, "blank"))
        elif (found := kept.like(packed)) is not None:
            out.append(found)
        else:
            kept.add(packed)
    return Lean(tuple(kept.members), tuple(out))


def by_counts(members: Sequence[Member]) -> Spare:
    """Return what could be left out as far as counts tell."""
    saving = tuple(switch for switch in BY_COUNTS if _saves(members, switch))
    if not saving:
        return Spare((), Lean(tuple(members)), 0)
    lean = without(members, saving)
    return Spare(saving, lean, sum(member.tokens for member in members) - lean.tokens)


def _saves(members: Sequence[Member], switch: Switch) -> bool:
    """Whether leaving this out alone makes the prompt shorter; a page that is packed never counts nothing."""
    if switch == "repeated":
        return any(member.repeated_tokens and member.manner.repeated for member in members)
    if switch == "blank":
        return any(member.pages_blank and member.manner.blank for member in members)
    texts = [member.pack_sha256 for member in members if _has_text(member)]
    return len(set(texts)) < len(texts)


def worth_telling(members: Sequence[Member]) -> Spare | None:
    """Return the same where it is enough to tell of unasked."""
    spare = by_counts(members)
    if not spare.tokens:
        return None
    return spare if spare.tokens >= WORTH_TELLING * (spare.tokens + spare.lean.tokens) else None


class _Kept:
    """The documents that stay so far, and how a later one finds that it says the same.

    The samples of two documents above `NEAR` share at least that part of the larger one. So of the rarest
    values of each, as many as the rest of it may differ in and one more, they share one (the prefix filter of
    set joins: Chaudhuri, Ganti and Kaushik 2006): only who shares such a value is compared at all.
    """

    def __init__(
        self, members: Sequence[Member], switches: Collection[str], likeness: Likeness | None
    ) -> None:
        self.members: list[Member] = []
        self._same = bool({"duplicates", "near_duplicates"} & set(switches))
        self._exact: Switch = "duplicates" if "duplicates" in switches else "near_duplicates"
        self._by_text: dict[str, Member] = {}
        near = likeness if "near_duplicates" in switches else None
        self._compare = near.compare if near else None
        samples = near.samples if near else {}
        self._values = {
            member.document_id: frozenset(samples[member.document_id].values)
            for member in members
            if _speaks(samples.get(member.document_id), member)
        }
        self._rarest = _rarest(self._values)
        self._holders: dict[int, list[int]] = {}

    def like(self, member: Member) -> LeftOut | None:
        """Return why the document is not needed, where one that stays says the same."""
        if not self._same or not _has_text(member):
            return None
        same = self._by_text.get(member.pack_sha256)
        if same is not None:
            return LeftOut(member, self._exact, same, 1.0)
        return self._nearest(member)

    def add(self, member: Member) -> None:
        """Keep a document."""
        self.members.append(member)
        if self._same and _has_text(member):
            self._by_text.setdefault(member.pack_sha256, member)
            for value in self._rarest.get(member.document_id, ()):
                self._holders.setdefault(value, []).append(len(self.members) - 1)

    def _nearest(self, member: Member) -> LeftOut | None:
        """The most similar one that stays, the earliest of several."""
        mine = self._values.get(member.document_id)
        if mine is None or self._compare is None:
            return None
        best: LeftOut | None = None
        rarest = self._rarest[member.document_id]
        for place in sorted({place for value in rarest for place in self._holders.get(value, ())}):
            other = self.members[place]
            theirs = self._values[other.document_id]
            if len(mine & theirs) < NEAR * max(len(mine), len(theirs)):
                continue
            similarity = self._compare(sorted(mine), sorted(theirs))
            if similarity >= NEAR and similarity > (best.similarity or 0 if best else 0):
                best = LeftOut(member, "near_duplicates", other, similarity)
        return best


def _rarest(samples: Mapping[str, frozenset[int]]) -> dict[str, list[int]]:
    """Of each sample the values that the fewest hold, so many that two samples above `NEAR` share one."""
    holders = Counter(chain.from_iterable(samples.values()))
    shared = {document_id: -(-len(values) * 4 // 5) for document_id, values in samples.items()}
    return {
        document_id: sorted(sorted(values), key=holders.__getitem__)[: len(values) - shared[document_id] + 1]
        for document_id, values in samples.items()
    }


def _has_text(member: Member) -> bool:
    """Pages that say nothing are no evidence that two documents say the same, nor is text beside pictures."""
    return not member.images.pages and member.chars > 0 and member.pages_without_text < member.pages


def _speaks(sample: Sample | None, member: Member) -> bool:
    """Whether a document's sample stands for all of its text."""
    if sample is None or not sample.values or not _has_text(member):
        return False
    return sample.phrases >= max(LEAST_PHRASES, member.chars / CHARS_A_PHRASE)
