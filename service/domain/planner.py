"""Strategies: what goes into which call, what stays out and why, and what all of it costs.

Works on counts alone. No text is read to make a plan, so a preview costs nothing and its work grows with the
number of documents, not with their length.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from service.domain import bins, obstacles, packing, pricing, prompts
from service.domain.catalog import Band, Model, Tier
from service.domain.corpora import Member
from service.domain.manner import NO_IMAGES, Images, sum_of
from service.domain.observations import EXACT, Counting
from service.domain.obstacles import Obstacle
from service.domain.prompt_counts import PromptCounts
from service.domain.rates import UNLIMITED, RateLimits
from service.domain.slices import PageTooLarge, Slice, cut, whole_slice
from service.domain.vision import MAX_PICTURES
from service.errors import Fix

Strategy = Literal["whole", "selected", "split", "ranked"]
STRATEGIES: tuple[Strategy, ...] = ("whole", "selected", "split", "ranked")
CallKind = Literal["answer", "part", "merge", "repair"]
Status = Literal["below", "near", "over"]

MARGIN_TOKENS = 64
"""What a split keeps free below the threshold: the chat format's overhead is fitted, not published."""

FINDINGS_TOKENS = 16
"""Upper bound of the tags around one part's findings: 12, and what joins with them (`/`) at either end."""


EXPECTED_OUTPUT = {"none": 900, "low": 1_400, "medium": 2_400, "high": 5_000, "xhigh": 10_000}
"""Tokens of a usual answer by reasoning effort, reasoning included; a guess until usage is known."""

