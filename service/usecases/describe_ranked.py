"""What a plan that reads a part of the documents says of what it leaves out, and the ways out of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domain import planner, pricing
from service.domain.corpora import Member
from service.domain.documents import PageCount
from service.domain.planner import Plan, Terms
from service.domain.ranked import MUCH_LEFT_OUT, TooLarge
from service.domain.slices import Chosen
from service.errors import Fix
from service.usecases.suggest_fixes import names_of, warning

SMALLEST_SHARE = 0.01
"""Less of the tokens is told as less than that."""

LOWER = "ranked_lower"
"""Why a page is not read: others match the question better."""


WHILE_RANKING = frozenset({"question_names_nothing", "pages_too_large"})
"""Warnings of what was seen while ranking."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What was seen while ranking.

    Attributes:
        closest: where a question names no document, those of the best pages.
        too_large: by budget, pages that match and that no such budget holds.
        several: whether questions are asked together.
    """

    closest: Sequence[Member] = ()
    too_large: Mapping[int, Sequence[TooLarge]] = field(default_factory=dict)
    several: bool = False


NO_HINTS = Hints()


def coverage(
    told: dict[str, Any],
    plan: Plan,
    members: Sequence[Member],
    *,
    blank_out: Mapping[str, Sequence[PageCount]],
    tokens: int,
) -> dict[str, Any]:
    """Return what is told of a ranked plan's documents, page by page where it reads chosen pages of them.

    Args:
        told: the same, with the documents that are read in part neither in nor out.
        plan: feasible.
        members: the documents that are asked.
        blank_out: pages of them that are left out as blank.
        tokens: of the whole corpus.
    """
    (call,) = plan.calls
    chosen = {piece.document_id: piece.chosen for piece in call.slices if piece.chosen is not None}
    cut = [(one, held) for one in members if (held := chosen.get(one.document_id)) is not None]
    read = {piece.document_id for piece in call.slices}
    blank = {one.document_id: {page.number for page in blank_out.get(one.document_id, ())} for one, _ in cut}
    return {
        **told,
        "documents_in": [one.document_id for one in members if one.document_id in read],
        "pages_in": told["pages_in"] + sum(len(held.numbers) for _, held in cut),
        "pages_out": [
            *told["pages_out"],
            *(_pages(name, sorted(numbers), "blank") for name, numbers in blank.items() if numbers),
            *(_pages(one.document_id, _rest(one, held, blank[one.document_id]), LOWER) for one, held in cut),
        ],
        "repeated_out": [
            *told["repeated_out"],
            *(
                {"document_id": one.document_id, "tokens": held.repeated_tokens}
                for one, held in cut
                if held.repeated_tokens
            ),
        ],
        "tokens_share": round(sum(piece.tokens for piece in call.slices) / tokens, 6) if tokens else 0.0,
        "pages_without_text": told["pages_without_text"] + sum(held.without_text for _, held in cut),
        "pages_as_images": call.images.pages,
    }


def _rest(member: Member, held: Chosen, blank: set[int]) -> list[int]:
    """The pages that could be read and are not."""
    read = {*held.numbers, *blank}
    return [number for number in range(1, member.pages + 1) if number not in read]


def _pages(document_id: str, numbers: list[int], reason: str) -> dict[str, Any]:
    return {"document_id": document_id, "pages": numbers, "reason": reason}


def warnings(plan: Plan, terms: Terms, members: Sequence[Member], hints: Hints) -> list[dict[str, Any]]:
    """Return what to know of a ranked plan before it is asked."""
    if not plan.feasible:
        return [warning(plan.infeasible_code or "", plan.infeasible_because or "", plan.fixes)]
    found = [_over(plan, terms)] if plan.crosses_threshold else []
    too_large = hints.too_large.get(plan.budget_tokens or 0, ())
    if too_large:
        found.append(_too_large(too_large, terms))
    closest = hints.closest
    share = plan.input_tokens / planner.whole_input(members, terms.counts) if closest else 1.0
    if share < MUCH_LEFT_OUT:
        who = "One of the questions" if hints.several else "The question"
        part = f"{share:.0%}" if share >= SMALLEST_SHARE else f"less than {SMALLEST_SHARE:.0%}"
        said = (
            f"{who} names no document, and {part} of the tokens are read: the right pages may "
            "not be among them. Name the documents to ask in document_ids."
        )
        ids = [member.document_id for member in closest]
        fix = Fix("narrow", f"Ask {names_of(closest)}.", (("document_ids", ids),))
        found.append(warning("question_names_nothing", said, [fix]))
    return found


def _too_large(pages: Sequence[TooLarge], terms: Terms) -> dict[str, Any]:
    first, more = pages[0], len(pages) - 1
    others = f", and so {'do' if more > 1 else 'does'} {more:,} more" if more else ""
    said = (
        f"Page {first.number} of {first.filename} matches, but holds {first.tokens:,} tokens and alone "
        f"passes the budget{others}: what is read matches less. No page is ever cut."
    )
    needed = max(page.needed_tokens for page in pages)
    if needed <= planner.max_input(terms):
        fix = Fix("raise_budget", f"Ask with budget_tokens {needed}.", (("budget_tokens", needed),))
    else:
        fix = Fix("narrow", "Ask for other documents in document_ids, or cut the file into pages.")
    return warning("pages_too_large", said, [fix])


def _over(plan: Plan, terms: Terms) -> dict[str, Any]:
    at = terms.model.threshold_tokens or 0
    extra = f", ${pricing.usd(plan.threshold_extra_usd)} more" if plan.threshold_extra_usd else ""
    said = (
        f"{plan.largest_call:,} input tokens pass the threshold of {at:,}: every token of the call is billed "
        f"at the long-context rate{extra}."
    )
    fix = Fix("lower_budget", f"Ask with budget_tokens {at}.", (("budget_tokens", at),))
    return warning("over_threshold", said, [fix])
