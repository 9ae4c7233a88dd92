"""Finds a quote in a document's pages by folding both to what a quote must keep."""

# Dashes, minus signs and quote glyphs that look alike are what this file is about.
# ruff: noqa: RUF001

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

NEAR = 3000
"""Folded characters that an ellipsis may leave out between two pieces of a quote: about a page and a half."""

MOST_PLACES = 64
"""Occurrences of a piece that are looked at before it counts as found nowhere."""

_BLOCK = 64
"""Stored characters whose folded ones are counted together; a page's offsets are worked out by the block."""

_KEPT_QUOTES = 64

_DROPPED_DOT = re.compile(r"\.(?:(?!\d)|(?<=[^\d\s(\[$€£¥+\-−/~<>=≤≥]\.))")
_WIDE = re.compile(r"[^\x00-\x7f]+")
_ELLIPSIS = re.compile(r"[\[(]\s*(?:…|(?:\.\s?){3,})\s*[\])]|…|(?:\.\s?){3,}")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)*%?|\d*(?:\.\d+)+%?|\d+%?")
_PREFIX = re.compile(r"(?:non|un|in|anti|ex|mis|dis|de|re|sub|pre|post|counter)[-‐‑]$", re.IGNORECASE)
_SYMBOL = re.compile(
    r"(?P<minus>(?<![^\s(\[|=:<>~“\"'])[-−–](?=[$€£¥]?[.\d]))"
    r"|(?P<accounting>\((?=[$€£¥]?\s?\d[\d.,]*%?\s?\)))"
    r"|(?P<comparison>[<>≤≥‹›≠±]=?(?=\s*[-−]?[$€£¥]?[.\d]))"
)
_CURRENCY = re.compile(r"[$€£¥₹₩](?=\s?[.\d])")
_AMOUNT = re.compile(r"([$€£¥₹₩])\s?(\d(?:[\d.,]*\d)?)")
_SELECTORS = frozenset([0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff]"
)


class _Folding(dict[int, str | None]):
    """What becomes of each code point, worked out when first met; None (quicker than "") drops it."""

    def __missing__(self, code: int) -> str | None:
        plain = unicodedata.normalize("NFKC", chr(code)).casefold()
        kept = "".join(letter for letter in plain if _is_kept(letter)) or None
        self[code] = kept
        return kept


class _Plain(dict[int, str | None]):
    """The same for telling `exact` from `close`: drops white space and hyphens, unites quote glyphs."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        dropped = letter.isspace() or letter in "-‐‑" or unicodedata.category(letter) == "Cf"
        self[code] = None if dropped else letter
        return self[code]


_FOLDING = _Folding({ord("."): "."})
_PLAIN = _Plain(
    {ord(glyph): '"' for glyph in "“”„‟«»"}
    | {ord(glyph): "'" for glyph in "‘’‚‛`´"}
    | {ord("‹"): "<", ord("›"): ">", 0xFFFE: None, 0x02: None}
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: from `start` on page index `first` to `end` on page index `last`."""

    first: int
    last: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A quote found letter for letter; `exact` where case and punctuation agree too."""

    place: Place
    exact: bool


class FoldedDocument:
    """One document's pages, folded and joined, so that a quote may cross pages, hyphens and table cells.

    Attributes:
        pages: the stored texts.
        folded: all of them folded, without anything between.
        starts: where each page starts in `folded`, and the end.
    """

    __slots__ = ("_counts", "folded", "pages", "starts")

    def __init__(self, pages: Sequence[str]) -> None:
        self.pages = tuple(pages)
        folds = [fold(text) for text in self.pages]
        self.starts = list(accumulate(map(len, folds), initial=0))
        self.folded = "".join(folds)
        self._counts: dict[int, array[int]] = {}

    def place(self, begin: int, end: int) -> Place:
        """The pages and offsets of a stretch of `folded` (`begin` < `end`)."""
        first, last = self._page_at(begin), self._page_at(end - 1)
        start, stop = self.offset(begin), self.offset(end - 1) + 1
        return Place(first, last, start, stop, self.between(first, last, start, stop))

    def offset(self, position: int) -> int:
        """The offset, in its page's stored text, of what became the folded character at `position`."""
        page = self._page_at(position)
        if page not in self._counts:
            self._counts[page] = _counts(self.pages[page])
        counts, inside = self._counts[page], position - self.starts[page]
        block = bisect_right(counts, inside) - 1
        begin = block * _BLOCK
        lead = max(0, begin - 1)  # a point is judged by its neighbours
        near = self.pages[page][lead : begin + _BLOCK + 1]
        return lead + _offsets(near, begin - lead)[inside - counts[block]]

    def letters(self, pages: range) -> int:
        """How many folded characters these pages have."""
        return self.starts[pages.stop] - self.starts[pages.start]

    def find(self, piece: str, begin: int = 0, end: int | None = None) -> Iterator[int]:
        """Where a folded piece starts, in order, at most MOST_PLACES times."""
        at = begin - 1
        for _ in range(MOST_PLACES):
            at = self.folded.find(piece, at + 1, len(self.folded) if end is None else end)
            if at < 0:
                return
            yield at

    def between(self, first: int, last: int, start: int, stop: int) -> str:
        """The text from `start` on page index `first` to `stop` on `last`, pages joined by a newline."""
        if first == last:
            return self.pages[first][start:stop]
        return "\n".join((self.pages[first][start:], *self.pages[first + 1 : last], self.pages[last][:stop]))

    def _page_at(self, position: int) -> int:
        return bisect_right(self.starts, position) - 1