DEFAULT_EFFORT = "medium"
"""What gpt-5.5 takes where a request names no effort."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every plan of one preview has in common.

    Attributes:
        on: the UTC day whose prices hold.
        reserved_output_tokens: `max_completion_tokens` of each call.
        expected_output_tokens: at most the reserved ones.
        guard_tokens: so close below the threshold counts as `near`.
        cached: tokens that the provider most probably still holds, by a call's kind and prefix.
        counting: how sure its count of the rest is.
        limits: its tokens per minute.
        history: identity of what was said before.
        history_room: what a split leaves for that, now and in turns to come: its parts stay what they are.
    """

    model: Model
    tier: Tier
    on: date
    counts: PromptCounts
    reserved_output_tokens: int
    expected_output_tokens: int
    guard_tokens: int
    cached: Mapping[tuple[CallKind, str], int] = field(default_factory=dict)
    counting: Counting = EXACT
    limits: RateLimits = UNLIMITED
    history: str = ""
    history_room: int = 0


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One request to come.

    Attributes:
        input_tokens: exact where it holds texts alone; with pictures, and of a merge, whose input is still to
            be written, the most it can be.
        expected_input_tokens: the same of texts alone; with pictures the least, of a merge the usual.
        prefix_tokens: what comes before the task, with the chat format's share; of pictures the least.
        correction_tokens: what of the input is a correction learnt from replies.
        doubt_tokens: so many more the provider may count; the ceiling holds them.
        expected_cached_tokens, expected_output_tokens: as forecast.
        kept: an earlier answer has paid for it, and its reply is taken: nothing is sent, and nothing billed.
        shown: pictures of the question and of those before it.
    """

    kind: CallKind
    slices: tuple[Slice, ...]
    input_tokens: int
    expected_input_tokens: int
    prefix_tokens: int
    prefix_sha256: str
    band: Band
    reserved_output_tokens: int
    correction_tokens: int = 0
    doubt_tokens: int = 0
    expected_cached_tokens: int = 0
    expected_output_tokens: int = 0
    kept: bool = False
    shown: Images = NO_IMAGES

    @property
    def ceiling_input_tokens(self) -> int:
        """The most the provider may bill."""
        return self.input_tokens + self.doubt_tokens

    @property
    def images(self) -> Images:
        """The pictures of its documents' pages."""
        return sum_of(piece.images for piece in self.slices)

    @property
    def pictures(self) -> Images:
        """Every picture in it."""
        return sum_of((self.images, self.shown))

    @property
    def told_input_tokens(self) -> int:
        """The input that the plan names: the most with pictures, of a merge the usual."""
        return self.expected_input_tokens if self.kind == "merge" else self.input_tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to put the question, with its price; without calls where it is not feasible.

    Attributes:
        estimate: None where the model's price is unknown.
        expected_cached_tokens: what of the input the provider most probably still holds.
        budget_tokens: what the input of a ranked plan stays within.
        fixes: ways out that planning knows, where it is not feasible.
        repair: a further call that is made only if quotes fail, where it was asked for; no gauge counts it.
        repair_left_out: why there is none although it was asked for.
    """

    strategy: Strategy
    calls: tuple[PlannedCall, ...] = ()
    infeasible_because: str | None = None
    infeasible_code: str | None = None
    input_tokens: int = 0
    estimate: pricing.Estimate | None = None
    expected_cached_tokens: int = 0
    threshold_extra_usd: Decimal | None = None
    budget_tokens: int | None = None
    fixes: tuple[Fix, ...] = ()
    repair: PlannedCall | None = None
    repair_left_out: str | None = None

    @property
    def all_calls(self) -> tuple[PlannedCall, ...]:
        """Every call that may be made, in order: money is held for each."""
        return (*self.calls, self.repair) if self.repair else self.calls

    @property
    def feasible(self) -> bool:
        """Whether it can be asked."""
        return self.infeasible_because is None

    @property
    def key(self) -> tuple[Strategy, int | None]:
        """What tells it from the other plans of one preview."""
        return self.strategy, self.budget_tokens

    @property
    def largest_call(self) -> int:
        """Input tokens of the largest call that is made."""
        return max((call.input_tokens for call in self.calls if not call.kept), default=self.input_tokens)

    @property
    def crosses_threshold(self) -> bool:
        """Whether any of its calls pays the long rates."""
        return any(call.band == "long" and not call.kept for call in self.calls)

    @property
    def reusable(self) -> bool:
        """Whether the next question reads the same: pages ranked for one question are none for the next."""
        return self.strategy != "ranked"

    def for_questions(self, questions: int) -> Decimal | None:
        """What so many questions in sequence cost: warm after the first, where they read the same."""
        if self.estimate is None:
            return None
        return self.estimate.for_questions(questions) if self.reusable else questions * self.estimate.cold_usd

    @property
    def fingerprint(self) -> str:
        """Of everything that would be sent; a price's fingerprint is the catalog's hash."""
        sent = [
            [call.kind, call.prefix_sha256, call.input_tokens, *(["kept"] if call.kept else [])]
            for call in self.all_calls
        ]
        return hashlib.sha256(json.dumps([self.strategy, sent]).encode()).hexdigest()


def status_of(tokens: int, limit: int, guard: int) -> Status:
    """`over` strictly above the limit, `near` within the guard band below it."""
    if tokens > limit:
        return "over"
    return "near" if tokens > limit - guard else "below"


def guard_tokens(band: float, threshold: int) -> int:
    """The tokens of a guard band: below 1 it is a share of the threshold, from 1 on tokens."""
    return int(band) if band >= 1 else round(threshold * band)


def usual_output(effort: str | None, questions: int = 1) -> int:
    """Tokens of a usual answer to so many questions asked together, whatever is reserved."""
    return questions * EXPECTED_OUTPUT.get(effort or DEFAULT_EFFORT, EXPECTED_OUTPUT[DEFAULT_EFFORT])


def usual_reasoning(effort: str | None, questions: int = 1) -> int:
    """Of a usual answer's tokens those that nobody is shown."""
    return usual_output(effort, questions) - usual_output("none", questions)


