"""Keep page indexes up to date: before one is searched, and behind the scenes when documents are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter

from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.kept import once
from service.domain.questions import Question
from service.domain.ranked import BUDGETS
from service.store import corpora, page_texts
from service.store.search import Counted, Entry
from service.usecases.context import Context

AT_ONCE_TOKENS = 1_500_000
"""What a question may wait for: about a second of work. More is done behind the scenes."""

WAIT_SECONDS = 2.0
"""How long a question waits for somebody else's update."""


def entries_of(members: Iterable[Member]) -> list[Entry]:
    """Return the documents of a corpus that can be searched, in order."""
    return [
        once(one, _entry)
        for one in sorted(members, key=attrgetter("ordinal"))
        if one.status is DocumentStatus.READY and one.pages
    ]


def _entry(one: Member) -> Entry:
    """With the counts that are stored with the index; a document that is read anew may have others."""
    counted = f":{one.pages_without_text}:{one.pages_blank}:{one.blank_tokens}:{one.repeated_tokens}"
    return Entry(one.ordinal, one.document_id, one.pages, one.pages_tokens, one.pack_sha256, counted)


def is_worth_it(entries: Sequence[Entry]) -> bool:
    """Whether there is so much that a question may have to leave something out."""
    return sum(one.tokens for one in entries) > min(BUDGETS)


def catch_up(ctx: Context, corpus_id: str, *, patient: bool = False) -> bool:
    """Bring an index up to date at once where that takes a moment, otherwise behind the scenes.

    Call it without a transaction. Patient, it takes the time it needs.

    Returns:
        Whether the corpus can be searched.
    """
    entries = _entries(ctx, corpus_id)
    if not patient and ctx.index.missing(corpus_id, entries) > AT_ONCE_TOKENS:
        index_soon(ctx, [corpus_id])
        return False
    return update(ctx, corpus_id, entries, wait_seconds=3600.0 if patient else WAIT_SECONDS)


def make_searchable(
    ctx: Context, tenant: str, corpus_id: str, question: Question, *, patient: bool = False
) -> None:
    """Bring the index up to date where a question may have to leave something out, as `catch_up` does."""
    if question.strategies and "ranked" not in question.strategies:
        return
    with ctx.db.read() as tx:
        mine = corpora.is_of(tx, tenant, corpus_id)
        entries = entries_of(corpora.members_of(tx, corpus_id)) if mine else []
    if is_worth_it(entries) or (entries and question.budget_tokens is not None):
        catch_up(ctx, corpus_id, patient=patient)


def index_soon(ctx: Context, corpus_ids: Iterable[str]) -> None:
    """Have indexes brought up to date behind the scenes."""
    for corpus_id in corpus_ids:
        ctx.indexer.want(corpus_id, partial(_index, ctx, corpus_id))


def index_corpora_of(ctx: Context, document_id: str) -> None:
    """Have the corpora that hold a document indexed soon: it has just been read."""
    with ctx.db.read() as tx:
        holding = corpora.holding(tx, document_id)
    index_soon(ctx, holding)


def sweep_indexes(ctx: Context) -> None:
    """Throw away the indexes of corpora that are gone."""
    with ctx.db.read() as tx:
        there = corpora.all_ids(tx)
    ctx.index.sweep(there)


def update(
    ctx: Context,
    corpus_id: str,
    entries: Sequence[Entry],
    *,
    stop: Callable[[], bool] = lambda: False,
    wait_seconds: float = 0.0,
) -> bool:
    """Have the index hold just these documents; return whether it does."""

    def texts(some: Sequence[Entry]) -> Iterator[tuple[Counted, str]]:
        with ctx.db.read() as tx:
            yield from page_texts.texts_of_many(tx, {one.document_id: one.ordinal for one in some})

    return ctx.index.update(corpus_id, entries, texts, stop=stop, wait_seconds=wait_seconds)


def _index(ctx: Context, corpus_id: str, stop: Callable[[], bool]) -> None:
    """Index a corpus as it is by now; what was removed since loses its index."""
    with ctx.db.read() as tx:
        there = corpora.exists(tx, corpus_id)
    entries = _entries(ctx, corpus_id) if there else []
    if not there:
        ctx.index.forget(corpus_id)
    elif is_worth_it(entries):
        update(ctx, corpus_id, entries, stop=stop, wait_seconds=WAIT_SECONDS)


def _entries(ctx: Context, corpus_id: str) -> list[Entry]:
    with ctx.db.read() as tx:
        return entries_of(corpora.members_of(tx, corpus_id))
