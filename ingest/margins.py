r"""Headers and footers that the pages of one document repeat.

A line at the very edge of a page is a margin where pages near it have the same line at the same edge, or the
same but for a number that counts along with the pages. The first page that says something keeps saying it:
what can be left out is said just before, but for page numbers.

What is found can be left out of a packed prompt without counting again, by the rule of its blocks: if A ends
with `\n` and B starts with neither white space nor `/`, then tokens(A + B) = tokens(A) + tokens(B). An edge
where that does not hold is left alone.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice, pairwise
from typing import Final

from ingest.document import Margin
from ingest.formats import PDF
from ingest.tokens import count_tokens

MAX_LINES: Final = 3
"""Lines at each edge of a page that are looked at."""
MAX_LINE: Final = 120
"""Characters of the longest line that could be a header or footer."""
NEAR: Final = 5
"""Pages before and after one that it is compared with; only so many are held."""
REPEATS: Final = 3
"""Pages among those, itself included, that must have the line."""
MOST: Final = 0.8
"""The share of those pages that must have a footer without a page number: tables and notes end alike, too."""

_EDGE: Final = MAX_LINES * (MAX_LINE + 3)
_SPLIT_LINES: Final = 3 * MAX_LINES
_PAGE_WORDS: Final = frozenset(
    ("page", "pages", "pag", "pág", "seite", "página", "pagina", "sida", "side", "strana", "strona", "sivu")
)
_DIGIT: Final = re.compile(r"\d")
_FIRST_NUMBER: Final = re.compile(r"\W{0,3}(\d{1,6})(?!\w|[.,:/]\d)")
_LAST_NUMBER: Final = re.compile(r"(?<![\w.,:/])(\d{1,6})\W{0,3}$")
_TOTAL: Final = re.compile(r"(?<![\w.,:/])(\d{1,6})\s?(?:of|von|de|/)\s?\d{1,6}\W{0,3}$")
_PAGE_NUMBER: Final = re.compile(rf"\b(?i:{'|'.join(sorted(_PAGE_WORDS))})\.?\s?(\d{{1,6}})(?!\w)")
_TAIL: Final = 24
"""Characters at the end of a line in which its last number is looked for."""
_ROMAN: Final = "ivxlcIVXLC"
_MAX_ROMAN: Final = 9
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_MIN_LETTERS: Final = 4
_DIGITS_AS_ONE: Final = str.maketrans("0123456789", "1111111111")
_OPENINGS: Final = "<\uff1c\ufe64"
"""What a look-alike of a packed prompt's tags may begin with; it is packed differently from what it was."""
_UNLIKE_TAGS: Final = re.compile(r"[.,;()]")
"""None of these stands inside a look-alike: one of them ends it."""

_Counting = tuple[str, int, str]
_Key = str | _Counting
"""What a line has in common with its like: itself, or what stands around a number and how far that is from
the page's own."""


def may_be_in(media_type: str) -> bool:
    """Whether pages of such a file carry margins in their text; rows and slides repeat themselves."""
    return media_type == PDF


@dataclass(frozen=True, slots=True)
class _Edge:
    """One edge of a page.

    Attributes:
        lines: from the edge inwards, each by its keys.
        keys: all of them.
    """

    lines: list[list[_Key]]
    keys: set[_Key]


@dataclass(frozen=True, slots=True)
class _Page:
    number: int
    text: str
    top: _Edge
    bottom: _Edge


class Margins:
    """Compares the first and last lines of a document's pages, as they come."""

    def __init__(self) -> None:
        self._held: deque[_Page] = deque()
        self._undecided = 0
        self._found: list[Margin] = []

    def add(self, number: int, text: str) -> None:
        """Take in a page's cleaned text; pages come in order, each once."""
        if not text:
            return
        top, bottom = _edge(_first_lines(text), number), _edge(_last_lines(text), number)
        self._held.append(_Page(number, text, top, bottom))
        self._undecided += 1
        if self._undecided > NEAR:
            self._decide()

    def found(self) -> tuple[Margin, ...]:
        """Return what is repeated, by page; nothing can be added afterwards."""
        while self._undecided:
            self._decide()
        return tuple(self._found)

    def _decide(self) -> None:
        """Decide on the first page that is undecided: those near it are all there."""
        at = len(self._held) - self._undecided
        page = self._held[at]
        near = list(islice(self._held, at + NEAR + 1))
        head = _head(page.text, _repeated([one.top for one in near], at, _is_header))
        foot = _foot(page.text, _repeated([one.bottom for one in near], at, _is_footer))
        if (head or foot) and head + foot < len(page.text):
            tokens = _tokens(page.text[:head]) + (_tokens(page.text[1 - foot :] + "\n") if foot else 0)
            self._found.append(Margin(page.number, head, foot, tokens))
        self._undecided -= 1
        if at == NEAR:
            self._held.popleft()


def _first_lines(text: str) -> list[str]:
    """The lines at the top that have another one below them."""
    *lines, _ = text[:_EDGE].split("\n", _SPLIT_LINES)
    return [line for line in lines if line][:MAX_LINES]


def _last_lines(text: str) -> list[str]:
    """The lines at the bottom that have another one above them, the last first."""
    _, *lines = text[-_EDGE:].rsplit("\n", _SPLIT_LINES)
    return [line for line in reversed(lines) if line][:MAX_LINES]


