"""What a provider's prefix cache still holds of a pack: forecast before a question, explained after it.

A cache serves the longest prefix that a pack has in common with one sent before. A pack is known here by its
chain: a running hash behind its instructions and behind each of its documents, with the tokens up to there.
Two packs share what their chains share, so no text is read to compare them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from service.domain import packing, pricing, prompts

LIFE: Final = timedelta(hours=1)
"""How long a prefix is expected to stay cached; the vendor's 24 hours are a maximum, not a promise."""

KEPT: Final = timedelta(days=1)
"""How long packs are remembered, to tell one that expired from one that never was there."""

MARK_BYTES: Final = 8
OPENING_TOKENS: Final = 5
"""Of `<document id="D`, with which every document begins: packs that part there share that much of it."""

_BOUNDARY: Final = struct.Struct(f">{MARK_BYTES}sI")

Code = Literal[
    "hit",
    "first_question",
    "expired",
    "parallel",
    "changed",
    "too_short",
    "not_told",
    "evicted",
    "better_than_expected",
    "none_held",
]


class Block(NamedTuple):
    """A document as it stands in a pack.

    Attributes:
        opening: its opening tag.
        identity: of its pages as they are packed.
        tokens: with its tags; of pictures the least.
    """

    opening: str
    identity: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A pack's running hash and tokens behind its instructions and behind each document, 12 bytes each."""

    boundaries: bytes

    def __len__(self) -> int:
        """Documents."""
        return len(self.boundaries) // _BOUNDARY.size - 1

    @property
    def total(self) -> int:
        """Tokens of all documents."""
        return self.tokens(len(self))

    @property
    def head(self) -> str:
        """Of the instructions and the first document: what packs have to share to share anything of use."""
        return self._mark(1).hex()

    def tokens(self, documents: int) -> int:
        """Tokens of so many documents."""
        end = (documents + 1) * _BOUNDARY.size
        return int.from_bytes(self.boundaries[end - _BOUNDARY.size + MARK_BYTES : end])

    def shared(self, other: Chain) -> int:
        """How many documents both begin with; running hashes, so one equal mark answers for all before it."""
        low, high = 0, min(len(self), len(other))
        while low < high:
            middle = (low + high + 1) // 2
            same = self._mark(middle) == other._mark(middle)
            low, high = (middle, high) if same else (low, middle - 1)
        return low

    def _mark(self, documents: int) -> bytes:
        start = documents * _BOUNDARY.size
        return self.boundaries[start : start + MARK_BYTES]


NO_TALK: Final = Chain(_BOUNDARY.pack(bytes(MARK_BYTES), 0))
"""Of a question that stands alone."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A pack that was sent, and that the provider may hold.

    Attributes:
        prefix_sha256: of all its documents; in a conversation of all that was sent.
        talk: in a conversation, of the messages behind the documents, its own question the last of them.
        lead: identity of what stood between its documents and its question (`lead_of`).
        strategy: by which it was packed; None of a pack that an earlier version sent.
    """

    prefix_sha256: str
    corpus_id: str
    used_at: datetime
    lead: str
    chain: Chain
    talk: Chain = NO_TALK
    strategy: str | None = None

    @property
    def warm_until(self) -> datetime:
        """Until when it is expected to be held."""
        return self.used_at + LIFE


@dataclass(frozen=True, slots=True)
class Lead:
    """What stands between the documents and the question: identity and tokens, the chat format's included."""

    identity: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that is to be sent.

    Attributes:
        prefix_tokens: what comes before the task, with the chat format's share.
        talk: of the messages between the documents and the task.
    """

    chain: Chain
    prefix_tokens: int
    lead: Lead
    talk: Chain = NO_TALK

    @property
    def around_tokens(self) -> int:
        """What comes before the documents, with the chat format's share."""
        return self.prefix_tokens - self.chain.total - self.talk.total


@dataclass(frozen=True, slots=True)
class Held:
    """What the provider most probably holds of a pack.

    Attributes:
        tokens: served from the cache: whole steps.
        documents: how many documents of the pack's beginning that covers.
        by: the pack sent before that left it there; None where nothing did.
    """

    tokens: int = 0
    documents: int = 0
    by: Sent | None = None


def chain_of(blocks: Iterable[Block]) -> Chain:
    """Return the chain of a pack, in one pass over its documents."""
    digest = hashlib.sha256(f"{packing.FORMAT}\n{prompts.ANSWERING}\x00".encode())
    tokens = 0
    boundary = _BOUNDARY.pack
    found = [boundary(digest.digest(), tokens)]
    for opening, identity, count in blocks:
        digest.update(f"{opening}{identity}\n".encode("utf-8", "surrogatepass"))
        tokens += count
        found.append(boundary(digest.digest(), tokens))
    return Chain(b"".join(found))


def lead_of(text: str, tokens: int) -> Lead:
    """Return the lead of a pack whose task begins with that text of so many tokens."""
    identity = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Lead(identity, tokens + packing.OVERHEAD.per_message)


def key_of(tenant: str, head: str) -> str:
    """Return the cache key that every pack of a tenant with the same beginning has.

    A provider routes by it: a pack that grew has to come to where the shorter one is held.
    """
    return hashlib.sha256(f"{tenant}\n{head}".encode()).hexdigest()[:32]


