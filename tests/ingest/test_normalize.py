"""The cleaning of text: what each step does, and that no string can break or slow it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.normalize import MAX_BLANKS, MAX_MARKS, normalize

TRICKY = (
    "\0\2\t\n\v\r \x85\xa0\xad\u0301\u0316\u0344\u1100\u1161\u200b\u200d\u2028"
    "\u3000\ud800\ufb01\ufeff\ufffe\uffffaB1-"
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\xa0b\u2009c\u3000d", "a b c d"),
        ("a\r\nb\rc\u2028d\x85e\ff", "a\nb\nc\nd\ne\nf"),
        ("Gru\u0308\xdfe \u1112\u1161\u11ab", "Grüße 한"),
        ("x² ½ Ⅳ", "x² ½ Ⅳ"),
        ("co\xadoperate\0 \x1bnow\x7f", "cooperate now"),
        ("\ufeffzero\u200bwidth", "zerowidth"),
        ("क\u094d\u200dष می\u200cروم", "क\u094d\u200dष می\u200cروم"),
        ("eﬃcient ﬂow ﬅ", "efficient flow st"),
        ("broken \ud800 half", "broken \ufffd half"),
        ("an exam\ufffe\r\nple of text\nnext", "an example\nof text\nnext"),
        ("an exam\2\nple\nnext", "an example\nnext"),
        ("ex\ufffe\nam\ufffe\nple of it", "example\nof it"),
        ("SARS\ufffe\nCoV in 2010\ufffe\n2012 x", "SARS-CoV\nin 2010-2012\nx"),
        ("F\ufffe16, Anglo\2American, 2\ufffe3", "F-16, Anglo-American, 2-3"),
        ("an exam\ufffeple, \2A b\2 c", "an example, A b c"),
        ("the last exam\ufffe", "the last exam-"),
        ("exam\ufffe\n\nNew paragraph", "exam-\n\nNew paragraph"),
        ("a      b  c", "a  b  c"),
        ("        code\n" + " " * 40 + "deep", "        code\n" + " " * 16 + "deep"),
        ("1\t2\t\t4", "1\t2\t\t4"),
        ("tail  \t\nnext \n", "tail\nnext"),
        ("a\n\n\nb\n\n\n\n\n\nc", "a\n\n\nb\n\n\nc"),
        ("\n \n\n  text\n\n", "  text"),
        ("  \t \n", ""),
    ],
)
def test_each_step(raw: str, clean: str) -> None:
    assert normalize(raw) == clean


def check(text: str) -> None:
    clean = normalize(text)
    assert normalize(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert not set(clean) & set("\r\0\2\v\f\x85\xa0\xad\u2028\ufeff\ufffe")
    assert "\n\n\n\n" not in clean
    assert not any(line.endswith((" ", "\t")) for line in clean.split("\n"))


@given(st.text(alphabet=st.characters(categories=None), max_size=200))
def test_any_string_is_cleaned_once_for_all(text: str) -> None:
    check(text)


@given(st.text(alphabet=TRICKY, max_size=120))
def test_any_mix_of_special_characters_is_cleaned_once_for_all(text: str) -> None:
    check(text)


@given(st.text(alphabet="abc XYZ019.,;-\n", max_size=200))
def test_no_visible_character_of_plain_text_is_lost(text: str) -> None:
    assert normalize(text).split() == text.split()


def test_marks_after_one_letter_are_bounded() -> None:
    assert normalize("e" + "\u0323" * 1000 + "x") == "ẹ" + "\u0323" * (MAX_MARKS - 1) + "x"


def test_blanks_in_a_row_are_bounded() -> None:
    assert len(normalize("a" + " \t" * 10_000 + "b")) == MAX_BLANKS + 2


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\t ",
        "\n",
        "\r ",
        "\n ",
        "\2",
        "\2\n",
        "a\ufffe\n",
        "\2 ",
        "\u0301",
        "\u0345\u0301\u0316",
        "a\u0344",
        "\u1100",
        "\ud800",
    ],
)
def test_a_million_of_anything_takes_linear_time(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    normalize("x" + text + "x")
    assert time.process_time() - started < 3, "0.4 s where it was measured; a quadratic step takes minutes"
