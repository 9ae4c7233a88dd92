"""Long running text cut into bounded sections, at the gentlest place near the wished length."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

WISHED_CHARS: Final = 3_000
"""About one printed page."""
MAX_CHARS: Final = 20_000
"""A section without a single line end or blank is cut here."""

# The gentlest cut first: where each kind may fall, and how far beyond the wished length it is looked for.
Cuts = tuple[tuple[re.Pattern[str], int], ...]

RUNNING_TEXT: Final[Cuts] = (
    (re.compile(r"\n(?:[ \t]*\n)+"), 2 * WISHED_CHARS),
    (re.compile(r"\n"), 3 * WISHED_CHARS),
    (re.compile("[.!?\u2026][\"'\u201d\u2019)\\]]*\\s+|[\u3002\uff01\uff1f]"), 4 * WISHED_CHARS),
    (re.compile(r"\s+"), MAX_CHARS),
)


def sections(pieces: Iterable[str], cuts: Cuts = RUNNING_TEXT) -> Iterator[str]:
    """Cut a stream of text into sections of about `WISHED_CHARS` and at most `MAX_CHARS` characters.

    A form feed always ends a section. Joined, the sections are the text, but for white space where they meet;
    a section of blanks alone is not given. Holds one piece and `MAX_CHARS` characters at a time.
    """
    buffer = ""
    for piece in pieces:
        buffer += piece
        if len(buffer) <= 2 * MAX_CHARS:
            continue
        start = 0
        while len(buffer) - start > MAX_CHARS:
            end = _cut(buffer, start, cuts)
            yield from _visible(buffer[start:end])
            start = end
        buffer = buffer[start:]
    yield from _rest(buffer, cuts)


def _rest(text: str, cuts: Cuts) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = _cut(text, start, cuts)
        yield from _visible(text[start:end])
        start = end


def _visible(section: str) -> Iterator[str]:
    if (section := section.strip("\f\n")) and not section.isspace():
        yield section


def _cut(text: str, start: int, cuts: Cuts) -> int:
    """Where the section that begins at `start` ends; always beyond `start`."""
    end = min(start + MAX_CHARS, len(text))
    feed = text.find("\f", start, end)
    if feed >= 0:
        end = feed + 1
    if end - start <= WISHED_CHARS * 4 // 3:
        return end
    for pattern, reach in cuts:
        if place := _nearest(pattern, text, start, min(end, start + reach)):
            return place
    return _between_letters(text, start, end)


def _nearest(pattern: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    """The end of the match nearest to the wished length, but not in the section's first third."""
    wished = start + WISHED_CHARS
    ends = [match.end() for match in pattern.finditer(text, start + WISHED_CHARS // 3, end)]
    return min(ends, key=lambda place: abs(place - wished), default=None)


def _between_letters(text: str, start: int, end: int) -> int:
    """Back from `end` to a place that parts no letter from its marks, where one is near."""
    for place in range(end, max(end - 64, start + 1), -1):
        if place == len(text) or not (unicodedata.combining(text[place]) or text[place] in "\u200d\ufe0f"):
            return place
    return end