def fold(text: str) -> str:
    """Letters, digits, marks, `%` and decimal points, compatibility forms and case united."""
    dotless = _DROPPED_DOT.sub(" ", text)
    if not dotless.isascii():  # the few others by themselves, since text is translated fastest in ASCII alone
        plain = _WIDE.sub(lambda found: found.group().translate(_FOLDING), dotless)
        dotless = plain if plain.isascii() else dotless
    return dotless.translate(_FOLDING)


def offsets(text: str) -> list[int]:
    """For each character of `fold(text)`, the offset in `text` it came from."""
    return _offsets(text, 0)


def _offsets(text: str, begin: int) -> list[int]:
    dotless = _DROPPED_DOT.sub(" ", text)[begin:]
    return [at for at, letter in enumerate(dotless, begin) for _ in _FOLDING[ord(letter)] or ""]


def _counts(text: str) -> array[int]:
    """How many folded characters stand before each block of a text, and in all."""
    dotless = _DROPPED_DOT.sub(" ", text)
    blocks = (dotless[begin : begin + _BLOCK] for begin in range(0, len(dotless), _BLOCK))
    return array("L", accumulate((len(block.translate(_FOLDING)) for block in blocks), initial=0))


def pieces(quote: str) -> list[str]:
    """The parts of a quote between its ellipses, those without a letter or digit left out."""
    return [piece for piece in _ELLIPSIS.split(quote) if fold(piece)]


def search(quote: str, document: FoldedDocument, pages: range | None = None) -> Hit | None:
    """The first place where a quote stands letter for letter.

    A place that cuts a word or a number, or where a number has another sign, comparison or currency, is
    passed over. Without a place for the whole, the pieces between ellipses are sought, in order and at most
    NEAR apart.

    Args:
        quote: as the answer shows it, without its quote marks.
        document: where to look.
        pages: page indices, one of which the place must touch.
    """
    for parts in _ways(quote):
        hit = _in_order(parts, document, pages)
        if hit is not None:
            return hit
    return None


def beginnings(quote: str) -> list[str]:
    """What a document must hold one of for `search` to find the quote in it, folded."""
    return [way[0][1] for way in _ways(quote)]


def agrees(quote: str, source: str) -> bool:
    """Whether two texts that fold alike also agree in signs, comparisons and currencies."""
    quoted, stored = _currencies(quote), _currencies(source)
    same = all(stored.get(at, glyph) == glyph for at, glyph in quoted.items())
    return same and symbols(quote) == symbols(source)


def currency_clash(quote: str, source: str) -> tuple[str, str] | None:
    """An amount of the quote that the source has in other currencies only, as both write it."""
    stored: dict[str, list[str]] = {}
    for glyph, amount in _AMOUNT.findall(source):
        stored.setdefault(amount, []).append(glyph)
    for glyph, amount in _AMOUNT.findall(quote):
        if glyph not in stored.get(amount, [glyph]):
            return glyph + amount, stored[amount][0] + amount
    return None


def symbols(text: str) -> dict[int, str]:
    """Minus signs (accounting brackets too) and comparisons before numbers, by folded offset."""
    return {len(fold(text[: found.start()])): _symbol(found) for found in _SYMBOL.finditer(text)}


def is_spaceless(text: str) -> bool:
    """Whether a letter is of a script that writes no spaces between words (Korean's particles count too)."""
    return not text.isascii() and _SPACELESS.search(text) is not None


