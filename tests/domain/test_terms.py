"""Terms: what a page, a name and a question say alike becomes the same term."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import terms


@pytest.mark.parametrize(
    "written",
    ["FY18", "FY 18", "fy2018", "FY 2018", "fiscal 2018", "2018", "2018-19", "FY2018/19", "２０１８"],  # noqa: RUF001 - what is tested
)
def test_a_year_is_the_same_however_it_is_written(written: str) -> None:
    assert "2018" in terms.of_text(f"in {written}, they said")


def test_a_fiscal_year_of_the_last_century_is_none_of_this() -> None:
    assert terms.of_text("FY98") == ("1998",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("café", "cafe\u0301"),
        ("Ελλάδα", "ελλαδα"),
        ("revenues", "Revenue"),
        ("companies", "company"),
        ("reported", "reporting"),
        ("stopped", "stop"),
        ("taxes", "tax"),
        ("ﬁle", "file"),
    ],
)
def test_spellings_of_a_word_are_one_term(one: str, other: str) -> None:
    assert terms.of_text(one) == terms.of_text(other) != ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "\u092c\u091c\u091f \u0916\u0941\u0932\u093e\u0964",
            ("\u092c\u091c\u091f", "\u0916\u0941\u0932\u093e"),
        ),
        ("\u0645\u064f\u062f\u064e\u0631\u0651\u0650\u0633", ("\u0645\u062f\u0631\u0633",)),
        ("\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", ("\u05e9\u05dc\u05d5\u05dd",)),
    ],
    ids=["hindi", "arabic", "hebrew"],
)
def test_vowel_signs_part_no_word(text: str, found: tuple[str, ...]) -> None:
    assert terms.of_text(text) == found


def test_thai_vowels_stay_with_their_letters() -> None:
    assert terms.of_text("\u0e19\u0e35\u0e49") == ("\u0e19\u0e35", "\u0e35\u0e49")


def test_words_that_only_look_alike_stay_apart() -> None:
    assert terms.of_text("gas news status this process") == ("gas", "new", "status", "this", "process")


@pytest.mark.parametrize("asked", ["人口", "東京"])
def test_a_part_of_a_sentence_without_spaces_is_found(asked: str) -> None:
    assert set(terms.of_question(asked)) <= set(terms.of_text("東京都の人口は2020年に増えた"))


def test_digits_and_letters_between_characters_without_spaces_are_words_of_their_own() -> None:
    assert {"2020", "nato"} <= set(terms.of_text("在2020年NATO的"))


def test_a_question_says_nothing_with_its_function_words() -> None:
    assert terms.of_question("What was the revenue of the harbour in 1912?") == ("revenu", "harbour", "1912")
    assert terms.of_question("Wie hoch war der Umsatz?") == ("hoch", "umsatz")


def test_a_question_of_function_words_alone_keeps_them() -> None:
    assert terms.of_question("Who is it?") == ("who", "is", "it")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("AnnualReport2018_10K-final.pdf", {"annual", "report", "2018", "10k", "final"}),
        ("ACME_FY18.pdf", {"acm", "2018"}),
        ("harbour.dues.1912.txt", {"harbour", "due", "1912"}),
    ],
)
def test_a_name_is_cut_at_punctuation_capitals_and_digits(name: str, says: set[str]) -> None:
    assert says <= terms.of_name(name)


@given(text=st.text())
def test_any_text_has_terms_without_spaces_and_the_same_again(text: str) -> None:
    found = terms.of_text(text)
    assert all(term and term == "".join(term.split()) for term in found)
    assert " ".join(found) == terms.joined(text)
    asked = terms.of_question(text)
    assert len(asked) == len(set(asked))
    assert bool(asked) == bool(found)
