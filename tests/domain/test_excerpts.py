"""An excerpt is a stretch of its page, no longer than said, where most of the words stand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.domain import terms
from service.domain.excerpts import CHARS, excerpt

PAGE = " ".join(f"word{n}" for n in range(300))


def test_it_stands_where_most_of_the_words_are() -> None:
    page = f"The harbour. {PAGE} In 1871 the harbour\nopened to ships. {PAGE}"
    said = excerpt(page, terms.of_question("When did the harbour open to ships?"))
    assert "the harbour opened to ships." in said
    assert said.startswith("… ")
    assert said.endswith(" …")


def test_a_short_page_is_shown_whole() -> None:
    assert excerpt("  One\n\n line. ", ["line"]) == "One line."
    assert excerpt(" \n", ["line"]) == ""


def test_without_any_of_the_words_it_is_the_beginning() -> None:
    said = excerpt(PAGE, ["nothing"])
    assert said.startswith("word0 word1 ")
    assert said.endswith(" …")


@given(st.text(max_size=1500), st.lists(st.text(min_size=1, max_size=8), max_size=4))
def test_it_is_a_stretch_of_the_page(page: str, words: list[str]) -> None:
    said = excerpt(page, words)
    assert len(said) <= CHARS + 4
    inner = said.removeprefix("… ").removesuffix(" …")
    assert inner in " ".join(page.split())