def _edge(lines: list[str], page: int) -> _Edge:
    keyed = [_keys(line, page) if len(line) <= MAX_LINE else [] for line in lines]
    return _Edge(keyed, set(chain.from_iterable(keyed)))


def _keys(line: str, page: int) -> list[_Key]:
    keys: list[_Key] = [line]
    if _DIGIT.search(line):
        keys += [(line[:start], int(line[start:end]) - page, line[end:]) for start, end in _numbers(line)]
    first, last = line.partition(" ")[0], line.rpartition(" ")[2]
    if not first.strip(_ROMAN) and len(first) <= _MAX_ROMAN:
        keys.append(("", _roman(first) - page, line[len(first) :]))
    if not last.strip(_ROMAN) and len(last) <= _MAX_ROMAN:
        keys.append((line[: -len(last)], _roman(last) - page, ""))
    return keys


def _numbers(line: str) -> list[tuple[int, int]]:
    """Return where a page's number may stand: first, last, before the number of all; else behind its word."""
    tail = max(0, len(line) - _TAIL)
    found = [_FIRST_NUMBER.match(line), _LAST_NUMBER.search(line, tail), _TOTAL.search(line, tail)]
    if not any(found):
        found = [_PAGE_NUMBER.search(line)]
    return [match.span(1) for match in found if match]


def _roman(numeral: str) -> int:
    """Return its value: a sign before a larger one is taken off."""
    values = [_ROMAN_VALUES[sign] for sign in numeral.upper()]
    return sum(-one if one < following else one for one, following in pairwise([*values, 0]))


def _repeated(near: list[_Edge], at: int, is_steady: Callable[[list[bool], int], bool]) -> int:
    """Return how many lines from the edge of the page `at` inwards are those of a margin."""
    for depth, keys in enumerate(near[at].lines):
        if not any(_is_margin(key, near, at, is_steady) for key in keys):
            return depth
    return len(near[at].lines)


def _is_margin(key: _Key, near: list[_Edge], at: int, is_steady: Callable[[list[bool], int], bool]) -> bool:
    seen = [key in edge.keys for edge in near]
    if sum(seen) < REPEATS or not _is_furniture(key):
        return False
    if isinstance(key, str):
        return any(seen[:at]) and is_steady(seen, at)
    return any(seen[:at]) or not _WORD.search(f"{key[0]} {key[2]}")


def _is_header(seen: list[bool], at: int) -> bool:
    """Whether a header is on three pages in a row or on three left or right ones, as a chapter's title is."""
    return any(
        first >= 0 and seen[first : at + 2 * step + 1 : step][:REPEATS] == [True] * REPEATS
        for step in (1, 2)
        for first in (at - 2 * step, at - step, at)
    )


def _is_footer(seen: list[bool], at: int) -> bool:
    """Whether a footer is on most pages, or on most left or right ones."""
    same_side = seen[at % 2 :: 2]
    return sum(seen) >= MOST * len(seen) or sum(same_side) >= max(REPEATS, MOST * len(same_side))


@lru_cache(maxsize=1024)
def _is_furniture(key: _Key) -> bool:
    """Whether a repeated line may speak of the document: no row of numbers, no `Table 3`."""
    if isinstance(key, str):
        letters = sum(map(str.isalpha, key))
        return letters >= _MIN_LETTERS and 2 * letters >= len(key) - key.count(" ")
    words = _WORD.findall(f"{key[0]} {key[2]}")
    return len(words) != 1 or words[0].casefold() in _PAGE_WORDS


def _head(text: str, lines: int) -> int:
    """Return how many characters at the start can be cut without counting the rest anew: up to so many lines.

    A line that the page says again is one of its own.
    """
    reach = start = 0
    for _ in range(lines if _starts_a_block(text, 0) else 0):
        line = text[start : text.find("\n", start)]
        start += len(line) + 1
        if text.find(f"\n{line}\n", start - 1) >= 0:
            break
        while text.startswith("\n", start):
            start += 1
        if _starts_a_block(text, start):
            reach = start
    return 0 if any(opening in text[:reach] for opening in _OPENINGS) else reach


def _foot(text: str, lines: int) -> int:
    """Return how many characters at the end can be cut, from the line end before them on."""
    reach, end = 0, len(text)
    opening = max(map(text.rfind, _OPENINGS)) if lines else 0
    for _ in range(lines):
        start = text.rfind("\n", 0, end)
        if text.find(f"{text[start:end]}\n", 0, start + 1) >= 0:
            break
        ended = opening < 0 or _UNLIKE_TAGS.search(text, opening, start)
        if ended and _starts_a_block(text, start + 1):
            reach = len(text) - start
        end = start
        while end > 0 and text[end - 1] == "\n":
            end -= 1
    return reach


def _starts_a_block(text: str, at: int) -> bool:
    return at < len(text) and not text[at].isspace() and text[at] != "/"


def _tokens(text: str) -> int:
    """Count; ASCII digits are counted three at a time, whatever they are, so that one count does for many."""
    return _counted(text.translate(_DIGITS_AS_ONE) if text.isascii() else text)


@lru_cache(maxsize=1024)
def _counted(text: str) -> int:
    return count_tokens(text)
