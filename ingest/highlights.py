"""Finds a quote among the characters of a page, whatever lies between its letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

MOST_PLACES: Final = 200
"""Places of one quote that are looked at on one page."""
NEAR: Final = 3_000
"""Letters that an ellipsis may leave out between two pieces of a quote: about a page and a half."""
FURNITURE: Final = 400
"""Letters of footers before a page break, or of headers after it, that may interrupt a quote."""

_FEWEST: Final = 3
"""Letters that both halves of an interrupted quote have at least: fewer are found anywhere."""
_OVERRUN: Final = 40
"""Letters that a footer may by chance share with what follows in the quote."""
_TELLING: Final = 12
"""Letters from which on a quote is taken for found even where it cuts a word."""
_SPACELESS: Final = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]"
)
"""Letters of scripts that write no spaces between words (Korean's particles count too)."""
_ELLIPSIS: Final = re.compile(r"[\[(]\s*(?:…|(?:\.\s?){3,})\s*[\])]|…|(?:\.\s?){3,}")

Span = tuple[int, int]
"""From one offset up to another."""


class Letters:
    """A text as its letters and digits alone: decomposed, without accents and case (NFKD, casefold).

    Hyphens, ligatures, spaces and line ends make no difference any more.

    Attributes:
        text: as it was.
        folded: its letters and digits.
        origin: for each of them, the offset in `text` it came from.
    """

    __slots__ = ("folded", "origin", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self.origin = [at for at, character in enumerate(text) for _ in _FOLDING[ord(character)]]

    def is_whole(self, span: Span) -> bool:
        """Whether a stretch of `folded` cuts no word at either end."""
        first, last = self.origin[span[0]], self.origin[span[1] - 1]
        return not (self._is_inside(first) or self._is_inside(last + 1))

    def range_of(self, span: Span) -> Span:
        """The stretch of `text` behind a stretch of `folded`."""
        return self.origin[span[0]], self.origin[span[1] - 1] + 1

    def _is_inside(self, at: int) -> bool:
        """Whether an offset of `text` lies inside a word, of a script with spaces between words."""
        sides = self.text[at - 1 : at + 1] if at else ""
        return len(sides) == 2 and sides.isalnum() and not _SPACELESS.search(sides)  # noqa: PLR2004 - its two sides


class _Folding(dict[int, str]):
    """What becomes of each code point, worked out when first met."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        self[code] = "".join(filter(str.isalnum, plain))
        return self[code]


_FOLDING: Final = _Folding()


def fold(text: str) -> str:
    """Return the letters and digits of a text, without accents and case."""
    return text.translate(_FOLDING)


def on_page(quote: str, page: str) -> list[Span]:
    """Return where the quote stands on the page, as stretches of its characters.

    All places that cut no word; of a long quote, those that do where there is no other. Where the whole is
    nowhere, the pieces between its ellipses, one after the other.
    """
    letters = Letters(page)
    return [letters.range_of(span) for span in _spans(quote, letters)]


def across(quote: str, before: str, page: str, after: str) -> list[Span]:
    """Return which part of a quote that runs over a page break stands on `page`.

    Footers and headers may interrupt it there.
    """
    joined = Letters(f"{before}\n{page}\n{after}")
    begin = len(before) + 1
    found = [joined.range_of(span) for span in _spans(quote, joined)]
    clipped = [(max(start, begin) - begin, min(stop, begin + len(page)) - begin) for start, stop in found]
    return [(start, stop) for start, stop in clipped if start < stop] or _interrupted(
        fold(quote), Letters(before), Letters(page), Letters(after)
    )


def _spans(quote: str, letters: Letters) -> list[Span]:
    pieces = [folded for piece in _ELLIPSIS.split(quote) if (folded := fold(piece))]
    return _whole_first(_places(fold(quote), letters.folded), letters) or _in_order(pieces, letters)


def _whole_first(spans: Iterator[Span], letters: Letters) -> list[Span]:
    """The spans that cut no word; where each does, the long ones."""
    every = list(spans)
    return [span for span in every if letters.is_whole(span)] or [
        (start, stop) for start, stop in every if stop - start >= _TELLING
    ]


def _in_order(pieces: Sequence[str], letters: Letters) -> list[Span]:
    """The first place where the pieces follow each other, each at most NEAR after the last."""
    if len(pieces) < 2:  # noqa: PLR2004 - one piece is no sequence
        return []
    for first in _whole_first(_places(pieces[0], letters.folded), letters):
        spans = [first]
        for piece in pieces[1:]:
            begin = spans[-1][1]
            following = _places(piece, letters.folded, begin, begin + NEAR + len(piece))
            spans += _whole_first(following, letters)[:1]
        if len(spans) == len(pieces):
            return spans
    return []


def _places(sought: str, folded: str, begin: int = 0, end: int | None = None) -> Iterator[Span]:
    at = begin - 1
    for _ in range(MOST_PLACES if sought else 0):
        at = folded.find(sought, at + 1, len(folded) if end is None else end)
        if at < 0:
            return
        yield at, at + len(sought)


def _interrupted(sought: str, before: Letters, page: Letters, after: Letters) -> list[Span]:
    halves = _halves(sought, page, after)
    if halves is not None:
        return [page.range_of(halves[0])]
    halves = _halves(sought, before, page)
    return [] if halves is None else [page.range_of(halves[1])]


def _halves(sought: str, upper: Letters, lower: Letters) -> tuple[Span, Span] | None:
    """The end of one page and the head of the next that make up the quote, what stands between left out."""
    begin = max(0, len(upper.folded) - FURNITURE - len(sought))
    for start, _ in _places(sought[:_FEWEST], upper.folded, begin):
        shared = _shared(upper.folded[start : start + len(sought)], sought)
        if start + shared < len(upper.folded) - FURNITURE:
            continue
        for size in range(min(shared, len(sought) - _FEWEST), max(_FEWEST, shared - _OVERRUN) - 1, -1):
            rest = _places(sought[size:], lower.folded, 0, FURNITURE + len(sought) - size)
            second = next(filter(lower.is_whole, rest), None)
            if second is not None and upper.is_whole((start, start + size)):
                return (start, start + size), second
    return None


def _shared(first: str, second: str) -> int:
    """How many letters two texts begin with in common."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))
