"""A plan in the words of the REST contract, and back to the calls that carry it out.

What is shown is what is stored with the plan and with every answer made from it: the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.domain import planner, repairs
from service.domain.catalog import Catalog
from service.domain.corpora import Member
from service.domain.documents import PageCount
from service.domain.kept import kept, once
from service.domain.manner import NO_IMAGES, Images, Manner, sum_of
from service.domain.planner import Plan, PlannedCall, Terms
from service.domain.pricing import Estimate, usd
from service.domain.shown_images import ShownImage
from service.domain.slices import Chosen, Slice
from service.domain.tasks import Together
from service.domain.vision import Detail
from service.domain.waste import LeftOut, Spare
from service.usecases import bind_terms, describe_parts, describe_ranked
from service.usecases.describe_parts import images_of
from service.usecases.describe_ranked import NO_HINTS, Hints
from service.usecases.forecast_cache import NOTHING_HELD, Forecast
from service.usecases.judge_doubt import doubt_warnings
from service.usecases.price_alternatives import alternatives, may_be_cut, one_by_one_usd, prices
from service.usecases.recall_conversation import Recalled, ways_out, will_cross, with_ways_out
from service.usecases.suggest_fixes import (
    names_of,
    saving,
    send_page_images,
    unknown_sizes,
    warning,
    waste_warning,
    ways_below,
)

FORECAST = ("expected_cached_tokens", "expected_output_tokens", "correction_tokens", "doubt_tokens")
"""Of each call; plans of earlier versions know none of them."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a corpus, and what is not; with a dictionary for what all plans tell of it.

    Attributes:
        members: the documents that are asked, in order, as they are packed.
        not_selected: members of the corpus that the caller did not select.
        left_out: documents that the caller had left out as waste.
        unreadable: files inside others that could not be read, each with the reason.
        blank_out: pages of the asked documents that are left out, by document.
        spare: waste that is asked, where there is enough to tell of.
        leaner: what the plans would cost without that, by strategy.
        priorities: how dear documents are to the caller, for what to leave out first.
        hints: what to know of ranked plans.
        could_be_shown: pages without text that could be sent as pictures and are not.
        image_detail: of those that are or could be.
    """

    members: Sequence[Member]
    not_selected: Sequence[Member]
    left_out: Sequence[LeftOut] = ()
    unreadable: Sequence[tuple[Member, str]] = ()
    blank_out: Mapping[str, Sequence[PageCount]] = field(default_factory=dict)
    spare: Spare | None = None
    leaner: Mapping[str, Estimate | None] = field(default_factory=dict)
    priorities: Mapping[str, int] = field(default_factory=dict)
    could_be_shown: Images = NO_IMAGES
    image_detail: Detail = "high"
    hints: Hints = NO_HINTS

    @kept
    def corpus(self) -> list[Member]:
        """All members of the corpus, whether they are asked or not."""
        return [*self.members, *self.not_selected, *(one.member for one in self.left_out)]

    @kept
    def full_tokens(self) -> int:
        """Of the whole corpus."""
        return sum([member.full_tokens for member in self.corpus])

    @kept
    def pages(self) -> int:
        """Of the whole corpus."""
        return sum([member.pages for member in self.corpus])

    @kept
    def unseen(self) -> int:
        """Pages of what is asked with neither text nor picture."""
        shown = sum([member.images.without_text for member in self.members])
        return without_text(self.members, self.blank_out) - shown


@dataclass(frozen=True)
class Frame:
    """What surrounds the plans of one preview; with a dictionary for what several of them tell.

    Attributes:
        questions: how often the like will be asked.
        together: the questions of a list; None where it is one.
        engine: who answers, where that can't be asked for a service tier.
        without_batches: the same, where it has no batches.
        recalled: the conversation that the question is a turn of.
        shown: the pictures beside the question.
    """

    terms: Terms
    catalog: Catalog
    asked: Asked
    questions: int
    created_at: datetime
    expires_at: datetime
    together: Together | None = None
    engine: str | None = None
    without_batches: str | None = None
    forecast: Mapping[tuple[str, int | None], Forecast] = field(default_factory=dict)
    recalled: Recalled | None = None
    shown: tuple[ShownImage, ...] = ()


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
        "questions": len(frame.together.tokens) if frame.together else 1,
        "budget_tokens": plan.budget_tokens,
        "conversation_id": frame.recalled and frame.recalled.conversation.id,
        "conversation": frame.recalled and frame.recalled.described(),
        "calls": [_call(call) for call in plan.all_calls],
        "repair": _repair(plan, terms),
        "input_tokens": plan.input_tokens,
        "images": _all_images(plan, frame),
        "question_images": [one.described() for one in frame.shown],
        "reserved_output_tokens": sum(
            call.reserved_output_tokens for call in plan.all_calls if not call.kept
        ),
        "cost": _cost(plan, frame),
        "alternatives": alternatives(
            plan,
            terms,
            _asked(frame),
            without_tiers=frame.engine,
            without_batches=frame.without_batches,
        ),
        "threshold": _threshold(plan, terms),
        "window": window_of(plan.largest_call, planner.max_input(terms), terms.guard_tokens),
        "coverage": _coverage(plan, frame),
        "cache": {**frame.forecast.get(plan.key, NOTHING_HELD).as_dict(), "reusable": plan.reusable},
        "warnings": _warnings(plan, frame),
        "counting": bind_terms.described(terms),
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
                    manner=_manner(part),
                    images=Images(**part.get("images", {})),
                    chosen=_chosen(part),
                )
                for part in call["documents"]
            ),
            shown=Images(**call.get("shown", {})),
            input_tokens=call["max_input_tokens"],
            expected_input_tokens=call.get("expected_input_tokens", call["input_tokens"]),
            prefix_tokens=call["prefix_tokens"],
            prefix_sha256=call["prefix_sha256"],
            band=call["price_band"],
            reserved_output_tokens=call["reserved_output_tokens"],
            **{name: call.get(name, 0) for name in FORECAST},
            kept=call.get("kept", False),
        )
        for call in description["calls"]
    )


def _chosen(part: dict[str, Any]) -> Chosen | None:
    """The pages that are read, where not all between the first and the last are."""
    runs = part.get("page_runs")
    return Chosen(tuple((first, last) for first, last in runs)) if runs else None


def _manner(part: dict[str, Any]) -> Manner:
    """How a described document's pages are packed; plans of earlier versions pack all of them."""
    shown = Manner(images=part.get("page_images", "none"), detail=part.get("image_detail", "high"))
    return shown.leaving_out(part.get("leave_out", ()))


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
        "kept": call.kept,
        "input_tokens": call.told_input_tokens,
        "expected_input_tokens": call.expected_input_tokens,
        "max_input_tokens": call.input_tokens,
        "prefix_tokens": call.prefix_tokens,
        "price_band": call.band,
        "prefix_sha256": call.prefix_sha256,
        "reserved_output_tokens": call.reserved_output_tokens,
        **{name: getattr(call, name) for name in FORECAST},
        "shown": images_of(call.shown),
        "document_ids": describe_parts.ids(call.slices),
        "documents": describe_parts.documents(call.slices),
    }


