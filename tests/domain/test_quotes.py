"""Folding keeps what a quote must, maps back to the stored text, refuses cut words and flipped signs."""

# ruff: noqa: RUF001
# Typographic glyphs are what some of the cases are about.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.quotes import MOST_PLACES, NEAR, FoldedDocument, fold, offsets, search, trimmed

TEXTS = st.text(
    st.one_of(
        st.sampled_from("aB.5,% -\n…½ﬁİßé(“中がक्षि"),
        st.characters(),
    )
)


@given(TEXTS)
def test_every_folded_character_has_an_offset_that_grows(text: str) -> None:
    where = offsets(text)
    assert len(where) == len(fold(text))
    assert where == sorted(where)
    assert all(0 <= at < len(text) for at in where)


@given(TEXTS, TEXTS)
def test_white_space_and_case_do_not_count(one: str, other: str) -> None:
    # Not exactly so for the last letter before a point: "3." and "5" are no decimal.
    assert fold(f"{one}\n {other}") == fold(f"{one} \t{other}")
    assert fold(fold("GroßE Straße")) == fold("GROSSE STRASSE")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Exam-\nple, in “Three” words.", "exampleinthreewords"),
        ("3.5% of 1,200", "3.5%of1200"),
        ("end.5 The", "end5the"),
        ("was .05 now", "was.05now"),
        ("Contents ........ 5", "contents5"),
        ("eﬃcient ½ m²", "efficient12m2"),
        ("1.2.3 and 3. 5", "1.2.3and35"),
        ("soft\u00adhyphen and\u200bzero", "softhyphenandzero"),
    ],
)
def test_folds(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.lists(TEXTS, max_size=4), st.data())
def test_a_stretch_of_the_folded_text_maps_to_a_text_that_folds_to_it(
    pages: list[str], data: st.DataObject
) -> None:
    document = FoldedDocument(pages)
    if not document.folded:
        return
    begin = data.draw(st.integers(0, len(document.folded) - 1))
    end = data.draw(st.integers(begin + 1, len(document.folded)))
    place = document.place(begin, end)
    assert 0 <= place.first <= place.last < len(pages)
    # The point before a digit may lose its neighbour, and a letter that folds to two is taken whole.
    inner, outer = document.folded[begin:end].replace(".", ""), fold(place.text).replace(".", "")
    assert inner in outer
    assert len(outer) - len(inner) <= 40


@pytest.mark.parametrize(
    ("quote", "page", "exact"),
    [
        ("the exact words", "Here are the exact\nwords.", True),
        ("“the” exact words", 'Here are "the" exact words.', True),
        ("a well-known fact", "a well-\nknown fact", True),
        ("The exact words.", "these are the exact words, and more", False),
        ("a fact, known", "a fact: known", False),
        ("it is <page one", "it is ‹page one", True),
    ],
)
def test_exact_is_all_but_space_quote_glyphs_and_hyphens(quote: str, page: str, *, exact: bool) -> None:
    hit = search(quote, FoldedDocument([page]))
    assert hit is not None
    assert hit.exact is exact


@pytest.mark.parametrize(
    ("quote", "page"),
    [
        ("act of state", "an impact of state"),
        ("the impact", "the impactful"),
        ("000 employees", "3,000 employees"),
        ("rose to 3", "rose to 3,000"),
        ("5 million", "3.5 million"),
        ("grew by 3", "grew by 3%"),
        ("grew by 3", "grew by 3.5 in"),
        ("a sum of 3", "a sum of 3bn"),
        ("3 in all", "F3 in all"),
        ("loss of 3,000", "loss of (3,000)"),
        ("loss of (3,000)", "loss of 3,000"),
        ("low of 5 degrees", "low of -5 degrees"),
        ("low of -5 degrees", "low of 5 degrees"),
        ("5 degrees", "−5 degrees"),
        ("where p < 0.05", "where p > 0.05"),
        ("where p 0.05", "where p ≤ 0.05"),
        ("paid €5 million", "paid $5 million"),
        ("compliant with the law", "non-compliant with the law"),
        ("that it can", "that it can't"),
        ("fix this", "ﬁx this".replace("ﬁ", "suﬃ")),
    ],
)
def test_a_cut_word_or_a_flipped_sign_is_no_match(quote: str, page: str) -> None:
    assert fold(quote) in fold(page) or quote == "fix this"
    assert search(quote, FoldedDocument([page])) is None


