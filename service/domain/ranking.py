"""Which pages of a corpus a question is about: what names and titles say, and the choice for a budget.

A page's own score is BM25 over the pages of its corpus, from the index. To it comes BM25 of the question
against the names of the documents: measured over ten thousands of pages of reports, that brings most right
pages into reach, since a page seldom says which report it belongs to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from service.domain import terms
from service.domain.corpora import Member
from service.domain.manner import NO_IMAGES, Images

NAME_WEIGHT = 2.5
"""Of a name's score beside a page's; 2 to 3 found best."""

LEVELS = 24
"""Steps that the scores of names are told apart by: enough, and a search takes as long as there are."""

WHOLE_FROM = 200_000
"""From this budget up, whole documents come first; below it that crowds out better pages."""

WHOLE_SHARE = 0.6
"""Of the budget that whole documents may take."""

_K1 = 1.2
_B = 0.75
_LETTERS = 3
_SAY_NOTHING = frozenset(
    terms.of_text(
        "attachment copy doc document download draft file final image img message new old output page pdf "
        "print report rev scan scanned text untitled upload version"
    )
)


class RankedPage(NamedTuple):
    """A page that matches, with what it counts as it is packed.

    Attributes:
        images: the picture it is sent with.
        without_text: whether it counts among the pages without text.
        repeated_tokens: of the header and footer that are left out of it.
    """

    document_id: str
    number: int
    tokens: int
    images: Images = NO_IMAGES
    without_text: bool = False
    repeated_tokens: int = 0

    @property
    def most_tokens(self) -> int:
        """With the most that its picture may count."""
        return self.tokens + self.images.tokens_max


@dataclass(frozen=True, slots=True)
class Pack:
    """What is read for a budget: whole documents, and pages of others in their order."""

    whole: frozenset[str]
    pages: Mapping[str, tuple[RankedPage, ...]]

    @property
    def documents(self) -> frozenset[str]:
        """All that something is read of."""
        return self.whole | self.pages.keys()


@lru_cache(maxsize=1 << 14)
def says_nothing(filename: str) -> bool:
    """Whether a file's name tells nothing of what is in it: then its title is asked too."""
    return not any(
        len(term) >= _LETTERS and term.isalpha() for term in terms.of_name(filename) - _SAY_NOTHING
    )


def name_scores(
    asked: Sequence[str], members: Iterable[Member], titles: Mapping[str, str]
) -> dict[int, float]:
    """Return BM25 of a question against each document's name, by ordinal, where it is above zero.

    Args:
        asked: the question's terms.
        members: of the corpus, all of them: a word that all names hold says little.
        titles: by document, of those whose names say nothing.
    """
    wanted = frozenset(asked)
    names = [
        (one.ordinal, _name(one, titles) if one.document_id in titles else terms.of_name(one.filename))
        for one in members
    ]
    said = [(ordinal, len(name), name & wanted) for ordinal, name in names if not name.isdisjoint(wanted)]
    held = Counter(term for _, _, common in said for term in common)
    rarity = {term: math.log(1 + (len(names) - n + 0.5) / (n + 0.5)) for term, n in held.items()}
    usual = sum([len(name) for _, name in names]) / max(1, len(names)) or 1.0
    scores = {}
    for ordinal, length, common in said:
        damp = 1 + _K1 * (1 - _B + _B * length / usual)
        scores[ordinal] = sum(rarity[term] for term in sorted(common)) * (_K1 + 1) / damp
    return scores


def levels(scores: Mapping[int, float]) -> list[tuple[float, list[int]]]:
    """Return the weighted scores of names in steps, each with the documents that have it."""
    most = max(scores.values(), default=0.0)
    held: dict[int, list[int]] = {}
    for ordinal, score in scores.items():
        held.setdefault(max(1, round(LEVELS * score / most)), []).append(ordinal)
    return [(NAME_WEIGHT * most * step / LEVELS, held[step]) for step in sorted(held)]


def names_a_document(asked: Sequence[str], members: Sequence[Member], titles: Mapping[str, str]) -> bool:
    """Whether a question has a word of some document's name that others lack; `report` and the like aside."""
    said = [term for term in asked if term not in _SAY_NOTHING]
    return tells_apart(name_scores(said, members, titles), len(members))


def tells_apart(scores: Mapping[int, float], documents: int) -> bool:
    """Whether a question's words match the names of some documents better than those of others."""
    return len(levels(scores)) > (1 if len(scores) == documents else 0)


def in_turn(rankings: Sequence[Sequence[RankedPage]]) -> list[RankedPage]:
    """Return the pages of several questions by turns, best first and each once: a fair share for all."""
    longest = max(map(len, rankings), default=0)
    found: dict[tuple[str, int], RankedPage] = {}
    for at in range(longest):
        for ranking in rankings:
            if at < len(ranking):
                found.setdefault((ranking[at].document_id, ranking[at].number), ranking[at])
    return list(found.values())


def choose(ranked: Sequence[RankedPage], members: Mapping[str, Member], *, room: int, whole: bool) -> Pack:
    """Return what is read of the ranked pages, and never more tokens of it than there is room for.

    Args:
        ranked: best first.
        members: the documents that are asked, by id.
        room: tokens, the documents' tags among them.
        whole: take whole documents first, the best page's document first, up to `WHOLE_SHARE`.
    """
    taken: set[str] = set()
    left = room
    for page in ranked if whole else ():
        tokens = members[page.document_id].most_tokens
        if page.document_id not in taken and room - left + tokens <= WHOLE_SHARE * room:
            taken.add(page.document_id)
            left -= tokens
    pages: dict[str, list[RankedPage]] = {}
    for page in ranked:
        if page.document_id in taken:
            continue
        first = page.document_id not in pages
        tokens = page.most_tokens + (members[page.document_id].wrapper_tokens if first else 0)
        if tokens <= left:
            pages.setdefault(page.document_id, []).append(page)
            left -= tokens
    return Pack(
        whole=frozenset(taken),
        pages={name: tuple(sorted(held, key=lambda one: one.number)) for name, held in pages.items()},
    )


def _name(member: Member, titles: Mapping[str, str]) -> frozenset[str]:
    return terms.of_name(member.filename) | terms.of_title(titles[member.document_id])
