"""Rank a corpus's pages against a question, and pack the best for each budget that is offered.

Within the caller's transaction and without any text: scores come from the page index, counts from the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.domain import planner, ranked, ranking
from service.domain import terms as words
from service.domain.corpora import Member
from service.domain.documents import PageCount
from service.domain.manner import NO_IMAGES
from service.domain.planner import Plan, PlannedCall, Terms
from service.domain.questions import Question
from service.domain.ranked import Packed, Refused
from service.domain.ranking import Pack, RankedPage
from service.store import documents
from service.store.plans import StoredPlan
from service.store.search import Entry, Found, Hit
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.describe_plan import Asked, calls_of
from service.usecases.describe_ranked import Hints
from service.usecases.index_pages import entries_of

SPARE_HITS = 128
"""Pages that are looked at beyond those that would fill the largest budget at their usual length."""

CLOSEST = 5
"""Documents that are named where a question names none."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What can be read of the documents, a pack a budget, or why nothing can.

    Attributes:
        behind: the index has to be brought up to date first.
        closest: where a question names no document, those of the best pages.
    """

    packs: tuple[Packed, ...] = ()
    refused: Refused | None = None
    behind: bool = False
    closest: tuple[Member, ...] = ()

    def hints(self, question: Question) -> Hints:
        """Return what to know of the packs."""
        too_large = {pack.budget_tokens: pack.too_large for pack in self.packs}
        return Hints(self.closest, too_large, several=question.count > 1)

    def plans(self, terms: Terms) -> list[Plan]:
        """Return the plans, priced."""
        if self.refused is not None:
            return [ranked.plan_refused(self.refused)]
        return [ranked.plan_ranked(pack, terms) for pack in self.packs]


def rank_or_repeat(
    tx: Transaction,
    ctx: Context,
    corpus_id: str,
    asked: Asked,
    *,
    terms: Terms,
    question: Question,
    offered: StoredPlan | None,
) -> Ranked:
    """Rank pages, or take those of a plan that was offered; one that could not be asked has none."""
    if offered is not None and offered.plan["strategy"] != "ranked":
        return Ranked()
    if offered is None or not offered.plan["feasible"]:
        return rank_pages(tx, ctx, corpus_id, asked, terms=terms, question=question)
    return packed_again(tx, asked, calls_of(offered.plan), offered.plan["budget_tokens"])


def texts_of(question: Question) -> tuple[str, ...]:
    """Return what is asked in one call: each gets its fair share of one pack."""
    return question.questions or (question.text,)


def is_wanted(question: Question) -> bool:
    """Whether ranked plans are among those that the caller wants to see."""
    return not question.strategies or "ranked" in question.strategies


def rank_pages(
    tx: Transaction, ctx: Context, corpus_id: str, asked: Asked, *, terms: Terms, question: Question
) -> Ranked:
    """Return what would be read for each budget that applies."""
    if not is_wanted(question):
        return Ranked()
    everything = planner.whole_input(asked.members, terms.counts)
    refused = ranked.refusal(everything, terms, asked=question.budget_tokens)
    if refused is not None:
        named = "ranked" in question.strategies or question.budget_tokens is not None
        return Ranked(refused=refused if named or refused.code != "not_needed" else None)
    budgets = ranked.worth_it(everything, terms, asked=question.budget_tokens)
    entries = entries_of(asked.corpus)
    if not ctx.index.is_ready(corpus_id, entries):
        return _behind(ctx, corpus_id, budgets[0])
    searching = _Searching(tx, ctx, corpus_id, asked, entries)
    best = searching.best(texts_of(question), ranked.room(budgets[0], terms))
    if best is None:
        return _behind(ctx, corpus_id, budgets[0])
    pages, names_something = best
    if not pages:
        return Ranked(refused=ranked.nothing_matches(budgets[0]))
    return Ranked(
        packs=tuple(
            ranked.pack(pages, asked.members, budget, terms)
            for budget in budgets
            if ranked.room(budget, terms) > 0
        ),
        closest=() if names_something else _closest(pages, asked.members),
    )


def _behind(ctx: Context, corpus_id: str, budget: int) -> Ranked:
    """Say that the index is being built, or why it can't be."""
    why = ctx.index.failure(corpus_id)
    refused = ranked.index_building(budget) if why is None else ranked.index_failed(budget, why)
    return Ranked(refused=refused, behind=True)


def packed_again(tx: Transaction, asked: Asked, calls: Sequence[PlannedCall], budget_tokens: int) -> Ranked:
    """Return the pack of a plan that was offered, with the pages' counts as they are now."""
    known = {member.document_id: member for member in asked.members}
    slices = [piece for call in calls for piece in call.slices if piece.document_id in known]
    numbers = {piece.document_id: piece.chosen.numbers for piece in slices if piece.chosen is not None}
    pages = _counted(tx, known, [(name, number) for name, held in numbers.items() for number in held])
    pack = Pack(
        whole=frozenset(piece.document_id for piece in slices if piece.chosen is None),
        pages={
            name: tuple(page for number in held if (page := pages.get((name, number))) is not None)
            for name, held in numbers.items()
        },
    )
    pack = Pack(pack.whole, {name: held for name, held in pack.pages.items() if held})
    again = ranked.slices_of(pack, asked.members)
    return Ranked(packs=(Packed(budget_tokens, again),) if again else ())


