"""Where a quote stands on a picture, which is read for it: scans keep no places of their words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingest import highlights
from ingest.raster import Bitmap, Box
from ingest.recognition import Line, TooSlow, open_recognizer

SECONDS: Final = 8.0
"""For reading one page: twice as long as a dense one takes."""


def boxes(quote: str, bitmap: Bitmap, languages: Sequence[str], *, width: int, height: int) -> list[Box]:
    """Return the boxes of the words that make up the quote, on the picture drawn in another size.

    None of them where it is not there, where nothing here reads the languages, or where it takes too long.
    """
    recognizer = open_recognizer(languages)
    if recognizer is None:
        return []
    try:
        lines = recognizer.lines(bitmap, seconds=SECONDS)
    except TooSlow:
        return []
    across, down = width / bitmap.width, height / bitmap.height
    return [
        Box(
            int(box.left * across),
            int(box.top * down),
            int(box.right * across) + 1,
            int(box.bottom * down) + 1,
        )
        for box in places(quote, lines)
    ]


def places(quote: str, lines: Sequence[Line]) -> list[Box]:
    """Return the boxes of the quote's words, those of one line in one, on the picture that was read."""
    words = [(word, number) for number, line in enumerate(lines) for word in line.words]
    starts: list[int] = []
    said = ""
    for at, (word, number) in enumerate(words):
        starts.append(len(said))
        broken = word.text.endswith("-") and at + 1 < len(words) and words[at + 1][1] != number
        said += word.text if broken else f"{word.text} "
    found: dict[tuple[int, int], Box] = {}
    for span, (start, stop) in enumerate(highlights.on_page(quote, said)):
        for begin, (word, number) in zip(starts, words, strict=True):
            if begin < stop and begin + len(word.text) > start:
                known = found.get((span, number))
                found[span, number] = word.box if known is None else known.union(word.box)
    return list(found.values())