def _repair(plan: Plan, terms: Terms) -> dict[str, Any] | None:
    """What a plan says of its repair; None where none was asked for."""
    if plan.repair is None and plan.repair_left_out is None:
        return None
    top = repairs.ceiling(plan.repair, terms) if plan.repair else None
    return {
        "planned": plan.repair is not None,
        "because": plan.repair_left_out,
        "max_usd": None if top is None else usd(top),
    }


def _all_images(plan: Plan, frame: Frame) -> dict[str, Any]:
    """Pictures of all calls: the pages, and what all that are sent may count, the question's own too."""
    pages = sum(call.images.pages for call in plan.calls)
    every = sum_of(call.pictures for call in plan.calls)
    return {**images_of(every), "pages": pages, "detail": frame.asked.image_detail}


def _cost(plan: Plan, frame: Frame) -> dict[str, Any] | None:
    """Every figure exact; None as a whole where the price is unknown: it is said, never guessed."""
    if plan.estimate is None:
        return None
    to_pay = [call for call in plan.calls if not call.kept]
    return {
        **prices(plan.estimate, _asked(frame), reusable=plan.reusable),
        "per_document": describe_parts.per_document(to_pay, frame.terms),
        "one_by_one_usd": one_by_one_usd(plan, frame.together),
    }


