"""A plan in the words of the REST contract, and back to the calls that carry it out.

What is shown is what is stored with the plan and with every answer made from it: the receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from service.domain import planner, pricing
from service.domain.catalog import Catalog
from service.domain.corpora import Member
from service.domain.planner import Plan, PlannedCall, Slice, Terms
from service.domain.pricing import usd

MAX_NAMES = 10


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the plans of one preview.

    Attributes:
        members: the documents that are asked, in order.
        left_out: members of the corpus that the caller did not select.
        unreadable: files inside others that could not be read, each with the reason.
    """

    terms: Terms
    catalog: Catalog
    members: Sequence[Member]
    left_out: Sequence[Member]
    questions: int
    created_at: datetime
    expires_at: datetime
    warm_until: datetime | None
    unreadable: Sequence[tuple[Member, str]] = ()


def describe(plan_id: str, plan: Plan, frame: Frame) -> dict[str, Any]:
    """Return the plan as JSON."""
    terms = frame.terms
    return {
        "id": plan_id,
        "strategy": plan.strategy,
        "feasible": plan.feasible,
        "infeasible_because": plan.infeasible_because,
        "infeasible_code": plan.infeasible_code,
        "model": terms.model.id,
        "service_tier": terms.tier,
        "calls": [_call(call) for call in plan.calls],
        "input_tokens": plan.input_tokens,
        "reserved_output_tokens": sum(call.reserved_output_tokens for call in plan.calls),
        "cost": _cost(plan, frame),
        "threshold": _threshold(plan, terms),
        "window": window_of(plan.largest_call, planner.max_input(terms), terms.guard_tokens),
        "coverage": _coverage(plan, frame),
        "cache": {
            "expected_cached_tokens": plan.expected_cached_tokens,
            "warm_until": frame.warm_until.isoformat() if frame.warm_until else None,
        },
        "warnings": [{"code": code, "detail": detail} for code, detail in _warnings(plan, frame)],
        "price_catalog": {
            "version": frame.catalog.version,
            "sha256": frame.catalog.sha256,
            "as_of": frame.catalog.as_of.isoformat(),
        },
        "expires_at": frame.expires_at.isoformat(),
        "created_at": frame.created_at.isoformat(),
    }


def calls_of(description: dict[str, Any]) -> tuple[PlannedCall, ...]:
    """Return the calls that a described plan consists of."""
    return tuple(
        PlannedCall(
            kind=call["kind"],
            slices=tuple(
                Slice(
                    document_id=part["document_id"],
                    ordinal=part["ordinal"],
                    filename=part["filename"],
                    first=part["first_page"],
                    last=part["last_page"],
                    tokens=part["tokens"],
                    identity=part["identity"],
                )
                for part in call["documents"]
            ),
            input_tokens=call["max_input_tokens"],
            expected_input_tokens=call["input_tokens"],
            prefix_tokens=call["prefix_tokens"],
            prefix_sha256=call["prefix_sha256"],
            band=call["price_band"],
            reserved_output_tokens=call["reserved_output_tokens"],
        )
        for call in description["calls"]
    )


def window_of(tokens: int, limit: int, guard: int) -> dict[str, Any]:
    """Return the gauge of the window."""
    return {
        "max_input": limit,
        "remaining": limit - tokens,
        "status": planner.status_of(tokens, limit, guard),
    }


def _call(call: PlannedCall) -> dict[str, Any]:
    return {
        "kind": call.kind,
        "input_tokens": call.expected_input_tokens,
        "max_input_tokens": call.input_tokens,
        "prefix_tokens": call.prefix_tokens,
        "price_band": call.band,
        "prefix_sha256": call.prefix_sha256,
        "reserved_output_tokens": call.reserved_output_tokens,
        "document_ids": list(dict.fromkeys(part.document_id for part in call.slices)),
        "documents": [
            {
                "document_id": part.document_id,
                "ordinal": part.ordinal,
                "filename": part.filename,
                "first_page": part.first,
                "last_page": part.last,
                "tokens": part.tokens,
                "identity": part.identity,
            }
            for part in call.slices
        ],
    }


