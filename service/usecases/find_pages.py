"""Find the pages of a corpus that say most about some words; no model is asked, and nothing is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from service.domain import ranking, terms
from service.domain.corpora import Member
from service.domain.excerpts import excerpt
from service.errors import Fix, IndexNotReady, Invalid
from service.store import corpora
from service.store.search import Hit
from service.usecases.context import Context
from service.usecases.index_pages import catch_up, entries_of
from service.usecases.read_document import get_page

MOST_WORDS = 2_000
"""Characters; what is longer is a question to ask, not words to look for."""


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page that matches.

    Attributes:
        number: how answers mark its document: `D3`.
        excerpt: the stretch of it that says most of the words, in one line.
    """

    number: str
    document_id: str
    filename: str
    page: int
    label: str | None
    tokens: int
    score: float
    excerpt: str


def find_pages(
    ctx: Context,
    tenant: str,
    corpus_id: str,
    words: str,
    *,
    limit: int,
    document_ids: Collection[str] = (),
) -> list[FoundPage]:
    """Return the pages that match best, best first; pages that match alike in the corpus's order.

    Args:
        ctx: what it works in.
        tenant: whose it is.
        corpus_id: one that there is.
        words: what to look for, in any order; a question will do.
        limit: how many pages at most.
        document_ids: look in these alone; all without any.

    Raises:
        Invalid: there are no words, or too many.
        IndexNotReady: the pages are not indexed yet.
    """
    asked = terms.of_question(words[: MOST_WORDS + 1])
    if not asked or len(words) > MOST_WORDS:
        raise Invalid(f"Say which words to look for, in at most {MOST_WORDS:,} characters.")
    catch_up(ctx, corpus_id)
    with ctx.db.read() as tx:
        members = corpora.members_of(tx, corpus_id)
    unknown = set(document_ids) - {one.document_id for one in members}
    if unknown:
        raise Invalid(f"{min(unknown)} is not in this corpus: list its documents to see what is.")
    only = {one.ordinal for one in members if one.document_id in document_ids} if document_ids else None
    hits = _hits(ctx, corpus_id, asked, members, limit=limit, only=only)
    of = {one.ordinal: one for one in members}
    return [_found(ctx, tenant, hit, of[hit.page.ordinal], asked) for hit in hits]


def _hits(
    ctx: Context,
    corpus_id: str,
    asked: Sequence[str],
    members: Sequence[Member],
    *,
    limit: int,
    only: Collection[int] | None,
) -> Sequence[Hit]:
    """Return so many hits; those that tie with the last one are looked through until there are enough."""
    entries = entries_of(members)
    held = {entry.ordinal for entry in entries}
    named = [one for one in members if one.ordinal in held]
    titles = {one.document_id: one.title for one in named if one.title and ranking.says_nothing(one.filename)}
    boosts = ranking.levels(ranking.name_scores(asked, named, titles))
    most = limit + 1
    while True:
        found = ctx.index.search(corpus_id, asked, limit=most, entries=entries, boosts=boosts, only=only)
        if found is None:
            raise IndexNotReady(
                "The pages are still being indexed for searching. Look again in a moment.",
                fixes=(Fix("wait", "Wait until the pages are indexed."),),
            )
        if found.complete or len(found.hits) >= limit:
            return found.hits[:limit]
        most *= 2


def _found(ctx: Context, tenant: str, hit: Hit, member: Member, asked: Sequence[str]) -> FoundPage:
    page = get_page(ctx, tenant, member.document_id, hit.page.page)
    return FoundPage(
        number=f"D{member.ordinal}",
        document_id=member.document_id,
        filename=member.filename,
        page=page.number,
        label=page.label,
        tokens=page.tokens,
        score=hit.score,
        excerpt=excerpt(page.text, asked),
    )