def expected_output(effort: str | None, reserved: int, *, questions: int = 1) -> int:
    """Tokens of a usual answer, never more than are reserved."""
    return min(usual_output(effort, questions), reserved)


def max_input(terms: Terms) -> int:
    """The most input the model takes beside the reserved output: a shared window, with a cap of its own."""
    return min(terms.model.max_input_tokens, terms.model.context_window - terms.reserved_output_tokens)


def whole_input(members: Sequence[Member], counts: PromptCounts) -> int:
    """Exact input of one call over all these documents; with pictures, the most it can be."""
    material = sum([member.most_tokens for member in members])
    around = packing.CALL_OVERHEAD + counts.correction + counts.history + counts.shown.tokens_max
    return around + counts.instructions + counts.task + material


def price_whole(tokens: int, terms: Terms, *, spread: int = 0) -> pricing.Estimate | None:
    """Return what one call over so much input (`whole_input`) costs; None as in plans.

    The price is one of counts alone: of so many documents or of others.

    Args:
        tokens: the most input.
        terms: as for every plan; that a prefix may be warm is passed over.
        spread: so much less is the least, where pages are pictures.
    """
    counts = terms.counts
    spread += counts.shown.spread
    if tokens > max_input(terms):
        return None
    around = packing.CALL_OVERHEAD - packing.OVERHEAD.of(messages=2) + counts.correction
    around += counts.images.tokens_min
    call = pricing.Call(
        input_tokens=tokens - spread,
        most_input_tokens=tokens + terms.counting.more,
        reserved_output_tokens=terms.reserved_output_tokens,
        expected_output_tokens=terms.expected_output_tokens,
        prefix_tokens=min(tokens - spread, tokens - spread - counts.task - around),
    )
    return pricing.estimate(terms.model, [call], tier=terms.tier, on=terms.on)


def plan_whole(
    members: Sequence[Member],
    terms: Terms,
    *,
    strategy: Strategy = "whole",
    slices: Sequence[Slice] | None = None,
) -> Plan:
    """Plan every one of these documents whole, in one call.

    Args:
        members: in order.
        terms: as for every plan.
        strategy: `selected` where they are those that the caller named.
        slices: all of each of them, where they were made already.
    """
    tokens = whole_input(members, terms.counts)
    if tokens > max_input(terms):
        return Plan(
            strategy=strategy,
            input_tokens=tokens,
            infeasible_code="over_window",
            infeasible_because=f"{tokens:,} input tokens do not fit {terms.model.id}'s limit of "
            f"{max_input(terms):,}. Split the question over several calls, or leave documents out.",
        )
    pieces = tuple(map(whole_slice, members) if slices is None else slices)
    call = _call("answer", pieces, terms, task=terms.counts.task)
    if call.pictures.pages > MAX_PICTURES:
        return _infeasible(strategy, obstacles.too_many_pictures(call.pictures.pages), tokens=tokens)
    return _priced(strategy, (call,), terms)


def plan_split(
    members: Sequence[Member],
    terms: Terms,
    *,
    page_tokens: Mapping[str, Sequence[int]],
    page_images: Mapping[str, Mapping[int, Images]] | None = None,
    slices: Sequence[Slice] | None = None,
) -> Plan:
    """Plan every document whole, in as few calls as possible at or below the threshold, then one that merges.

    Args:
        members: in order.
        terms: as for every plan.
        page_tokens: counts of each document that `oversized` names, by page as it is packed (0 where it is
            not): it is cut between pages.
        page_images: of the same documents, by page, where it is sent as a picture.
        slices: all of each document, where they were made already.
    """
    capacity = split_capacity(terms)
    if capacity <= 0:
        return _infeasible("split", obstacles.no_room(terms.counts.part_task + terms.counts.history))
    pieces: list[Slice] = []
    for member, whole in zip(members, slices or map(whole_slice, members), strict=True):
        if whole.most_tokens <= capacity:
            pieces.append(whole)
            continue
        shown = (page_images or {}).get(member.document_id, {})
        try:
            pieces.extend(cut(member, page_tokens[member.document_id], shown, capacity))
        except PageTooLarge as error:
            return _infeasible("split", error.why)
    packs = bins.fewest([piece.most_tokens for piece in pieces], capacity)
    if len(packs) < 2:  # noqa: PLR2004 - one call is not a split
        return _infeasible("split", obstacles.not_needed())
    return plan_parts([tuple([pieces[place] for place in places]) for places in packs], terms)


