"""Text off pictures: what is there, in its order, and nothing off pictures without any."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ingest import pictured_quotes, recognition
from ingest.formats import PDF, Pictured, pdf
from ingest.normalize import normalize
from ingest.raster import Bitmap, Box
from ingest.recognition import Line, Recognizer, Word, text_of
from tests.support import sheets

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")
needs_ocr = pytest.mark.skipif(not sheets.HAS_OCR, reason="Tesseract is not here")


@cache
def recognizer() -> Recognizer:
    found = recognition.open_recognizer(("eng",))
    assert found is not None
    return found


def lines_of(image: Image.Image) -> list[Line]:
    return recognizer().lines(sheets.bitmap(image), seconds=60)


def text(image: Image.Image) -> str:
    return normalize(text_of(lines_of(image)))


def f1(truth: str, found: str) -> float:
    one, other = Counter(truth.split()), Counter(found.split())
    return 2 * (one & other).total() / (one.total() + other.total())


@needs_ocr
def test_print_is_read_word_for_word() -> None:
    assert f1("\n".join(sheets.PROSE), text(sheets.sheet())) >= 0.98


@needs_ocr
@pytest.mark.parametrize("by", [90, 180, 270])
def test_sheets_may_lie_on_any_side(by: int) -> None:
    assert f1("\n".join(sheets.PROSE), text(sheets.sheet().rotate(by, expand=True))) >= 0.98


@needs_ocr
def test_words_stand_where_they_are_whichever_side_is_up() -> None:
    image = sheets.sheet()
    (upright,) = pictured_quotes.places("harbour of the northern", lines_of(image))
    (turned,) = pictured_quotes.places("harbour of the northern", lines_of(image.rotate(180)))
    assert 60 <= upright.left < upright.right <= image.width
    assert 50 <= upright.top < upright.bottom <= 120
    back = (image.width - turned.right, image.height - turned.bottom)
    assert abs(back[0] - upright.left) <= 4
    assert abs(back[1] - upright.top) <= 4


@needs_ocr
def test_words_broken_at_line_ends_are_joined() -> None:
    found = text(sheets.sheet(["The vessel was built for inter-", "national trade and sold."]))
    assert found.split() == ["The", "vessel", "was", "built", "for", "international", "trade", "and", "sold."]


@needs_ocr
def test_a_photograph_has_no_text() -> None:
    assert text(sheets.noise()) == ""


@needs_ocr
@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3)])
def test_slivers_have_no_text(size: tuple[int, int]) -> None:
    assert text(Image.new("L", size, 0)) == ""


@needs_ocr
def test_what_takes_too_long_is_given_up() -> None:
    with pytest.raises(recognition.TooSlow):
        recognizer().lines(sheets.bitmap(sheets.sheet()), seconds=0.001)
    assert text(sheets.sheet(["Read afterwards all the same."])) == "Read afterwards all the same."


@pytest.mark.parametrize("languages", [("xyz",), ("eng", "xyz"), ("../eng",), ("",), ("e" * 90,)])
def test_a_language_without_data_is_missing(languages: tuple[str, ...]) -> None:
    lacking = tuple(language for language in languages if language != "eng" or not sheets.HAS_OCR)
    assert recognition.missing(languages) == lacking
    assert recognition.open_recognizer(languages) is None


def test_without_languages_there_is_nothing_to_recognise_with() -> None:
    assert recognition.open_recognizer(()) is None


def test_without_the_library_every_language_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "_LIBRARY", "tesserocr_that_nobody_has")
    assert recognition.missing(["eng"]) == ("eng",)
    assert recognition.open_recognizer(("eng",)) is None


@needs_ocr
@needs_samples
def test_real_pages_are_read_as_their_text_layer_says() -> None:
    path = SAMPLES / "us-agency-reports" / "2022-annual-performance-report.pdf"
    reading = pdf.open_document(path, PDF)
    try:
        assert isinstance(reading, Pictured)
        (layer,) = reading.part(15, 16)  # type: ignore[attr-defined]
        lines = recognizer().lines(reading.bitmap(15), seconds=60)
    finally:
        reading.close()
    assert f1(normalize(layer.text), normalize(text_of(lines))) >= 0.98


# The rules

BOX = Box(0, 0, 9, 9)


def line(said: str, *, begins: bool = False, confidence: float = 95.0) -> Line:
    return Line(tuple(Word(word, BOX, confidence) for word in said.split()), begins)


def test_paragraphs_are_apart_and_lines_are_not() -> None:
    lines = [line("One two", begins=True), line("three."), line("Four.", begins=True)]
    assert text_of(lines) == "One two\nthree.\n\nFour.\n"


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("inter-", "national", "international"),
        ("inter\u2010", "national", "international"),
        ("Anglo-", "Saxon", "Anglo-Saxon"),
        ("1914 -", "1918", "1914 -\n1918"),
        ("pages 10-", "12", "pages 10-\n12"),
    ],
)
def test_hyphens_after_letters_break_words(first: str, second: str, joined: str) -> None:
    assert normalize(text_of([line(first, begins=True), line(second)])) == joined


def test_a_word_goes_on_in_the_next_column() -> None:
    assert normalize(text_of([line("inter-", begins=True), line("national", begins=True)])) == "international"


def test_what_is_hardly_credible_is_left_out() -> None:
    good, poor = line("Readable words here", begins=True), line("zqx vbn", begins=True, confidence=40.0)
    assert recognition._credible([poor, good]) == [good]  # noqa: SLF001 - the rule alone
    assert recognition._credible([poor] * 30 + [line("the", begins=True)]) == []  # noqa: SLF001 - the same


@given(st.integers(1, 40), st.integers(1, 40), st.binary(min_size=1600, max_size=1600))
def test_turning_twice_changes_nothing(width: int, height: int, pixels: bytes) -> None:
    picture = Bitmap(width, height, pixels[: width * height])
    assert picture.upside_down().upside_down() == picture


@pytest.mark.parametrize(
    ("pixels", "even"), [(b"\xff" * 9, True), (b"\xff\xf0\xe8", True), (b"\xff\xe6", False), (b"", True)]
)
def test_an_empty_sheet_is_even(pixels: bytes, *, even: bool) -> None:
    assert Bitmap(len(pixels), 1, pixels).is_even() is even