def _asked(frame: Frame) -> list[int]:
    """For how many questions prices are named."""
    return sorted({1, 2, 10, max(frame.questions, 1)})


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
    asked = frame.asked
    ranked = plan.strategy == "ranked" and plan.feasible
    read = {part.document_id: part.chosen is None for call in plan.calls for part in call.slices}
    if len(read) == len(asked.members) and all(read.values()):
        return once(frame, _all_covered)
    inside = [member for member in asked.members if read.get(member.document_id)]
    unread = [member for member in asked.members if member.document_id not in read]
    why = describe_ranked.LOWER if ranked else plan.infeasible_code or "plan_not_feasible"
    told = _covered(frame, inside, unread, why)
    if not ranked:
        return told
    return describe_ranked.coverage(
        told, plan, asked.members, blank_out=asked.blank_out, tokens=asked.full_tokens
    )


def _all_covered(frame: Frame) -> dict[str, Any]:
    return _covered(frame, frame.asked.members, [], "")


def _covered(frame: Frame, inside: Sequence[Member], unread: Sequence[Member], why: str) -> dict[str, Any]:
    """What is told of documents that are read whole, and of others that are not."""
    asked, tokens = frame.asked, frame.asked.full_tokens
    return {
        "documents_in": describe_parts.ids(inside),
        "documents_out": [
            *describe_parts.out(asked.not_selected, "not_selected"),
            *(_wasted(one) for one in asked.left_out),
            *describe_parts.out(unread, why),
            *(
                {"document_id": member.document_id, "pages": 0, "reason": reason}
                for member, reason in asked.unreadable
            ),
        ],
        "pages_in": sum([member.packed_pages for member in inside]),
        "pages_total": asked.pages,
        "pages_out": [
            {"document_id": member.document_id, "pages": [page.number for page in pages], "reason": "blank"}
            for member in (inside if asked.blank_out else ())
            if (pages := asked.blank_out.get(member.document_id))
        ],
        "repeated_out": [
            {"document_id": member.document_id, "tokens": member.repeated_tokens}
            for member in inside
            if member.repeated_tokens and not member.manner.repeated
        ],
        "tokens_share": round(sum([member.tokens for member in inside]) / tokens, 6) if tokens else 0.0,
        "pages_without_text": without_text(inside, asked.blank_out),
        "pages_as_images": sum([member.images.pages for member in inside]),
        "history_out": frame.recalled.out if frame.recalled else [],
    }


def without_text(members: Sequence[Member], blank_out: Mapping[str, Sequence[PageCount]]) -> int:
    """Return the pages without text among those of these documents that are packed."""
    left_out = (page for member in members if blank_out for page in blank_out.get(member.document_id, ()))
    counted = sum([member.pages_without_text for member in members])
    return counted - sum("no_text" in page.flags for page in left_out)


def _wasted(one: LeftOut) -> dict[str, Any]:
    return {
        **describe_parts.left_out(one.member, one.reason),
        "leave_out": one.switch,
        "of": one.of.document_id if one.of else None,
        "similarity": None if one.similarity is None else round(one.similarity, 2),
    }