@dataclass(frozen=True, slots=True)
class _Searching:
    """One preview's searches."""

    tx: Transaction
    ctx: Context
    corpus_id: str
    asked: Asked
    entries: Sequence[Entry]

    def best(self, texts: Sequence[str], room: int) -> tuple[list[RankedPage], bool] | None:
        """Return enough pages to fill the room, best first, and whether every question names a document.

        None where the index turns out to be broken.
        """
        corpus = self.asked.corpus
        held = {entry.document_id for entry in self.entries}
        members = [member for member in corpus if member.document_id in held]
        titles = {
            one.document_id: one.title for one in members if one.title and ranking.says_nothing(one.filename)
        }
        questions = [words.of_question(text) for text in texts]
        scores = [ranking.name_scores(question, members, titles) for question in questions]
        names = all(ranking.names_a_document(question, members, titles) for question in questions)
        total = sum([entry.pages for entry in self.entries])
        usual = max(1, sum([entry.tokens for entry in self.entries]) // max(1, total))
        boosts = [ranking.levels(found) for found in scores]
        enough = room * 5 // 4 + usual
        limit = 3 * room // usual // len(texts) + SPARE_HITS
        for few in _limits(enough * 3 // 2 // usual + SPARE_HITS, limit):
            searched = [
                self._found(question, boost, min(few, total + 1), (enough, room))
                for question, boost in zip(questions, boosts, strict=True)
            ]
            found = [one for one in searched if one is not None]
            if len(found) < len(searched):
                return None
            complete = all(one.complete for one in found)
            if not complete and few < limit:
                continue
            pages = self._pages(found)
            if complete or sum([page.tokens for page in pages if page.tokens <= room]) >= room:
                return pages, names
        raise AssertionError("limits have no end")

    def _found(
        self,
        question: Sequence[str],
        boosts: Sequence[tuple[float, Sequence[int]]],
        limit: int,
        wanted: tuple[int, int],
    ) -> Found | None:
        ordinals = {member.ordinal for member in self.asked.members}
        return self.ctx.index.search(
            self.corpus_id,
            question,
            limit=limit,
            entries=self.entries,
            boosts=boosts,
            enough_tokens=wanted[0],
            largest_tokens=wanted[1],
            only=ordinals if len(ordinals) < len(self.entries) else None,
        )

    def _pages(self, found: Sequence[Found]) -> list[RankedPage]:
        """The hits with what they count, by turns where several questions are asked."""
        known = {member.document_id: member for member in self.asked.members}
        names = {member.ordinal: member.document_id for member in self.asked.members}
        if any(member.manner.images != "none" for member in self.asked.members):
            keys = [[(names[hit.page.ordinal], hit.page.page) for hit in one.hits] for one in found]
            pages = _counted(self.tx, known, list(dict.fromkeys(key for one in keys for key in one)))
            return ranking.in_turn([[pages[key] for key in one if key in pages] for one in keys])
        by_ordinal = {member.ordinal: member for member in self.asked.members}
        return ranking.in_turn([_as_indexed(one.hits, by_ordinal) for one in found])


def _limits(few: int, usual: int) -> Iterator[int]:
    """Yield how many pages are looked for: the few that suffice where they are as long as most, then more.

    With the few, all that are wanted have to be among them: so they are the pages that more would have found.
    """
    if few < usual:
        yield few
    while True:
        yield usual
        usual *= 2


def _as_indexed(hits: Sequence[Hit], members: Mapping[int, Member]) -> list[RankedPage]:
    """Return hits with the counts that were stored with the index, where no page is sent as a picture.

    They are the store's own (a document's sum to its total), and are held against it when the plan is asked.
    """
    pages: list[RankedPage] = []
    for (ordinal, number, tokens, repeated, without_text, blank), _ in hits:
        member = members[ordinal]
        trimmed = repeated if not (member.manner.repeated or blank) else 0
        if member.manner.blank or not blank:
            pages.append(
                RankedPage(member.document_id, number, tokens - trimmed, NO_IMAGES, without_text, trimmed)
            )
    return pages


def _counted(
    tx: Transaction, members: Mapping[str, Member], keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], RankedPage]:
    """Return these pages, as far as they are packed, with what each counts in its document's manner."""
    counts = documents.counts_of_pages(tx, keys)
    return {
        key: _page(members[key[0]], page)
        for key, page in counts.items()
        if members[key[0]].manner.packs(page)
    }


def _page(member: Member, page: PageCount) -> RankedPage:
    manner = member.manner
    return RankedPage(
        document_id=member.document_id,
        number=page.number,
        tokens=manner.tokens(page),
        images=manner.images_of([page], source=""),
        without_text="no_text" in page.flags,
        repeated_tokens=page.repeated_tokens if manner.trims(page) else 0,
    )


def _closest(pages: Sequence[RankedPage], members: Sequence[Member]) -> tuple[Member, ...]:
    known = {member.document_id: member for member in members}
    first = list(dict.fromkeys(page.document_id for page in pages))[:CLOSEST]
    return tuple(known[name] for name in first) if len(known) > 1 else ()
