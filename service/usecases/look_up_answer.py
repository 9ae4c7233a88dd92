"""Look an answer up with what stands beside it: the tier that was billed, and where its marks are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from service.domain.answers import Answer, Ended, billed_tier
from service.domain.citations import find_claims
from service.domain.documents import Document
from service.store import answers
from service.usecases import ask_question, read_document
from service.usecases.context import Context


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation with its place in the answer's text.

    Attributes:
        start, end: of the mark, in characters.
        source: the document in which the quote was found, where there is one still.
    """

    start: int
    end: int
    citation: dict[str, Any]
    source: Document | None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """An answer, its marks in their order, and the tier its last call was billed at (None: not told)."""

    answer: Answer
    marks: tuple[Mark, ...]
    billed_tier: str | None


def look_up_answer(ctx: Context, tenant: str, answer_id: str) -> LookedUp:
    """Return an answer with its marks.

    Raises:
        NotFound: there is none.
    """
    with ctx.db.read() as tx:
        answer = ask_question.found_answer(tx, tenant, answer_id)
        tier = billed_tier(answers.calls_of(tx, answer_id))
    return LookedUp(answer, _marks(ctx, tenant, answer), tier)


async def look_up_ended(ctx: Context, tenant: str, answer_id: str, ended: Ended | None) -> LookedUp:
    """Return the same of an answer that has ended.

    Args:
        ctx: what it works in.
        tenant: whose answer it is.
        answer_id: the answer.
        ended: as its running told it, if that is known. Where it cites nothing, nothing is looked up.
    """
    if ended is None or ended.answer.citations:
        return await asyncio.to_thread(look_up_answer, ctx, tenant, answer_id)
    return LookedUp(ended.answer, (), ended.billed_tier)


def _marks(ctx: Context, tenant: str, answer: Answer) -> tuple[Mark, ...]:
    """Every citation is of one mark of the text, in the same order.

    None where nothing was checked, or where marks were found in another way when it was.
    """
    claims = find_claims(answer.text) if answer.citations else ()
    if [claim.marker for claim in claims] != [citation["marker"] for citation in answer.citations]:
        return ()
    found = [str((citation["found"] or {}).get("document_id", "")) for citation in answer.citations]
    sources = read_document.get_documents(ctx, tenant, [one for one in found if one])
    return tuple(
        Mark(claim.start, claim.end, citation, sources.get(document_id))
        for claim, citation, document_id in zip(claims, answer.citations, found, strict=True)
    )
