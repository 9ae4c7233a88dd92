"""Hold every quote of an answer against the stored text of what was read."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from service.domain.citations import Citation, Index, Source, SourcePage, find_claims, verify
from service.domain.planner import PlannedCall
from service.store import documents
from service.usecases.context import Context


async def check_citations(ctx: Context, planned: tuple[PlannedCall, ...], text: str) -> list[dict[str, Any]]:
    """Return the answer's citations with their verdicts, JSON-ready, in the order of its marks."""
    return await asyncio.to_thread(_check, ctx, planned, text)


def _check(ctx: Context, planned: tuple[PlannedCall, ...], text: str) -> list[dict[str, Any]]:
    claims = find_claims(text)
    if not claims:
        return []
    index = Index(_sources(ctx, planned))
    return [describe_citation(verify(claim, index)) for claim in claims]


def _sources(ctx: Context, planned: tuple[PlannedCall, ...]) -> list[Source]:
    asked = {piece.document_id: piece for call in planned for piece in call.slices}
    with ctx.db.read() as tx:
        return [
            Source(
                document_id=piece.document_id,
                ordinal=piece.ordinal,
                filename=piece.filename,
                pages=[
                    SourcePage(page.number, page.text, page.label)
                    for page in documents.page_texts_of(tx, piece.document_id)
                ],
            )
            for piece in asked.values()
        ]


def describe_citation(citation: Citation) -> dict[str, Any]:
    """Return a citation in the words of the REST contract."""
    return {**asdict(citation), "verdict": citation.verdict.value, "source_gone": False}