def trimmed(text: str) -> str:
    """The text from its first to its last letter, digit or other kept character."""
    kept = offsets(text)
    return text[kept[0] : kept[-1] + 1] if kept else ""


@lru_cache(maxsize=_KEPT_QUOTES)
def _ways(quote: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The quote whole, and its pieces where it has several, each as it is and folded; the last are kept."""
    parts = pieces(quote)
    ways = ([quote], parts) if len(parts) > 1 else ([quote],)
    return tuple(tuple((part, fold(part)) for part in way) for way in ways)


def _in_order(parts: Sequence[tuple[str, str]], document: FoldedDocument, pages: range | None) -> Hit | None:
    """The parts one after the other, each at most NEAR after the last, touching one of the pages."""
    length = len(parts[0][1])
    begin, end = 0, len(document.folded)
    if pages is not None:
        begin = max(0, document.starts[pages.start] - sum(len(folded) for _, folded in parts) + 1)
        end = document.starts[pages.stop] + length - 1
    for at in _places(*parts[0], document, begin, end):
        stop = at + length
        for part, folded in parts[1:]:
            following = next(_places(part, folded, document, stop, stop + NEAR + len(folded)), None)
            if following is None:
                break
            stop = following + len(folded)
        else:
            return _hit([part for part, _ in parts], document.place(at, stop))
    return None


def _places(part: str, folded: str, document: FoldedDocument, begin: int, end: int) -> Iterator[int]:
    for at in document.find(folded, begin, end):
        place = document.place(at, at + len(folded))
        if _is_whole(document, place, at, at + len(folded)) and agrees(part, _widened(document, place)):
            yield at


def _hit(parts: Sequence[str], place: Place) -> Hit:
    exact = len(parts) == 1 and _plain(trimmed(parts[0])) == _plain(place.text)
    return Hit(place, exact)


def _is_whole(document: FoldedDocument, place: Place, begin: int, end: int) -> bool:
    """Whether the place cuts no word and no number, nor the letters of one ligature, at either end."""
    first, last = document.pages[place.first], document.pages[place.last]
    ligature = (begin > document.starts[place.first] and document.offset(begin - 1) == place.start) or (
        end < document.starts[place.last + 1] and document.offset(end) == place.end - 1
    )
    return not (ligature or _cuts_start(first, place.start) or _cuts_end(last, place.end))


def _cuts_start(text: str, at: int) -> bool:
    if at == 0:
        return False
    before, letter = text[at - 1], text[at]
    if letter.isdigit() and before.isalpha() and not is_spaceless(before):
        return True
    return _splits(text, at) or bool(_PREFIX.search(text[max(0, at - 9) : at]))


def _cuts_end(text: str, at: int) -> bool:
    if at == len(text):
        return False
    letter, after = text[at - 1], text[at]
    if letter.isdigit() and ((after.isalpha() and not is_spaceless(after)) or after in "%‰"):
        return True
    negated = text[at : at + 2].casefold() in ("'t", "’t")
    return _splits(text, at) or negated


def _splits(text: str, at: int) -> bool:
    """Whether offset `at` lies inside a word (of a script with spaces) or a number."""
    before, after = text[at - 1], text[at]
    if is_spaceless(before) or is_spaceless(after):
        return False
    if before.isalpha() and after.isalpha():
        return True
    begin = max(0, at - 20)
    return any(found.start() < at - begin < found.end() for found in _NUMBER.finditer(text[begin : at + 20]))


def _widened(document: FoldedDocument, place: Place) -> str:
    """The place's text with the signs that stand directly at its ends."""
    first, last = document.pages[place.first], document.pages[place.last]
    lead = re.search(
        r"(?:(?<![^\s(\[|])[-−–]|[(<>≤≥‹›≠±]\s?)?[$€£¥₹₩]?$", first[max(0, place.start - 4) : place.start]
    )
    tail = re.match(r"\s?\)", last[place.end : place.end + 2])
    return (lead.group() if lead else "") + place.text + (tail.group() if tail else "")


def _is_kept(letter: str) -> bool:
    if letter.isalnum() or letter in "%‰":
        return True
    return unicodedata.category(letter).startswith("M") and ord(letter) not in _SELECTORS


def _symbol(found: re.Match[str]) -> str:
    if found.lastgroup != "comparison":
        return "-"
    return found.group().translate({ord("‹"): "<", ord("›"): ">"}).replace("<=", "≤").replace(">=", "≥")


def _currencies(text: str) -> dict[int, str]:
    return {len(fold(text[: found.start()])): found.group() for found in _CURRENCY.finditer(text)}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_PLAIN)
