"""The repair round: one further call that asks for better quotes where an answer's do not stand.

It reads the same pack, which the answer's own call has just left in the provider's cache. Its price is in the
plan's ceiling and nowhere else: most answers need none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from service.domain import packing, pricing, prompts
from service.domain.citations import Claim, find_claims
from service.domain.planner import Plan, PlannedCall, Terms, max_input
from service.domain.statements import Said, is_replaceable

SHOWN_TOKENS = 4_000
"""So much of an answer is shown again at most, and never more than was reserved for it."""

OUTPUT_TOKENS = 4_000
"""Reserved for the corrected lines, reasoning included, where the answer's own reserve is not smaller."""

USUAL_SHOWN, USUAL_OUTPUT = 200, 600
"""A usual repair: three statements shown, as many lines written; a guess."""

FAILED = frozenset({"altered", "missing"})
"""Verdicts that ask for a repair; `close` is true, and `elsewhere` says itself where the quote stands."""

_LINE = re.compile(r"^[ \t]*(?:[-*][ \t]+)?\**(\d{1,4})[.):]\**[ \t]+(\S.*)$", re.MULTILINE)
_WITHDRAWN = re.compile(r"\W*withdrawn\b", re.IGNORECASE)


_LONGEST_SOURCE = 400
"""Characters of what the source says, beside a quote that was altered."""

_SEVERAL_PACKS = "The findings of a split come from several packs: its quotes are checked, and not repaired."


@dataclass(frozen=True, slots=True)
class Correction:
    """What the model says of one failed statement: another quote with its mark, or None: it withdraws."""

    claim: Claim | None


def with_repair(plan: Plan, terms: Terms) -> Plan:
    """Return the plan with a repair call in its ceiling, or with the reason why it has none."""
    if not plan.feasible:
        return replace(plan, repair_left_out="The plan is not feasible.")
    if len(plan.calls) > 1:
        return replace(plan, repair_left_out=_SEVERAL_PACKS)
    call = _call(plan.calls[0], terms)
    why = _obstacle(plan.calls[0], call, terms)
    if why is not None:
        return replace(plan, repair_left_out=why)
    return replace(plan, repair=call, estimate=priced(plan.estimate, call, terms))


def priced(
    estimate: pricing.Estimate | None, call: PlannedCall | None, terms: Terms
) -> pricing.Estimate | None:
    """Return an estimate whose ceiling holds the repair too: it is not needed at best, and mostly.

    None where either has no price: then there is no ceiling.
    """
    if estimate is None or call is None or call.kept:
        return estimate
    top = ceiling(call, terms)
    return None if top is None else replace(estimate, max_usd=estimate.max_usd + top)


def ceiling(call: PlannedCall, terms: Terms) -> Decimal | None:
    """Return the most that a repair can cost; None where its rates are unknown."""
    return pricing.ceiling(
        terms.model,
        tier=terms.tier,
        on=terms.on,
        input_tokens=call.ceiling_input_tokens,
        output_tokens=call.reserved_output_tokens,
    )


def failed(said: Said, citations: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return which statements failed and can be put differently, by their places; not of sources gone."""
    return [
        place
        for place, citation in enumerate(citations)
        if citation["verdict"] in FAILED and not citation["source_gone"] and is_replaceable(said, place)
    ]


def task(shown: Sequence[str]) -> str:
    """Return the call's last message: what is asked, and the failed statements, numbered from 1."""
    lines = "".join(f"{number}. {packing.defuse(text)}\n" for number, text in enumerate(shown, 1))
    return f"{prompts.REPAIRING}{lines}</task>\n"


def excerpt(said: Said, place: int, citation: Mapping[str, Any]) -> str:
    """Return a failed statement as it is shown again, with what its source says instead."""
    text = said.statements[place].excerpt
    found = citation["found"]
    if not found:
        return text
    source = " ".join(str(found["text"]).split())[:_LONGEST_SOURCE]
    return f"{text} (page {found['page']} says: {source})"


def corrections(reply: str) -> dict[int, Correction]:
    """Return what a reply says of each number: only clean lines, one quote with one mark, or a withdrawal."""
    found: dict[int, Correction] = {}
    for line in _LINE.finditer(reply):
        number, said = int(line[1]), line[2]
        claims = find_claims(said)
        if not claims and _WITHDRAWN.match(said):
            found.setdefault(number, Correction(None))
        elif len(claims) == 1 and claims[0].quote:
            found.setdefault(number, Correction(claims[0]))
    return found


def _call(answer: PlannedCall, terms: Terms) -> PlannedCall:
    """The repair of a call: its input without its own task, the repair's task, and what is shown again."""
    shown = min(terms.reserved_output_tokens, SHOWN_TOKENS)
    reserved = min(terms.reserved_output_tokens, OUTPUT_TOKENS)
    around = terms.counts.repair_task - terms.counts.task
    pictures = terms.counts.images  # the question's own: a repair shows statements instead
    tokens = answer.input_tokens + around + shown - pictures.tokens_max
    return replace(
        answer,
        kind="repair",
        input_tokens=tokens,
        expected_input_tokens=answer.expected_input_tokens
        + around
        + min(shown, USUAL_SHOWN)
        - pictures.tokens_min,
        shown=terms.counts.history_images,
        band=pricing.band_of(tokens, terms.model),
        reserved_output_tokens=reserved,
        expected_cached_tokens=pricing.cacheable(
            answer.prefix_tokens, at_breakpoint=terms.model.caches_at_breakpoints
        ),
        expected_output_tokens=min(reserved, USUAL_OUTPUT),
    )


def _obstacle(answer: PlannedCall, repair: PlannedCall, terms: Terms) -> str | None:
    """Why a repair would cost more than a question like this, or could not be sent."""
    at = terms.model.threshold_tokens
    most = repair.ceiling_input_tokens + terms.counting.doubt
    if at is not None and answer.band == "short" and most > at:
        return (
            f"A repair could take {most:,} input tokens, past the threshold of {at:,}: all of it would be "
            "billed at the long-context rate."
        )
    if repair.input_tokens > max_input(terms):
        return f"A repair could take {repair.input_tokens:,} input tokens, which do not fit the window."
    if terms.limits.passed_by(repair.input_tokens, repair.band):
        return "A repair could pass the provider's limit of tokens per minute."
    return None
