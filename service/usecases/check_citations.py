"""Hold every quote of an answer against the stored text of what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from service.domain import statements
from service.domain.citations import Citation, Claim, Index, Source, SourcePage, verify
from service.domain.planner import PlannedCall
from service.store import documents
from service.usecases.context import Context


@dataclass(frozen=True, slots=True)
class Read:
    """The documents that were asked, and those of them that are gone by now."""

    there: Index
    gone: Index

    def citation(self, claim: Claim, *, path: str | None = None, index: int = 0) -> dict[str, Any]:
        """Return a claim's citation with its verdict, JSON-ready.

        Args:
            claim: what is stated.
            path: where its mark stands in an answer that is JSON.
            index: its place among the answer's marks, from 0.
        """
        lost = self.gone.source(claim.document) is not None
        told = describe_citation(verify(claim, self.gone if lost else self.there), source_gone=lost)
        return {**told, "path": path, "index": index, "repaired": False}


async def check_citations(
    ctx: Context, planned: Sequence[PlannedCall], text: str, *, structured: bool = False
) -> list[dict[str, Any]]:
    """Return the answer's citations with their verdicts, JSON-ready, in the order of its marks."""
    said = statements.read(text, structured=structured)
    if not said.statements:
        return []
    found = await asyncio.to_thread(read_sources, ctx, planned)
    return [
        await asyncio.to_thread(found.citation, one.claim, path=one.path, index=index)
        for index, one in enumerate(said.statements)
    ]


def read_sources(ctx: Context, planned: Sequence[PlannedCall]) -> Read:
    """Return what quotes are held against: the documents in these calls, and without pages those gone."""
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
    return Read(Index(there), Index(gone))


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
