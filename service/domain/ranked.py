"""The strategy `ranked`: the pages that a question is most about, within a budget of tokens, in one call.

What it leaves out is said page by page. A pack is chosen for one question, or for several that are asked
together, and is never reused for the next: of ten questions put to the first one's pages, six would not find
theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from service.domain import packing, planner, ranking
from service.domain.corpora import Member
from service.domain.manner import sum_of
from service.domain.planner import MARGIN_TOKENS, Plan, Terms
from service.domain.ranking import Pack, RankedPage
from service.domain.slices import Chosen, Slice, whole_slice
from service.errors import Fix

BUDGETS = (128_000, 32_000)
"""Offered beside the threshold; a small pack finds easy facts, and costs a tenth."""

INDEX_BUILDING = "index_building"
"""Code of the plans that will be feasible in a moment."""

MIN_BUDGET = 2_000
MUCH_LEFT_OUT = 0.5
"""A pack of a smaller share of the corpus depends on what the question names."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A page that alone passes a budget; `needed_tokens` is the least budget that holds it."""

    document_id: str
    filename: str
    number: int
    tokens: int
    needed_tokens: int


@dataclass(frozen=True, slots=True)
class Packed:
    """What is read for one budget, and better pages that such a budget can't hold."""

    budget_tokens: int
    slices: tuple[Slice, ...]
    too_large: tuple[TooLarge, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing can be ranked, and the ways out."""

    code: str
    detail: str
    fixes: tuple[Fix, ...]
    budget_tokens: int | None = None


def budgets(terms: Terms, *, asked: int | None = None) -> tuple[int, ...]:
    """Return the budgets that a model's plans are offered at, the largest first: or the one asked for."""
    if asked is not None:
        return (asked,)
    most = planner.max_input(terms)
    largest = min(terms.model.threshold_tokens or most, most)
    return (largest, *(budget for budget in BUDGETS if budget < largest))


def worth_it(everything: int, terms: Terms, *, asked: int | None = None) -> tuple[int, ...]:
    """Return the budgets that the input of all documents passes: where it fits, nothing is to be left out."""
    return tuple(budget for budget in budgets(terms, asked=asked) if budget < everything)


def room(budget: int, terms: Terms) -> int:
    """Return how many tokens of documents a budget leaves; at the threshold with the margin of a split."""
    threshold = terms.model.threshold_tokens
    at_threshold = threshold is not None and threshold - MARGIN_TOKENS < budget <= threshold
    margin = max(MARGIN_TOKENS, terms.counting.doubt)
    limit = threshold - margin if threshold is not None and at_threshold else budget
    around = packing.CALL_OVERHEAD + terms.counts.correction + terms.counts.instructions
    around += terms.counts.shown.tokens_max
    return limit - around - terms.counts.history - terms.counts.task


def refusal(everything: int, terms: Terms, *, asked: int | None = None) -> Refused | None:
    """Return why the documents can't be read in part, or need not be, before any page is looked at.

    Args:
        everything: input tokens of one call over all of them.
        terms: as for every plan.
        asked: the caller's budget.
    """
    most = planner.max_input(terms)
    if asked is not None and asked > most:
        detail = f"A budget of {asked:,} tokens passes {terms.model.id}'s limit of {most:,}. Lower it."
        lower = Fix("lower_budget", f"Ask with at most {most:,} tokens.", (("budget_tokens", most),))
        return Refused("over_window", detail, (lower,), asked)
    largest = budgets(terms, asked=asked)[0]
    if not worth_it(everything, terms, asked=asked):
        smallest = budgets(terms, asked=asked)[-1]
        detail = f"Everything fits into {smallest:,} tokens: nothing has to be left out."
        return Refused("not_needed", detail, (_use("whole"),), largest)
    return no_room(largest, terms) if room(largest, terms) <= 0 else None


def pack(ranked: Sequence[RankedPage], members: Sequence[Member], budget: int, terms: Terms) -> Packed:
    """Choose what is read for a budget, in the order of documents and pages.

    Args:
        ranked: the pages that match, best first.
        members: the documents that are asked, in order.
        budget: the most input tokens, all that is around the documents among them.
        terms: as for every plan.
    """
    known = {member.document_id: member for member in members}
    space = room(budget, terms)
    found = ranking.choose(ranked, known, room=space, whole=budget > ranking.WHOLE_FROM)
    return Packed(budget, slices_of(found, members), tuple(_too_large(ranked, known, found, budget, space)))


def _too_large(
    ranked: Sequence[RankedPage], members: Mapping[str, Member], found: Pack, budget: int, space: int
) -> Iterator[TooLarge]:
    """Pages that would be read if they were shorter: no other before them was left out for want of room."""
    chosen = {(page.document_id, page.number) for pages in found.pages.values() for page in pages}
    for page in ranked:
        member = members[page.document_id]
        tokens = page.most_tokens + member.wrapper_tokens
        if tokens > space:
            needed = tokens + budget - space + MARGIN_TOKENS
            yield TooLarge(page.document_id, member.filename, page.number, page.most_tokens, needed)
        elif page.document_id not in found.whole and (page.document_id, page.number) not in chosen:
            return


def slices_of(found: Pack, members: Sequence[Member]) -> tuple[Slice, ...]:
    """Return the slices of a pack."""
    return tuple(
        _slice(member, found.pages)
        for member in members
        if member.document_id in found.whole or member.document_id in found.pages
    )


def plan_ranked(packed: Packed, terms: Terms) -> Plan:
    """Price a pack; the input never passes its budget."""
    if not packed.slices:
        return plan_refused(nothing_fits(packed.budget_tokens, terms))
    plan = planner.plan_slices("ranked", packed.slices, terms)
    return replace(plan, budget_tokens=packed.budget_tokens)


def plan_refused(refused: Refused) -> Plan:
    """Return the plan that can't be asked, with the reason."""
    return Plan(
        "ranked",
        infeasible_code=refused.code,
        infeasible_because=refused.detail,
        budget_tokens=refused.budget_tokens,
        fixes=refused.fixes,
    )


def no_room(budget: int, terms: Terms) -> Refused:
    """Why a budget holds no documents at all."""
    told = "The question, the conversation" if terms.counts.history else "The question"
    said = f"{told} and the instructions alone pass the budget of {budget:,} tokens."
    shorter = Fix("shorten_question", "Ask fewer or shorter questions, or shorten system_prompt.")
    if budget >= planner.max_input(terms):
        return Refused("over_budget", f"{said} Shorten them.", (shorter,), budget)
    return Refused("over_budget", f"{said} Raise it.", (_raise(terms), shorter), budget)


def nothing_fits(budget: int, terms: Terms) -> Refused:
    """Why a budget holds nothing."""
    return Refused(
        "over_budget",
        f"No page that matches the question fits a budget of {budget:,} tokens. Raise it.",
        (_raise(terms), _use("split")),
        budget,
    )


def nothing_matches(budget: int) -> Refused:
    """Why nothing was found."""
    return Refused(
        "nothing_matches",
        "No page holds a word of the question, so none comes before another. Ask in the documents' own "
        "words or language, or ask all of them: whole or split.",
        (_use("split"), Fix("narrow", "Name the documents to ask in document_ids.")),
        budget,
    )


def index_building(budget: int) -> Refused:
    """Why nothing can be looked for yet."""
    return Refused(
        INDEX_BUILDING,
        "The pages are still being indexed for searching. Ask again in a moment.",
        (Fix("wait", "Wait until the pages are indexed, then plan again."), _use("split")),
        budget,
    )


def index_failed(budget: int, why: str) -> Refused:
    """Why nothing can be looked for until somebody looks after the disk."""
    return Refused(
        "index_failed",
        f"The pages can't be indexed for searching ({why}). See that the data folder can be written and has "
        "room, then ask again, or ask all documents: whole or split.",
        (Fix("mend_data_folder", "Free room in the data folder, or let it be written."), _use("split")),
        budget,
    )


def _use(strategy: str) -> Fix:
    return Fix("use_strategy", f"Ask with strategy {strategy}.", (("strategy", strategy),))


def _raise(terms: Terms) -> Fix:
    most = planner.max_input(terms)
    return Fix("raise_budget", f"Ask with more budget_tokens, at most {most:,}.", (("at_most", most),))


def _slice(member: Member, chosen: Mapping[str, Sequence[RankedPage]]) -> Slice:
    """Return a document's slice; with every page chosen that is packed, it is the whole document."""
    pages = chosen.get(member.document_id)
    if pages is None or len(pages) == member.packed_pages == member.pages:
        return whole_slice(member)
    runs = _runs([page.number for page in pages])
    named = ",".join(f"{first}-{last}" for first, last in runs)
    return Slice(
        document_id=member.document_id,
        ordinal=member.ordinal,
        filename=member.filename,
        first=runs[0][0],
        last=runs[-1][1],
        tokens=sum(page.tokens for page in pages) + member.wrapper_tokens,
        identity=f"{member.identity}:{named}",
        manner=member.manner,
        images=sum_of(page.images for page in pages),
        chosen=Chosen(
            runs, sum(page.without_text for page in pages), sum(page.repeated_tokens for page in pages)
        ),
    )


def _runs(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)