def plan_parts(packs: Sequence[tuple[Slice, ...]], terms: Terms) -> Plan:
    """Plan a split into just these packs, one call each, then one that merges what they find."""
    parts = [_call("part", pack, terms, task=terms.counts.part_task) for pack in packs]
    most_pictures = max(part.pictures.pages for part in parts)
    if most_pictures > MAX_PICTURES:
        return _infeasible("split", obstacles.too_many_pictures(most_pictures))
    merge = _merge_call(len(parts), terms)
    if merge.input_tokens > max_input(terms):
        why = obstacles.findings_too_long(
            len(parts), terms.model, around=_around_findings(terms), tags=FINDINGS_TOKENS
        )
        return _infeasible("split", why)
    return _priced("split", (*parts, merge), terms)


def plan_slices(strategy: Strategy, slices: tuple[Slice, ...], terms: Terms) -> Plan:
    """Plan just these slices, in one call."""
    call = _call("answer", slices, terms, task=terms.counts.task)
    if (pictures := call.pictures.pages) > MAX_PICTURES:
        return _infeasible(strategy, obstacles.too_many_pictures(pictures), tokens=call.input_tokens)
    return _priced(strategy, (call,), terms)


def split_capacity(terms: Terms) -> int:
    """Tokens of documents that one call of a split may hold, within what the provider takes a minute."""
    most = max_input(terms)
    limit = min(terms.model.threshold_tokens or most, terms.limits.short or most, most)
    around = packing.CALL_OVERHEAD + terms.counts.instructions + terms.counts.part_task
    around += terms.counts.correction + max(terms.counts.history, terms.history_room)
    around += terms.counts.shown.tokens_max
    return limit - around - max(MARGIN_TOKENS, terms.counting.doubt)


def oversized(members: Sequence[Member], terms: Terms) -> list[Member]:
    """Return the documents that a split has to cut between pages."""
    capacity = split_capacity(terms)
    return [member for member in members if member.most_tokens > capacity]


def _infeasible(strategy: Strategy, why: Obstacle, *, tokens: int = 0) -> Plan:
    return Plan(
        strategy,
        infeasible_code=why.code,
        infeasible_because=why.because,
        input_tokens=tokens,
        fixes=why.fixes,
    )


def _call(kind: CallKind, slices: tuple[Slice, ...], terms: Terms, *, task: int) -> PlannedCall:
    images, shown = sum_of([piece.images for piece in slices]), terms.counts.shown
    material = sum([piece.tokens for piece in slices]) + images.tokens_min
    around = packing.CALL_OVERHEAD + terms.counts.correction + task + terms.counts.images.tokens_min
    before = terms.counts.instructions + material + terms.counts.history
    before += terms.counts.history_images.tokens_min
    least = around + before
    tokens = least + images.spread + shown.spread
    prefix = packing.prefix_sha256(
        instructions=prompts.ANSWERING,
        documents=[one.told for one in slices],
        history=terms.history,
    )
    return PlannedCall(
        kind=kind,
        slices=slices,
        input_tokens=tokens,
        expected_input_tokens=least,
        prefix_tokens=before + packing.OVERHEAD.of(messages=2),
        prefix_sha256=prefix,
        band=pricing.band_of(tokens, terms.model),
        reserved_output_tokens=terms.reserved_output_tokens,
        correction_tokens=terms.counts.correction,
        doubt_tokens=terms.counting.more,
        expected_cached_tokens=_held(kind, prefix, terms, least),
        expected_output_tokens=terms.expected_output_tokens,
        shown=shown,
    )


