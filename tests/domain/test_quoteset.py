"""The set of quotes with known truth: its own fairness, and the shares that hold over a small corpus."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from service.domain.citations import Claim, Index, Source, SourcePage, verify
from service.domain.quotes import fold
from tests.support import quoteset, quoting
from tests.support.quoteset import ACCEPTED, FAMILIES, Quote

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "source"
PAGE = 2_400
"""Characters of a page of the examples."""


@pytest.fixture(scope="module")
def documents() -> list[list[str]]:
    """Made-up reports with headers, footers and tables, a noisy one, and texts of the examples."""
    written = [quoting.written(seed, 20) for seed in range(3)]
    return [*written, quoteset.noisy(quoting.written(9, 12)), *(_pages(path) for path in _examples())]


def _examples() -> list[Path]:
    return sorted(EXAMPLES.glob("apollo-1[0-4].md"))


def _pages(path: Path) -> list[str]:
    """A text cut between its paragraphs."""
    pages = [""]
    for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
        if len(pages[-1]) > PAGE:
            pages.append("")
        pages[-1] += f"{paragraph}\n\n"
    return pages


@pytest.fixture(scope="module")
def asked(documents: list[list[str]]) -> list[Quote]:
    return list(quoteset.quotes(documents, 25))


def test_every_kind_is_there_and_the_same_again(documents: list[list[str]], asked: list[Quote]) -> None:
    assert {quote.family for quote in asked} == set(FAMILIES)
    assert list(quoteset.quotes(documents, 25)) == asked


def test_false_quotes_stand_nowhere_and_moved_ones_elsewhere(
    documents: list[list[str]], asked: list[Quote]
) -> None:
    whole = ["".join(map(fold, pages)) for pages in documents]
    for quote in asked:
        if quote.family in {"altered", "invented"} and quote.kind != "sign flipped":
            assert not any(fold(quote.text) in text for text in whole)
        if quote.family == "moved":
            assert (quote.document, quote.page) not in quote.places
            assert all(fold(quote.text) in fold(documents[d][p]) for d, p in quote.places)


def test_verdicts_and_places_are_right(documents: list[list[str]], asked: list[Quote]) -> None:
    index = Index(
        [
            Source(f"doc-{number}", number, "", [SourcePage(n, text) for n, text in enumerate(pages, 1)])
            for number, pages in enumerate(documents, 1)
        ]
    )
    accepted: dict[str, list[bool]] = defaultdict(list)
    placed: dict[str, list[bool]] = defaultdict(list)
    for quote in asked:
        citation = verify(Claim("", quote.document + 1, quote.page + 1, quote.text, 0, 1), index)
        accepted[quote.family].append(citation.verdict in ACCEPTED)
        found = citation.found
        place = (int(found.document_id[4:]) - 1, found.page - 1) if found else None
        placed[quote.family].append(place in quote.places and citation.verdict in quote.right)
    share = {family: sum(told) / len(told) for family, told in accepted.items()}
    assert share["real"] >= 0.99
    assert share["edited"] >= 0.95
    assert share["altered"] <= 0.01
    assert share["invented"] <= 0.01
    assert share["moved"] == 0
    right = {family: sum(told) / len(told) for family, told in placed.items()}
    assert right["real"] >= 0.98
    assert right["edited"] >= 0.95
    assert right["moved"] >= 0.98