@pytest.mark.parametrize(
    ("quote", "page"),
    [
        ("loss of (3,000) in", "a loss of (3,000) in May"),
        ("(3,000 units)", "all (3,000 units) sold"),
        ("3,000 units", "all (3,000 units) sold"),
        ("in 2018-19 and", "in 2018-19 and after"),
        ("19 planes", "the 2018-19 planes"),
        ("the program", "of the program3 that"),
        ("COVID-19 cases", "COVID-19\ncases"),
        ("paid $ 5 million", "paid $5 million"),
        ("company", "the company's"),
        ("日本語の文章", "これは日本語の文章です"),
        ("사고 원인은", "그 사고 원인은 불명"),
        ("naïve cafe\u0301".replace("e\u0301", "é"), "a naïve café"),
    ],
)
def test_a_whole_stretch_matches(quote: str, page: str) -> None:
    assert search(quote, FoldedDocument([page])) is not None


def test_a_refused_place_does_not_hide_a_later_one() -> None:
    hit = search("act 5", FoldedDocument(["impact 5", "then act 5 came"]))
    assert hit is not None
    assert (hit.place.first, hit.place.start, hit.place.text) == (1, 5, "act 5")


def test_a_quote_crosses_pages() -> None:
    hit = search("one sentence on two pages", FoldedDocument(["x", "one sentence", "", "on two pages"]))
    assert hit is not None
    assert (hit.place.first, hit.place.last) == (1, 3)
    assert fold(hit.place.text) == "onesentenceontwopages"
    assert hit.exact


def test_pages_confine_the_search() -> None:
    document = FoldedDocument(["same words", "other", "same words", "tail"])
    assert search("same words", document, range(1, 2)) is None
    hit = search("same words", document, range(2, 3))
    assert hit is not None
    assert hit.place.first == 2


@pytest.mark.parametrize("mark", ["…", "...", "[...]", "[…]", ". . .", "(…)"])
def test_an_ellipsis_parts_a_quote_in_order(mark: str) -> None:
    page = "The board met on Monday and, after long debate, approved the budget."
    document = FoldedDocument([page])
    hit = search(f"The board met {mark} approved the budget", document)
    assert hit is not None
    assert not hit.exact
    assert hit.place.text == page[:-1]
    assert search(f"approved the budget {mark} The board met", document) is None


def test_pieces_stand_near_each_other() -> None:
    filler = "word " * NEAR
    assert search("first here ... last there", FoldedDocument([f"first here {filler} last there"])) is None


def test_many_refused_places_end_the_search() -> None:
    document = FoldedDocument(["impact 5 " * MOST_PLACES + "act 5"])
    assert search("act 5", document) is None


@given(TEXTS)
def test_trimmed_keeps_all_that_folds(text: str) -> None:
    assert fold(trimmed(text)).replace(".", "") == fold(text).replace(".", "")


@given(TEXTS.map(lambda text: text * 9))
def test_offsets_by_the_block_are_those_of_the_whole_page(text: str) -> None:
    document = FoldedDocument(["A page before.", text])
    begin = document.starts[1]
    assert [document.offset(begin + at) for at in range(len(fold(text)))] == offsets(text)
    assert document.letters(range(1, 2)) == len(fold(text))


@given(TEXTS)
def test_a_text_is_folded_letter_by_letter(text: str) -> None:
    assert fold(text) == "".join(map(fold, text)) or "." in text
    assert fold(f"{text}\u20ac") == fold(f"{text} ")
