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
    there, gone = _sources(ctx, planned)
    index, lost = Index(there), Index(gone)
    return [
        describe_citation(verify(claim, lost), source_gone=True)
        if lost.source(claim.document)
        else describe_citation(verify(claim, index))
        for claim in claims
    ]


def _sources(ctx: Context, planned: tuple[PlannedCall, ...]) -> tuple[list[Source], list[Source]]:
    """Return the documents that were asked and are there, and without pages those that are gone by now."""
    asked = {piece.document_id: piece for call in planned for piece in call.slices}
    there: list[Source] = []
    gone: list[Source] = []
    with ctx.db.read() as tx:
        for piece in asked.values():
            known = documents.get_any(tx, piece.document_id) is not None
            pages = documents.page_texts_of(tx, piece.document_id) if known else ()
            source = Source(
                document_id=piece.document_id,
                ordinal=piece.ordinal,
                filename=piece.filename,
                pages=[SourcePage(page.number, page.text, page.label) for page in pages],
            )
            (there if known else gone).append(source)
    return there, gone


def describe_citation(citation: Citation, *, source_gone: bool = False) -> dict[str, Any]:
    """Return a citation in the words of the REST contract.

    Where the source is gone, `missing` says that nobody can look any more, not that the quote is false.
    """
    return {
        **asdict(citation),
        "verdict": citation.verdict.value,
        "differences": [asdict(edit) for edit in citation.differences],
        "source_gone": source_gone,
    }
