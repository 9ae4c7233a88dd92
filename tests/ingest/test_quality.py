"""Flags of a page, at their edges."""

from __future__ import annotations

import pytest

from ingest.document import Flag, Picture
from ingest.formats import RawPage
from ingest.normalize import normalize
from ingest.quality import (
    GARBLED_LEAST,
    SCAN_IMAGE,
    SCAN_VISIBLE,
    STAMPED_IMAGE,
    STAMPED_VISIBLE,
    flags_of,
    visible,
)


def flags(text: str, *, image_area: float = 0.0) -> tuple[Flag, ...]:
    return flags_of(RawPage(1, text, image_area=image_area), normalize(text))


def test_a_page_of_prose_has_no_flags() -> None:
    assert flags("A page that says something, in more than a few words.") == ()


def test_a_short_page_is_not_without_text() -> None:
    assert flags("7") == ()
    assert flags("7", image_area=SCAN_IMAGE) == ()


@pytest.mark.parametrize("text", ["", " \n\t", "\xa0\x00\xad"])
def test_a_page_without_a_visible_character_has_no_text(text: str) -> None:
    assert flags(text) == (Flag.NO_TEXT,)


def test_a_scan_shows_little_text_and_one_large_image() -> None:
    assert flags("", image_area=1.0) == (Flag.NO_TEXT, Flag.SCAN)
    assert flags("x" * (SCAN_VISIBLE - 1), image_area=SCAN_IMAGE + 0.01) == (Flag.NO_TEXT, Flag.SCAN)
    assert flags("x" * SCAN_VISIBLE, image_area=1.0) == ()


def test_a_stamp_over_a_picture_of_the_whole_page_is_no_text_of_its_own() -> None:
    seen = Picture(9, 9)

    def of(shown: int, area: float, picture: Picture | None = seen) -> tuple[Flag, ...]:
        text = "x" * shown
        return flags_of(RawPage(1, text, image_area=area, picture=picture), text)

    assert of(STAMPED_VISIBLE - 1, STAMPED_IMAGE + 0.01) == (Flag.SCAN,)
    assert of(STAMPED_VISIBLE, 1.0) == of(SCAN_VISIBLE, STAMPED_IMAGE) == ()
    assert of(SCAN_VISIBLE, 1.0, None) == ()


@pytest.mark.parametrize("letter", ["\x03", "\ufffd", "\ue123", "\x9b", "\U000f1234"])
def test_a_page_of_unreadable_characters_is_garbled(letter: str) -> None:
    assert Flag.GARBLED in flags(letter * 20 + "readable" * 3)
    assert flags(letter * (GARBLED_LEAST - 1) + "ab") == (flags(letter * 7 + "ab"))
    assert Flag.GARBLED not in flags(letter * (GARBLED_LEAST - 1) + "ab")
    assert Flag.GARBLED not in flags(letter * 20 + "readable" * 100)


def test_what_was_recognised_is_not_missing() -> None:
    long = "It says a good deal more than a stamp does."
    seen = RawPage(1, long, image_area=1.0, recognized=True)
    assert flags_of(seen, long) == (Flag.OCR, Flag.SCAN)
    assert flags_of(RawPage(1, "7", image_area=0.9, recognized=True), "7") == (Flag.OCR, Flag.SCAN)
    assert flags_of(RawPage(1, "outlines", recognized=True), "outlines") == (Flag.OCR,)


@pytest.mark.parametrize("image_area", [0.0, 1.0])
def test_a_blank_page_misses_nothing(image_area: float) -> None:
    assert flags_of(RawPage(1, "", image_area=image_area, is_blank=True), "") == (Flag.BLANK,)


def test_marks_of_broken_words_are_not_garbled() -> None:
    assert flags("a\ufffe\nb c\x02\nd\r\n" * 20) == ()


def test_flags_are_sorted() -> None:
    found = flags("\x03" * 20, image_area=0.9)
    assert found == (Flag.GARBLED, Flag.NO_TEXT, Flag.SCAN)
    assert list(found) == sorted(found)


def test_visible_counts_what_is_not_white_space() -> None:
    assert visible(" a\n\u3000bc \t") == 3