def _around_findings(terms: Terms) -> int:
    """Of a merge's input: what stands around the findings, of pictures the most."""
    counts = terms.counts
    around = packing.CALL_OVERHEAD + counts.correction + counts.history + counts.shown.tokens_max
    return around + counts.merge_instructions + counts.merge_task


def _merge_call(parts: int, terms: Terms) -> PlannedCall:
    around = _around_findings(terms)
    most = around + parts * (terms.reserved_output_tokens + FINDINGS_TOKENS)
    usual = around + parts * (terms.expected_output_tokens + FINDINGS_TOKENS) - terms.counts.shown.spread
    return PlannedCall(
        kind="merge",
        slices=(),
        input_tokens=most,
        expected_input_tokens=usual,
        prefix_tokens=terms.counts.merge_instructions,
        prefix_sha256=packing.prefix_sha256(instructions=prompts.MERGING, documents=()),
        band=pricing.band_of(most, terms.model),
        reserved_output_tokens=terms.reserved_output_tokens,
        correction_tokens=terms.counts.correction,
        doubt_tokens=terms.counting.more,
        expected_output_tokens=terms.expected_output_tokens,
        shown=terms.counts.shown,
    )


def _priced(strategy: Strategy, calls: tuple[PlannedCall, ...], terms: Terms) -> Plan:
    made = [call for call in calls if not call.kept]
    bills = [_bill(call) for call in made]
    told = [
        bill
        if bill.input_tokens == call.told_input_tokens
        else replace(bill, input_tokens=call.told_input_tokens)
        for call, bill in zip(made, bills, strict=True)
    ]
    extras = [pricing.threshold_extra(terms.model, bill, tier=terms.tier, on=terms.on) for bill in told]
    return Plan(
        strategy=strategy,
        calls=calls,
        input_tokens=sum(call.told_input_tokens for call in made),
        estimate=pricing.estimate(terms.model, bills, tier=terms.tier, on=terms.on),
        expected_cached_tokens=sum(bill.expected_cached_tokens for bill in bills),
        threshold_extra_usd=None
        if any(extra is None for extra in extras)
        else sum((extra for extra in extras if extra is not None), Decimal(0)),
    )


def warmed(plan: Plan, terms: Terms) -> Plan:
    """Return the same calls priced with what the provider most probably holds of them (`Terms.cached`)."""
    if not plan.calls or not plan.feasible:
        return plan
    calls = tuple(
        replace(
            call,
            expected_cached_tokens=_held(call.kind, call.prefix_sha256, terms, call.expected_input_tokens),
        )
        if call.slices
        else call
        for call in plan.calls
    )
    return replace(_priced(plan.strategy, calls, terms), budget_tokens=plan.budget_tokens)


def _held(kind: CallKind, prefix: str, terms: Terms, most: int) -> int:
    return min(terms.cached.get((kind, prefix), 0), most)


def price_calls(calls: Iterable[PlannedCall], terms: Terms) -> pricing.Estimate | None:
    """Return what planned calls cost together on these terms; None where a rate is unknown."""
    return pricing.estimate(
        terms.model, [_bill(call) for call in calls if not call.kept], tier=terms.tier, on=terms.on
    )


def _bill(call: PlannedCall) -> pricing.Call:
    cacheable = 0 if call.kind == "merge" else min(call.prefix_tokens, call.expected_input_tokens)
    return pricing.Call(
        input_tokens=call.expected_input_tokens,
        most_input_tokens=call.ceiling_input_tokens,
        reserved_output_tokens=call.reserved_output_tokens,
        expected_output_tokens=call.expected_output_tokens,
        prefix_tokens=cacheable,
        expected_cached_tokens=call.expected_cached_tokens,
    )
