"""What of a question's documents the provider most probably holds, and what a change did to that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from ingest import count_tokens
from service.domain import caching, packing, pricing, tasks
from service.domain.caching import NO_TALK, Block, Chain, Change, Code, Held, Lead, Named, Pack, Sent
from service.domain.catalog import Model
from service.domain.corpora import Member
from service.domain.planner import CallKind, Plan, PlannedCall, Strategy
from service.domain.slices import Slice
from service.store import prefixes
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.recent import Recent

MAX_NAMES = 3
MOST_CHAINS = 256
"""That are kept, of 12 bytes a document."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of the cache, and why.

    Attributes:
        lost_tokens: of documents that were cached and are read anew, since something before them changed.
    """

    tokens: int = 0
    warm_until: datetime | None = None
    code: Code = "none_held"
    because: str = "This engine charges nothing, so nothing is cached."
    lost_tokens: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As plans tell it."""
        return {
            "expected_cached_tokens": self.tokens,
            "warm_until": self.warm_until.isoformat() if self.warm_until else None,
            "code": self.code,
            "because": self.because,
        }


NOTHING_HELD = Forecast()


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Of all plans of one preview.

    Attributes:
        cached: tokens, by a call's kind and prefix.
        of: by what tells plans apart.
    """

    cached: Mapping[tuple[CallKind, str], int] = field(default_factory=dict)
    of: Mapping[tuple[str, int | None], Forecast] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks what of which documents.

    Attributes:
        system_prompt: the caller's own instructions, which stand between the documents and the question.
        talk: of the conversation before the question.
        is_list: whether several questions are asked together.
    """

    tenant: str
    corpus_id: str
    model: Model
    system_prompt: str | None = None
    talk: Chain = NO_TALK
    is_list: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose packs are looked at, and the moment they are looked at."""

    tenant: str
    engine: str
    model: Model
    corpus_id: str
    now: datetime

    def sent(self, tx: Transaction, heads: Iterable[str]) -> list[Sent]:
        """Packs that were sent within the day, latest first."""
        return prefixes.resembling(
            tx,
            tenant=self.tenant,
            engine=self.engine,
            model=self.model.id,
            corpus_id=self.corpus_id,
            heads=set(heads),
        )

    def documents(self, tx: Transaction, one: Sent) -> list[Named]:
        """Of a pack that was sent."""
        return prefixes.documents_of(
            tx, one.prefix_sha256, tenant=self.tenant, engine=self.engine, model=self.model.id
        )

    def live(self, sent: Iterable[Sent]) -> list[Sent]:
        """Those that are expected to be held now."""
        return [one for one in sent if one.warm_until > self.now]


def forecast(tx: Transaction, ctx: Context, asking: Asking, drafts: Sequence[Plan]) -> Forecasts:
    """Return what of each plan's calls the provider most probably holds."""
    if not ctx.provider.charges:
        return Forecasts()
    holder = holder_of(ctx, asking)
    calls = {plan.key: [one for one in plan.calls if one.kind != "merge"] for plan in drafts}
    heads = {_head(call) for of_plan in calls.values() for call in of_plan if call.slices}
    sent = holder.sent(tx, heads)
    cached: dict[tuple[CallKind, str], int] = {}
    told: dict[tuple[str, int | None], Forecast] = {}
    for key, of_plan in calls.items():
        strategy = key[0]
        if not of_plan:
            continue
        packs = [pack_of(call, asking, compared=bool(sent)) for call in of_plan]
        looked = [
            look(tx, holder, pack, names_of(call), sent, strategy=strategy)
            for pack, call in zip(packs, of_plan, strict=True)
        ]
        told[key] = _together([found for found, _ in looked])
        for call, (found, _) in zip(of_plan, looked, strict=True):
            cached[call.kind, call.prefix_sha256] = found.tokens
    return Forecasts(cached, told)


def holder_of(ctx: Context, asking: Asking) -> Holder:
    """Return whose packs are looked at."""
    return Holder(asking.tenant, ctx.provider.name, asking.model, asking.corpus_id, ctx.now())


def look(
    tx: Transaction,
    holder: Holder,
    pack: Pack,
    documents: Sequence[Named],
    sent: Sequence[Sent],
    *,
    strategy: Strategy,
) -> tuple[Forecast, Held]:
    """Return what is held of one pack, and why no more.

    Args:
        tx: the caller's.
        holder: whose packs.
        pack: that is to be sent.
        documents: in it.
        sent: packs that were, latest first.
        strategy: by which the pack is made.
    """
    at_breakpoint = holder.model.caches_at_breakpoints
    live = holder.live(sent)
    found = caching.held(pack, live, at_breakpoint=at_breakpoint)
    covers = found.by is not None and found.documents == len(pack.chain)
    before = found.by if covers else _alike(live, holder, strategy, found)
    did = Change("none")
    if before is not None and before.chain != pack.chain:
        did = caching.change(documents, pack.chain, before=holder.documents(tx, before), then=before.chain)
    code, because = _why(pack, found, did, expired=bool(sent) and _was_held(pack, sent, holder))
    lost = did.lost_tokens if code == "changed" else 0
    until = found.by.warm_until if found.by else None
    return Forecast(found.tokens, until, code, because, lost), found


