"""Texts of many documents at once, for what looks at a corpus as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import select

from service.store.search import Counted
from service.store.session import Transaction
from service.store.tables import page_texts, pages


def texts_of_many(tx: Transaction, ordinals: Mapping[str, int]) -> Iterator[tuple[Counted, str]]:
    """Yield the pages of these documents, which have these ordinals, some at a time."""
    same = (page_texts.c.document_id == pages.c.document_id) & (page_texts.c.number == pages.c.number)
    query = (
        select(
            pages.c.document_id,
            pages.c.number,
            pages.c.tokens,
            pages.c.repeated_tokens,
            pages.c.flags,
            page_texts.c.text,
        )
        .join(page_texts, same)
        .where(pages.c.document_id.in_(list(ordinals)))
    )
    rows = tx.execute(query.execution_options(yield_per=200))
    for document_id, number, tokens, repeated, flags, text in rows:
        named = flags.split()
        page = Counted(ordinals[document_id], number, tokens, repeated, "no_text" in named, "blank" in named)
        yield page, text
