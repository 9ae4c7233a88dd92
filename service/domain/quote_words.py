"""The words of quotes and of the sources they are laid beside."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from service.domain.quotes import FoldedDocument, fold, is_spaceless, symbols

_HEADER_LINES = 4
_HEADER_WIDTH = 100
ARTICLES = frozenset(["a", "an", "the", "this", "that", "these", "those", "such"])
PAIRS = (
    ARTICLES,
    frozenset(["is", "are"]),
    frozenset(["was", "were"]),
    frozenset(["has", "have"]),
    frozenset(["its", "their"]),
)
DROPPABLE = ARTICLES | {"which", "who", "it", "also", "is", "are", "was", "were"}
LINKS = frozenset(["of", "and", "in", "on", "at", "for", "to", "as"])
SMALL = DROPPABLE.union(LINKS, *PAIRS)
"""Function words: a quote may have some of these otherwise than its source."""

_KEPT_KEYS = 8192
_KEPT_LENGTH = 40

_TOKEN = re.compile(
    r"(?P<gap>[\[(]\s*(?:…|(?:\.\s?){3,})\s*[\])]|…|(?:\.\s?){3,})"
    r"|(?P<bracket>\[(?=[^\[\]]{1,80}\])|\])"
    r"|(?P<word>(?:(?<![^\s(])\(?[-−–](?=[$€£¥]?[.\d]))?[^\s\-‐‑‒–—−/|…\[\]]+)"  # noqa: RUF001 - dashes part words
)


class Word(NamedTuple):
    """One word: its key to compare by, its text, and where it stands (page index, start, end).

    `skippable` is set in a quote for words in square brackets, in a source for lines at a page edge that may
    be headers and footers. A named tuple, since a search makes thousands and these are made fastest.
    """

    key: str
    text: str
    page: int = 0
    start: int = 0
    end: int = 0
    skippable: bool = False


GAP = Word("", "…")
"""Stands for what an ellipsis leaves out."""


def quote_words(quote: str) -> list[Word]:
    """A quote's words; ellipses are gaps, words in square brackets are marked."""
    words: list[Word] = []
    bracket = False
    for found in _TOKEN.finditer(quote):
        if found.lastgroup == "gap":
            words.append(GAP)
        elif found.lastgroup == "bracket":
            bracket = found.group() == "["
        else:
            words.extend(_split(found, 0, skippable=bracket))
    return words


def source_words(document: FoldedDocument, begin: int, end: int) -> list[Word]:
    """The words of a stretch of the folded text, of those at its ends the whole."""
    place = document.place(begin, end)
    words: list[Word] = []
    for page in range(place.first, place.last + 1):
        text = document.pages[page]
        start = place.start if page == place.first else 0
        stop = place.end if page == place.last else len(text)
        start, stop = _outward(text, start, stop)
        head = _head_end(text) if page > place.first else 0
        foot = _foot_start(text) if page < place.last else len(text)
        for found in _TOKEN.finditer(text, start, stop):
            if found.lastgroup == "word":
                edge = found.start() < head or found.start() >= foot
                words.extend(_split(found, page, skippable=edge))
    return words


def _outward(text: str, start: int, stop: int) -> tuple[int, int]:
    """Offsets moved outward to white space, so that no word at a region's edge is cut."""
    while start > 0 and not text[start - 1].isspace() and not is_spaceless(text[start - 1]):
        start -= 1
    while stop < len(text) and not text[stop].isspace() and not is_spaceless(text[stop]):
        stop += 1
    return start, stop


def _head_end(text: str) -> int:
    """Where the short lines at the top of a page end, which may be a header."""
    end = 0
    for line in text.splitlines(keepends=True)[:_HEADER_LINES]:
        if len(line) > _HEADER_WIDTH:
            break
        end += len(line)
    return end


def _foot_start(text: str) -> int:
    start = len(text)
    for line in reversed(text.splitlines(keepends=True)[-_HEADER_LINES:]):
        if len(line) > _HEADER_WIDTH:
            break
        start -= len(line)
    return start


def _split(found: re.Match[str], page: int, *, skippable: bool) -> list[Word]:
    """The word, or its letters one by one where its script writes no spaces."""
    text, start = found.group(), found.start()
    if not is_spaceless(text):
        key = _key(text)
        return [Word(key, text, page, start, found.end(), skippable)] if key else []
    return [
        Word(key, letter, page, start + at, start + at + 1, skippable)
        for at, letter in enumerate(text)
        if (key := _key(letter))
    ]


def _key(text: str) -> str:
    """The word's key; those of short words are kept for the next time."""
    return _kept_key(text) if len(text) <= _KEPT_LENGTH else _new_key(text)


@lru_cache(maxsize=_KEPT_KEYS)
def _kept_key(text: str) -> str:
    return _new_key(text)


def _new_key(text: str) -> str:
    """The folded word, the signs of its numbers kept at its front."""
    folded = fold(text)
    signed = not folded.isalpha() and any(map(str.isdigit, folded))
    return "".join(symbols(text).values()) + folded if signed else folded