def held(pack: Pack, sent: Iterable[Sent], *, at_breakpoint: bool = False) -> Held:
    """Return what is held of a pack by those sent before: the longest part, and of equals the latest.

    Models that cache at explicit breakpoints hold whole equal packs alone.
    """
    best = Held()
    for one in sent:
        found = _held_by(pack, one, at_breakpoint=at_breakpoint)
        newer = best.by is None or one.used_at > best.by.used_at
        if found.tokens > best.tokens or (found.tokens and found.tokens == best.tokens and newer):
            best = found
    return best


def awaited(packs: Sequence[Pack], live: Sequence[Sent], *, at_breakpoint: bool = False) -> list[int | None]:
    """Return of each pack which one before it to await, so as to find in the cache what that left there.

    None where nothing is won: it shares no beginning that is long enough, or as much of it is held already.

    Args:
        packs: that are about to be sent, in order.
        live: packs that were sent before and are expected to be held.
        at_breakpoint: whether the model caches at explicit breakpoints.
    """
    sent = [_as_sent(pack) for pack in packs]
    found: list[int | None] = []
    for place, pack in enumerate(packs):
        now = held(pack, live, at_breakpoint=at_breakpoint).tokens
        shared = [_held_by(pack, one, at_breakpoint=at_breakpoint).tokens for one in sent[:place]]
        most = max(shared, default=0)
        found.append(shared.index(most) if most > now else None)
    return found


def _as_sent(pack: Pack) -> Sent:
    """A pack as it will be held once it was sent."""
    return Sent("", "", datetime.min, pack.lead.identity, pack.chain, pack.talk)  # noqa: DTZ901 - of no time


def _held_by(pack: Pack, one: Sent, *, at_breakpoint: bool) -> Held:
    if at_breakpoint:
        same = pack.chain == one.chain
        before = pack.prefix_tokens - pack.talk.total
        whole = pricing.cacheable(before, at_breakpoint=True) if same else 0
        return Held(whole, len(pack.chain), one) if whole else Held()
    shared = pack.chain.shared(one.chain)
    tokens = pack.around_tokens + pack.chain.tokens(shared)
    ours, theirs = len(pack.chain) > shared, len(one.chain) > shared
    if ours and theirs:
        tokens += OPENING_TOKENS
    elif not ours and not theirs:
        tokens += _behind(pack, one)
    served = pricing.cacheable(tokens)
    return Held(served, shared, one) if served else Held()


def _behind(pack: Pack, one: Sent) -> int:
    """Tokens that both hold behind equal documents: messages, then the beginning of the question."""
    same = pack.talk.shared(one.talk)
    at_their_question = same == len(pack.talk) == max(len(one.talk) - 1, 0)
    leads = at_their_question and one.lead == pack.lead.identity
    return pack.talk.tokens(same) + (pack.lead.tokens if leads else 0)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a pack since another of its corpus was sent.

    Attributes:
        kind: of the first difference.
        documents: names of what was removed, added or changed there.
        lost_tokens: of documents that both hold, and that have to be read anew.
    """

    kind: Literal["none", "appended", "removed", "changed"]
    documents: tuple[str, ...] = ()
    lost_tokens: int = 0


Named = tuple[str, str]
"""A document's id and its name."""


def change(now: Sequence[Named], chain: Chain, *, before: Sequence[Named], then: Chain) -> Change:
    """Return what was done to a pack, and what of it that takes from the cache.

    Args:
        now: its documents, in packed order.
        chain: of them.
        before: the documents of the pack as it was sent.
        then: the chain of those.
    """
    shared = chain.shared(then)
    if shared == len(before):
        added = tuple(name for _, name in now[shared:])
        return Change("appended" if added else "none", added)
    here = {document_id for document_id, _ in now}
    known = {document_id for document_id, _ in before[shared:]}
    gone = tuple(name for document_id, name in before[shared:] if document_id not in here)
    lost = sum(
        chain.tokens(place + 1) - chain.tokens(place)
        for place, (document_id, _) in enumerate(now)
        if place >= shared and document_id in known
    )
    if gone:
        return Change("removed", gone, lost)
    moved = now[shared] if shared < len(now) else before[shared]
    return Change("changed", (moved[1],), lost)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call's cache once its answer is there.

    Attributes:
        expected: tokens that were forecast.
        actual: tokens that the provider served; None where it does not tell.
        forecast: what the forecast was made of.
        warm_until: until when they were expected to be held.
        sent_at: when the call left.
        crowded: another call with the same beginning was under way, so nothing of it was cached yet.
    """

    expected: int
    actual: int | None
    forecast: Code
    warm_until: datetime | None = None
    sent_at: datetime | None = None
    crowded: bool = False


def verdict(facts: Facts) -> Code:
    """Return why as much was served from the cache as was; a step more or less is a hit."""
    if facts.actual is None:
        return "not_told"
    difference = facts.actual - facts.expected
    if difference > pricing.CACHE_STEP:
        return "better_than_expected"
    if facts.expected and difference >= -pricing.CACHE_STEP:
        return "changed" if facts.forecast == "changed" else "hit"
    late = facts.warm_until is not None and facts.sent_at is not None and facts.sent_at > facts.warm_until
    if facts.expected:
        return "expired" if late else "parallel" if facts.crowded else "evicted"
    return "parallel" if facts.crowded and facts.forecast == "first_question" else facts.forecast
