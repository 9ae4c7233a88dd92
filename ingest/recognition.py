"""Reading text off a picture (OCR) through Tesseract: the only importer of tesserocr.

Runs in the reading and drawing processes alone: the pictures are anybody's. Where the library or the data of
a language is missing, there is simply no recognition.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ingest.raster import Bitmap, Box

DENSITY: Final = 200
"""Dots per inch that pages are drawn with to be recognised: more takes longer and reads no better."""
MAX_PIXELS: Final = 20_000_000
MAX_SIDE: Final = 10_000
"""Bounds of what is recognised; A3 at 200 dpi has 7.7 million pixels."""
MIN_SIDE: Final = 20

LEAST_CONFIDENCE: Final = 30.0
"""Of 100, which a word needs. Measured: 0.3 % of the words read right fall below it."""
LEAST_LINE: Final = 60.0
"""Of 100, which the words of a line need on average, by their letters: textures and edges of photographs stay
below, words read right are at 95."""
LEAST_SHARE: Final = 0.15
"""Of a picture's letters, which are credible where there is text: single words in a texture are none."""
UPRIGHT: Final = 60.0
"""Of 100; a page read with less confidence on average may stand on its head."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{3}[A-Za-z_]{0,20}")
_LIBRARY: Final = "tesserocr"
_SYSTEM: Final = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_TO_PREFIX: Final = 4
"""From lib/python3.x/site-packages/tesserocr/__init__.py up to where packages leave their data."""
_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]$")
"""After a letter, at the end of a line."""
_BROKEN: Final = "\2"
"""What `ingest.normalize` takes for a word that goes on in the next line."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands, in pixels of the picture; confidence of 100."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line, in reading order; `begins` a paragraph."""

    words: tuple[Word, ...]
    begins: bool


class TooSlow(Exception):
    """The time was over before the text was read."""


def missing(languages: Sequence[str]) -> tuple[str, ...]:
    """Return those of the languages that can't be recognised here: no library, or no data.

    Args:
        languages: as Tesseract names them, such as `eng` or `chi_sim`.
    """
    known = [language for language in languages if _LANGUAGE.fullmatch(language)]
    if importlib.util.find_spec(_LIBRARY) is None or not known:
        return tuple(languages)
    if len(known) == len(languages) and _data_folder(languages) is not None:
        return ()
    found = {language for language in known if _data_folder([language]) is not None}
    return tuple(language for language in languages if language not in found) or tuple(languages)


def open_recognizer(languages: Sequence[str]) -> Recognizer | None:
    """Load what recognises these languages, in about a tenth of a second; None where it is not there."""
    if not languages or missing(languages):
        return None
    try:
        import tesserocr  # noqa: PLC0415 - heavy, not there for every platform, and needed for scans alone
    except ImportError:
        return None
    engine = tesserocr.PyTessBaseAPI(
        path=f"{_data_folder(languages)}/",
        lang="+".join(languages),
        psm=tesserocr.PSM.AUTO,
        oem=tesserocr.OEM.LSTM_ONLY,
    )
    return Recognizer(engine, tesserocr.RIL)


class Recognizer:
    """Tesseract with its languages loaded. Takes 1 to 4 s of one processor a page."""

    def __init__(self, engine: Any, levels: Any) -> None:  # noqa: ANN401 - the library's
        self._engine = engine
        self._levels = levels

    def lines(self, bitmap: Bitmap, *, seconds: float) -> list[Line]:
        """Return the lines on a picture, which may stand on its head or lie on its side.

        Raises:
            TooSlow: it takes longer.
        """
        if min(bitmap.width, bitmap.height) < MIN_SIDE:
            return []
        end = time.monotonic() + seconds
        upright = self._read(bitmap, end)
        if _confidence(upright) >= UPRIGHT or not any(line.words for line in upright):
            return _credible(upright)
        turned = self._read(bitmap.upside_down(), end)
        if _confidence(turned) <= _confidence(upright):
            return _credible(upright)
        return [_turned(line, bitmap) for line in _credible(turned)]

    def _read(self, bitmap: Bitmap, end: float) -> list[Line]:
        self._engine.SetImageBytes(bitmap.pixels, bitmap.width, bitmap.height, 1, bitmap.width)
        self._engine.SetSourceResolution(DENSITY)
        left = int(1000 * (end - time.monotonic()))
        if left <= 0 or not self._engine.Recognize(timeout=left):
            raise TooSlow
        try:
            return list(self._found())
        finally:
            self._engine.Clear()

    def _found(self) -> Iterator[Line]:
        word_level, line_level = self._levels.WORD, self._levels.TEXTLINE
        at = self._engine.GetIterator()
        held: list[Word] = []
        begins = True
        while at is not None and not at.Empty(word_level):
            if at.IsAtBeginningOf(line_level):
                begins = at.IsAtBeginningOf(self._levels.PARA)
            held.append(
                Word(
                    at.GetUTF8Text(word_level).strip(),
                    Box(*at.BoundingBox(word_level)),
                    at.Confidence(word_level),
                )
            )
            if at.IsAtFinalElement(line_level, word_level):
                yield Line(tuple(held), begins)
                held = []
            if not at.Next(word_level):
                return


def text_of(lines: Sequence[Line]) -> str:
    """Return the text, paragraphs apart, words that lines break marked for `ingest.normalize`."""
    parts: list[str] = []
    for line in lines:
        said = _HYPHEN.sub(_BROKEN, " ".join(word.text for word in line.words))
        broken = parts and parts[-1].endswith(f"{_BROKEN}\n")
        parts.append(f"\n{said}\n" if line.begins and parts and not broken else f"{said}\n")
    return "".join(parts)


def _credible(lines: Sequence[Line]) -> list[Line]:
    """Leave out what is more likely a texture than a word; paragraphs still begin where they did."""
    kept = []
    begins = False
    for line in lines:
        begins = begins or line.begins
        words = tuple(word for word in line.words if word.text and word.confidence >= LEAST_CONFIDENCE)
        if words and _confidence([line]) >= LEAST_LINE:
            kept.append(Line(words, begins))
            begins = False
    return kept if _letters(kept) >= LEAST_SHARE * _letters(lines) else []


def _confidence(lines: Sequence[Line]) -> float:
    """The mean confidence, by letters."""
    certain = sum(word.confidence * len(word.text) for line in lines for word in line.words)
    return certain / max(1, _letters(lines))


def _letters(lines: Sequence[Line]) -> int:
    return sum(len(word.text) for line in lines for word in line.words)


def _turned(line: Line, bitmap: Bitmap) -> Line:
    """The line where it stands on the picture that was turned to read it."""
    words = (
        replace(
            word,
            box=Box(
                bitmap.width - word.box.right,
                bitmap.height - word.box.bottom,
                bitmap.width - word.box.left,
                bitmap.height - word.box.top,
            ),
        )
        for word in line.words
    )
    return replace(line, words=tuple(words))


def _data_folder(languages: Sequence[str]) -> Path | None:
    """Return the first folder that holds all of the languages: Tesseract loads from one alone."""
    found = importlib.util.find_spec(_LIBRARY)
    places = [Path(sys.prefix, "share", "tessdata"), *map(Path, _SYSTEM)]
    if found is not None and found.origin and len(Path(found.origin).parents) > _TO_PREFIX:
        places.insert(0, Path(found.origin).parents[_TO_PREFIX] / "share" / "tessdata")
    for place in places:
        if all((place / f"{language}.traineddata").is_file() for language in languages):
            return place
    return None