def _warnings(plan: Plan, frame: Frame) -> list[dict[str, Any]]:
    terms = frame.terms
    found: list[dict[str, Any]] = []
    if plan.feasible and plan.estimate is None:
        found.append(warning("price_unknown", f"No price is published for {terms.model.id} at {terms.tier}."))
    if plan.strategy == "ranked":
        found.extend(describe_ranked.warnings(plan, terms, frame.asked.members, frame.asked.hints))
    else:
        found.extend(_near_or_over(plan, frame))
    found = _of_history(plan, frame, found)
    if frame.together and frame.together.may_be_cut and plan.feasible:
        said, ways = may_be_cut(frame.together)
        found.append(warning("answer_may_be_cut", said, ways))
    found.extend(doubt_warnings(plan, frame.asked.members, frame.terms, frame.asked.priorities))
    found.extend(_unseen(frame))
    found.extend(unknown_sizes(frame.shown))
    if frame.asked.spare is not None and plan.reusable:
        then = frame.asked.leaner.get(plan.strategy)
        saves, _ = saving(plan.estimate, then)
        found.append(waste_warning(frame.asked.spare, saves))
    if frame.asked.unreadable:
        said = _unreadable([member for member, _ in frame.asked.unreadable])
        found.append(warning("files_unreadable", said))
    if terms.model.encoding_assumed:
        said = f"The tokenizer of {terms.model.id} is assumed: counts may be off."
        found.append(warning("encoding_assumed", said))
    return found


def _of_history(plan: Plan, frame: Frame, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what the conversation has to do with a limit that is passed now, or by its next turn."""
    at = frame.terms.model.threshold_tokens or 0
    limit = planner.max_input(frame.terms) if plan.infeasible_code == "over_window" else at
    if plan.strategy != "ranked":
        # A split that can't be planned has no tokens to tell: what is before its documents is too long.
        tokens = plan.largest_call or limit + 1
        found = with_ways_out(found, ways_out(frame.recalled, tokens, frame.terms, limit=limit))
    if crossing := will_cross(plan, frame.terms, frame.recalled):
        said, over = crossing
        ways = ways_below(frame.asked.members, over, frame.terms, frame.asked.priorities)
        crosses = warning("conversation_will_cross", said, ways)
        more = ways_out(frame.recalled, at + over, frame.terms, limit=at)
        found.extend(with_ways_out([crosses], more))
    return found


def _unreadable(members: Sequence[Member]) -> str:
    one = len(members) == 1
    files = "1 file inside another" if one else f"{len(members):,} files inside others"
    return f"{files} could not be read and {'is' if one else 'are'} left out: {names_of(members)}."


def _unseen(frame: Frame) -> list[dict[str, Any]]:
    """What the answer will not see: pages with neither text nor picture."""
    asked, unseen = frame.asked, frame.asked.unseen
    if not unseen:
        return []
    pages = "1 page holds" if unseen == 1 else f"{unseen:,} pages hold"
    there = "it" if unseen == 1 else "them"
    said = f"{pages} no text that could be read: the answer will not see what is on {there}."
    shown = asked.could_be_shown
    fix = send_page_images(asked.members, shown, asked.image_detail, frame.terms)
    return [warning("pages_without_text", said, [fix] if shown.pages else ())]


def _near_or_over(plan: Plan, frame: Frame) -> list[dict[str, Any]]:
    terms, at = frame.terms, frame.terms.model.threshold_tokens
    if not plan.feasible and plan.fixes:
        return [warning(plan.infeasible_code or "", plan.infeasible_because or "", plan.fixes)]
    if plan.infeasible_code == "over_window" and plan.strategy != "split":
        fixes = ways_below(
            frame.asked.members,
            plan.input_tokens - planner.max_input(terms),
            terms,
            frame.asked.priorities,
        )
        return [warning("over_window", plan.infeasible_because or "", fixes)]
    if at is None or not plan.feasible:
        return []
    status, over = planner.status_of(plan.largest_call, at, terms.guard_tokens), plan.largest_call - at
    if status == "over":
        fixes = ways_below(frame.asked.members, over, terms, frame.asked.priorities)
        return [warning("over_threshold", _over_threshold(plan, at), fixes)]
    if status == "near" and plan.strategy != "split":
        return [warning("near_threshold", f"{-over:,} tokens below the threshold of {at:,}.")]
    return []


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
