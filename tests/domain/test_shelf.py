"""Short documents are looked through together, and what is found is what each by itself would have given."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import citations
from service.domain.citations import Claim, Index, Source, SourcePage, verify
from service.domain.quotes import fold
from service.domain.shelf import Shelf

WORDS = "the harbour pier opened in 1871 1903 was not rebuilt by storms northern southern engineers - a"
texts = st.lists(st.sampled_from(WORDS.split()), max_size=30).map(" ".join)


def test_a_piece_is_found_in_each_text_that_holds_it_and_across_none() -> None:
    shelf = Shelf({3: "thepieropened", 1: "in1871thepier", 7: "", 2: "thepierthepier"})
    assert shelf.without(["thepier"]) == {7}
    assert shelf.without(["openedin"]) == {1, 2, 3, 7}
    assert shelf.without(["1871", "opened"]) == {2, 7}
    assert shelf.without([]) == {1, 2, 3, 7}
    assert Shelf({}).without(["thepier"]) == set()


def test_other_documents_are_not_looked_at_where_the_cited_one_has_the_quote() -> None:
    pages = [SourcePage(1, "The harbour opened in 1871."), SourcePage(2, "The pier was rebuilt in 1903.")]
    index = Index([Source(f"doc-{number}", number, "", pages) for number in range(1, 10)])
    citation = verify(Claim("[D3 p.1]", 3, 1, "The pier was rebuilt in 1903.", 0, 1), index)
    assert (citation.verdict, citation.found and citation.found.document_id) == ("elsewhere", "doc-3")
    assert list(index._folded) == [3]  # noqa: SLF001 - what the search has cost


@given(text=st.text())
def test_no_folded_text_holds_what_stands_between_two(text: str) -> None:
    assert "\n" not in fold(text)


@given(
    documents=st.lists(st.lists(texts, max_size=3), max_size=6),
    quotes=st.lists(texts, min_size=1, max_size=4),
    cited=st.integers(1, 6),
)
@settings(deadline=None)
def test_every_quote_is_told_as_where_each_document_is_looked_through_by_itself(
    documents: list[list[str]], quotes: list[str], cited: int
) -> None:
    sources = [
        Source(f"doc-{number}", number, "", [SourcePage(n, text) for n, text in enumerate(pages, 1)])
        for number, pages in enumerate(documents, 1)
    ]
    claims = [Claim(f"[D{cited}]", cited, None, quote, 0, 1) for quote in chain(quotes, *documents)]
    together = Index(sources)
    told = [verify(claim, together) for claim in claims]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(citations, "_SHORT", -1)
        apart = Index(sources)
        assert told == [verify(claim, apart) for claim in claims]