def _cost(plan: Plan, frame: Frame) -> dict[str, Any] | None:
    """Every figure exact; None as a whole where the price is unknown: it is said, never guessed."""
    if plan.estimate is None:
        return None
    asked = sorted({1, 2, 10, max(frame.questions, 1)})
    return {
        "min_usd": usd(plan.estimate.min_usd),
        "expected_usd": usd(plan.estimate.expected_usd),
        "max_usd": usd(plan.estimate.max_usd),
        "cold_usd": usd(plan.estimate.cold_usd),
        "warm_usd": usd(plan.estimate.warm_usd),
        "per_document": _per_document(plan, frame.terms),
        "for_questions": [{"n": n, "usd": usd(plan.estimate.for_questions(n))} for n in asked],
    }


def _per_document(plan: Plan, terms: Terms) -> list[dict[str, Any]]:
    shares: dict[str, Decimal] = {}
    for call in plan.calls:
        rates = terms.model.rates(terms.tier, call.band, terms.on)
        for part in call.slices if rates else ():
            share = pricing.input_usd(part.tokens, rates) if rates else Decimal(0)
            shares[part.document_id] = shares.get(part.document_id, Decimal(0)) + share
    return [{"document_id": document_id, "usd": usd(share)} for document_id, share in shares.items()]


def _threshold(plan: Plan, terms: Terms) -> dict[str, Any]:
    at = terms.model.threshold_tokens
    if at is None:
        return {"at": None, "status": "below", "tokens_over": 0, "extra_usd": "0.00"}
    extra = plan.threshold_extra_usd
    return {
        "at": at,
        "status": planner.status_of(plan.largest_call, at, terms.guard_tokens),
        "tokens_over": max(0, plan.largest_call - at),
        "extra_usd": None if extra is None else usd(extra),
    }


def _coverage(plan: Plan, frame: Frame) -> dict[str, Any]:
    members = [*frame.members, *frame.left_out]
    read = {part.document_id for call in plan.calls for part in call.slices}
    out = [*frame.left_out, *(m for m in frame.members if m.document_id not in read)]
    tokens = sum(member.tokens for member in members)
    tokens_in = sum(member.tokens for member in members if member.document_id in read)
    return {
        "documents_in": [m.document_id for m in frame.members if m.document_id in read],
        "documents_out": [
            {
                "document_id": member.document_id,
                "pages": member.pages,
                "reason": "not_selected" if member in frame.left_out else "plan_not_feasible",
            }
            for member in out
        ]
        + [
            {"document_id": member.document_id, "pages": 0, "reason": reason}
            for member, reason in frame.unreadable
        ],
        "pages_in": sum(m.pages for m in members if m.document_id in read),
        "pages_total": sum(m.pages for m in members),
        "tokens_share": round(tokens_in / tokens, 6) if tokens else 0.0,
        "pages_without_text": sum(m.pages_without_text for m in members if m.document_id in read),
    }


def _warnings(plan: Plan, frame: Frame) -> list[tuple[str, str]]:
    terms = frame.terms
    at = terms.model.threshold_tokens
    found: list[tuple[str, str]] = []
    if plan.feasible and plan.estimate is None:
        found.append(("price_unknown", f"No price is published for {terms.model.id} at {terms.tier}."))
    if at is not None and plan.feasible:
        status = planner.status_of(plan.largest_call, at, terms.guard_tokens)
        if status == "over":
            found.append(("over_threshold", _over_threshold(plan, at)))
        elif status == "near" and plan.strategy != "split":
            found.append(
                ("near_threshold", f"{at - plan.largest_call:,} tokens below the threshold of {at:,}.")
            )
    blank = sum(member.pages_without_text for member in frame.members)
    if blank:
        found.append(
            (
                "pages_without_text",
                f"{blank} pages hold no text that could be read; the answer will not see them.",
            )
        )
    if frame.unreadable:
        found.append(("files_unreadable", _unreadable([member for member, _ in frame.unreadable])))
    if terms.model.encoding_assumed:
        found.append(
            ("encoding_assumed", f"The tokenizer of {terms.model.id} is assumed: counts may be off.")
        )
    return found


def _unreadable(members: Sequence[Member]) -> str:
    shown = ", ".join(member.filename for member in members[:MAX_NAMES])
    more = f" and {len(members) - MAX_NAMES:,} more" if len(members) > MAX_NAMES else ""
    return f"{len(members):,} files inside others could not be read and are left out: {shown}{more}."


def _over_threshold(plan: Plan, at: int) -> str:
    extra = (
        f", ${usd(plan.threshold_extra_usd)} more than the same tokens at short rates"
        if plan.threshold_extra_usd
        else ""
    )
    return (
        f"{plan.largest_call:,} input tokens pass the threshold of {at:,}: every token of the call is billed "
        f"at the long-context rate{extra}."
    )
