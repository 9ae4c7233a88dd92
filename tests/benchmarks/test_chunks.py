"""Chunk retrieval: nothing lost in cutting, pages told rightly, the fitting chunk first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chunks import OVERLAP, SIZE, Bm25, Chunk, best, cut

words = st.text(alphabet="abcdefgh", min_size=1, max_size=12)
pages_of_words = st.lists(st.lists(words, max_size=400).map(" ".join), min_size=1, max_size=6)


def numbered(texts: list[str]) -> dict[int, str]:
    return dict(enumerate(texts, 1))


@given(pages_of_words)
def test_every_word_of_every_page_is_in_a_chunk_that_names_the_page(texts: list[str]) -> None:
    marked = [" ".join(f"{word}{number}" for word in text.split()) for number, text in enumerate(texts, 1)]
    chunks = list(cut("doc", numbered(marked)))
    for number, text in enumerate(marked, 1):
        within = " ".join(chunk.text for chunk in chunks if number in chunk.pages)
        assert set(text.split()) <= set(within.split())


@given(pages_of_words)
def test_a_chunk_names_no_page_of_which_it_holds_nothing(texts: list[str]) -> None:
    marked = [
        "".join("x" if char == " " else str(number) for char in text) for number, text in enumerate(texts, 1)
    ]
    for chunk in cut("doc", numbered([text.replace("x", " ") for text in marked])):
        assert {int(char) for char in chunk.text if char.isdigit()} == set(chunk.pages)


@given(pages_of_words)
def test_chunks_are_no_longer_than_they_may_be(texts: list[str]) -> None:
    assert all(0 < len(chunk.text) <= SIZE for chunk in cut("doc", numbered(texts)))


def test_neighbouring_chunks_share_their_edge() -> None:
    first, second = cut("doc", {1: "word " * 300})
    assert first.text[-OVERLAP:] == second.text[:OVERLAP]


def test_a_text_without_spaces_is_cut_at_full_size() -> None:
    assert [len(chunk.text) for chunk in cut("doc", {1: "x" * 1_500})] == [SIZE, 500 + OVERLAP]


def test_a_chunk_over_a_page_break_stands_for_both_pages() -> None:
    (chunk,) = cut("doc", {3: "the end of one", 4: "", 5: "the start of another"})
    assert chunk.pages == {3, 5}


def test_a_document_of_nothing_has_no_chunks() -> None:
    assert list(cut("doc", {1: "", 2: " \n"})) == []


CHUNKS = [
    Chunk("a", "the harbour opened in the spring", frozenset({1})),
    Chunk("a", "the harbour closed for repairs in the harbour basin", frozenset({2})),
    Chunk("b", "the ferry tariff rose", frozenset({1})),
]


def test_a_rare_word_counts_for_more_than_one_that_is_everywhere() -> None:
    scores = Bm25(CHUNKS).scores("The FERRY in the spring")
    assert best(CHUNKS, scores, 2) == [CHUNKS[0], CHUNKS[2]]
    assert min(scores) >= 0


def test_words_that_are_nowhere_leave_the_order_of_the_chunks() -> None:
    assert best(CHUNKS, Bm25(CHUNKS).scores("zeppelin"), 5) == CHUNKS


def test_only_the_chosen_documents_are_retrieved_from() -> None:
    assert best(CHUNKS, Bm25(CHUNKS).scores("harbour"), 3, among={"b"}) == [CHUNKS[2]]
