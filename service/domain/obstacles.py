"""Why a plan is not feasible, in a sentence, each with at least one way out."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.catalog import Model
from service.domain.corpora import Member
from service.domain.vision import MAX_PICTURES
from service.errors import Fix


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in a plan's way.

    Attributes:
        code: `over_window` or `not_needed`.
    """

    because: str
    fixes: tuple[Fix, ...]
    code: str = "over_window"


FEWER_DOCUMENTS = Fix("leave_out", "Name fewer documents in document_ids.")


def not_needed() -> Obstacle:
    """A split of what one call holds."""
    return Obstacle(
        "Everything fits into one call at or below the threshold: nothing to split.",
        (Fix("use_strategy", "Ask in one call.", (("strategy", "whole"),)),),
        code="not_needed",
    )


def too_many_pictures(pages: int) -> Obstacle:
    """More pictures would be sent than one call may hold."""
    return Obstacle(
        f"{pages:,} pictures are more than the {MAX_PICTURES:,} that one call may hold. Send fewer pages as "
        "pictures (page_images), show fewer with the question, or leave documents out.",
        (
            Fix("send_fewer_page_images", "Send no pages as pictures.", (("page_images", "none"),)),
            FEWER_DOCUMENTS,
        ),
    )


def no_room(task_tokens: int) -> Obstacle:
    """The question, with what was said before it, takes what a call of a split may hold."""
    return Obstacle(
        f"The question and its instructions take {task_tokens:,} tokens, those of a conversation before it "
        "included: beside them a call at or below the threshold has no room for documents. Ask fewer or "
        "shorter questions.",
        (Fix("shorten_question", "Ask fewer or shorter questions, or shorten system_prompt."),),
    )


def page_too_large(member: Member, page: int, *, tokens: int, room: int) -> Obstacle:
    """One page alone passes what a call of a split may hold; no page is ever cut."""
    values = (
        ("document_id", member.document_id),
        ("document_ids", [member.document_id]),
        ("saves_tokens", member.most_tokens),
    )
    return Obstacle(
        f"Page {page} of {member.filename} alone holds {tokens:,} tokens, more than one call of a "
        f"split may: {room:,}.",
        (Fix("leave_out", f"Leave out {member.filename}.", values),),
    )


def findings_too_long(parts: int, model: Model, *, around: int, tags: int) -> Obstacle:
    """What so many parts may find does not fit the call that merges them.

    Args:
        parts: how many calls are merged.
        model: whose window it is.
        around: tokens of the merging call beside the findings.
        tags: of each part's findings.
    """
    shared = (model.context_window - around - parts * tags) // (parts + 1)
    most = min((model.max_input_tokens - around) // parts - tags, shared)
    text = f"Reserve at most {most:,} tokens of output a call."
    lower = Fix("lower_max_completion_tokens", text, (("max_completion_tokens", most),))
    return Obstacle(
        f"The findings of {parts} calls may not fit one merging call. "
        "Lower max_completion_tokens, or leave documents out.",
        (lower, FEWER_DOCUMENTS) if most >= 1 else (FEWER_DOCUMENTS,),
    )