def _alike(live: Sequence[Sent], holder: Holder, strategy: Strategy, found: Held) -> Sent | None:
    """Return the pack that a change is told against: one that was packed in the same way.

    What another way leaves out, or puts elsewhere, nobody took out of the corpus. Of a split
    each part has its own, the one that begins as it does; ranked packs are each for its question.
    """
    if strategy == "ranked":
        return None
    if strategy == "split":
        return found.by if found.by and found.by.strategy == strategy else None
    same = (one for one in live if one.corpus_id == holder.corpus_id and one.strategy == strategy)
    return next(same, None)


def _was_held(pack: Pack, sent: Sequence[Sent], holder: Holder) -> bool:
    return caching.held(pack, sent, at_breakpoint=holder.model.caches_at_breakpoints).tokens > 0


def _why(pack: Pack, found: Held, did: Change, *, expired: bool) -> tuple[Code, str]:
    names = listed(did.documents)
    if not pricing.cacheable(pack.prefix_tokens + pack.lead.tokens):
        return (
            "too_short",
            f"It is shorter than the {pricing.CACHE_FROM:,} tokens from which prefixes are cached.",
        )
    if did.lost_tokens:
        what = f"also read {names}" if did.kind == "removed" else f"was sent otherwise from {names} on"
        return "changed", f"The last question {what}: {did.lost_tokens:,} tokens are read anew, once."
    if found.tokens and did.kind == "appended":
        return (
            "hit",
            f"What was sent before is most probably still cached; {names} is read for the first time.",
        )
    if found.tokens:
        return "hit", f"It was sent within the hour: {found.tokens:,} tokens are most probably still cached."
    if expired:
        return "expired", "It was last sent more than an hour ago and is most probably no longer cached."
    return "first_question", "Nothing that begins like this was sent today: the first question reads it all."


def _together(found: Sequence[Forecast]) -> Forecast:
    """Of a plan's calls: what is told is what the call that loses most, or holds least, tells."""
    if len(found) == 1:
        return found[0]
    tokens = sum(one.tokens for one in found)
    telling = max(found, key=lambda one: (one.lost_tokens, not one.tokens))
    until = min((one.warm_until for one in found if one.warm_until), default=None)
    warm = sum(1 for one in found if one.tokens)
    because = f"{warm} of {len(found)} calls are expected to be warm. {telling.because}"
    code = "hit" if tokens and not telling.lost_tokens else telling.code
    return Forecast(tokens, until, code, because, sum(one.lost_tokens for one in found))


def pack_of(call: PlannedCall, asking: Asking, *, compared: bool) -> Pack:
    """Return a planned call as a cache sees it; where nothing is compared with it, by its head."""
    return Pack(
        chain=chain_over(call.slices if compared else call.slices[:1]),
        prefix_tokens=call.prefix_tokens,
        lead=lead_of(call.kind, asking.system_prompt, is_list=asking.is_list),
        talk=asking.talk,
    )


def chain_of(call: PlannedCall) -> Chain:
    """Return the chain of a planned call."""
    return chain_over(call.slices)


def chain_over(documents: Sequence[Slice] | Sequence[Member]) -> Chain:
    """Return the chain of documents; of the same ones as in another preview, it is there."""
    return _CHAINS.of(tuple(documents))


def names_of(call: PlannedCall) -> list[Named]:
    """Return the documents of a planned call."""
    return [(one.document_id, one.filename) for one in call.slices]


@lru_cache(maxsize=16)
def lead_of(kind: CallKind, system_prompt: str | None, *, is_list: bool) -> Lead:
    """Return what stands between the documents and the question of such a call."""
    text = tasks.opening_of(kind, system_prompt, is_list=is_list)
    return caching.lead_of(text, count_tokens(text))


def cache_key(tenant: str, call: PlannedCall) -> str:
    """Return what a call is routed by to where its beginning may be cached."""
    return caching.key_of(tenant, _head(call)) if call.slices else call.prefix_sha256[:32]


def listed(names: Sequence[str]) -> str:
    """Return names for a sentence, the first of many."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _head(call: PlannedCall) -> str:
    return chain_over(call.slices[:1]).head


def block_of(one: Slice | Member) -> Block:
    """Return a document as a cache sees it, in a call or whole."""
    opening = packing.open_document(one.ordinal, one.filename)
    return Block(opening, one.identity, one.tokens + one.images.tokens_min)


def _chain(documents: tuple[Slice | Member, ...]) -> Chain:
    return caching.chain_of(map(block_of, documents))


_CHAINS: Recent[Slice | Member, Chain] = Recent(_chain, MOST_CHAINS)
