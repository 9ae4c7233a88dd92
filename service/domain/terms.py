"""Words of a text as terms to search by: one analysis for pages, names and questions alike.

Case and accents are folded, English endings taken off words in Latin letters, years written alike (`FY18`,
`FY 2018` and `2018`), and scripts without spaces, or with words that grow endings (Chinese, Japanese, Korean,
Thai and its neighbours), cut into pairs of neighbouring characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

ANALYSIS = "2"
"""Raise it with whatever changes a term: an index of other terms is built anew."""

LONGEST = 48
"""Characters of a word; what goes on after them is no word that anybody asks for."""

_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u0900-\u0963\u0966-\u0df3"
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f71-\u0f84\u102b-\u103e\u1056-\u1059"
    "\u17b4-\u17d3\u1ab0-\u1ace\u1dc0-\u1dff\u3099\u309a"
)
"""Vowels and accents that stand beside a letter as characters of their own; they part no word."""

_WORD = re.compile(rf"[\w{_MARKS}]+")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"
)
_RUN = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_PAIRED = re.compile(rf"[{_UNSPACED}]")
_FISCAL = re.compile(r"fy(?:(\d\d)|((?:19|20)\d\d))")
_YEAR = re.compile(r"\d\d|(?:19|20)\d\d")
_CENTURY_TURNS = 70
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")

_PASSED_OVER = frozenset(
    """a about above after all also am an and any are as at be because been before being below between both
    but by can could did do does doing during each few for from further had has have having he her here hers
    him his how i if in into is it its itself just me more most my no nor not now of off on once only or other
    our out over own per please s same she should so some such t tell than that the their them then there
    these they this those through to too under until up upon us very was we were what when where which while
    who whom whose why will with would you your
    aber als am an auf aus bei das dem den der des die ein eine einem einen einer eines er es fur hat ich ihr
    im ist kann mit nach nicht oder sich sie sind uber um und von war waren was welche welcher welches wer wie
    wir wird wo zu zum zur
    au aux avec ce ces cette dans de des du elle en est et il ils je l la le les leur mais ne nous on ou par
    pas pour qu que quel quelle quels quelles qui sa se ses son sont sur un une vous
    al como con cual cuales cuando del donde el ella en era es esta este estos fue ha han hay las lo los mas
    no para pero por porque que quien se sin sobre son su sus un una unos y
    """.split()  # noqa: SIM905 - words as words
)


def joined(text: str) -> str:
    """Return a text's terms in order, parted by single spaces."""
    lowered = (text if text.isascii() else unicodedata.normalize("NFC", text)).lower()
    words = _words(lowered)
    if "fy" in words:
        words = list(_with_years(words))
    return " ".join(filter(None, map(_of_word, words)))


def of_text(text: str) -> tuple[str, ...]:
    """Return a text's terms, as often as they stand in it and in order."""
    return tuple(joined(text).split())


def of_question(text: str) -> tuple[str, ...]:
    """Return what a question asks for, each term once; function words only where there is nothing else."""
    lowered = unicodedata.normalize("NFC", text).lower()
    said = [word for word in _words(lowered) if _folded(word) not in _PASSED_OVER]
    return tuple(dict.fromkeys(of_text(" ".join(said)) or of_text(text)))


@lru_cache(maxsize=1 << 14)
def of_name(filename: str) -> frozenset[str]:
    """Return the terms of a file's name, which is cut at punctuation, at capitals and around digits."""
    stem = unicodedata.normalize("NFC", _ENDING.sub("", filename))
    return frozenset(of_text(" ".join(_PIECE.findall(stem)))) | frozenset(of_text(stem))


@lru_cache(maxsize=1 << 14)
def of_title(title: str) -> frozenset[str]:
    """Return the terms of a document's title."""
    return frozenset(of_text(title))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("_", " "))


def _with_years(words: list[str]) -> Iterator[str]:
    """`fy` and the year behind it as one word."""
    waiting = False
    for word in words:
        if waiting and _YEAR.fullmatch(word):
            yield f"fy{word}"
        else:
            if waiting:
                yield "fy"
            if word != "fy":
                yield word
        waiting = word == "fy"
    if waiting:
        yield "fy"


@lru_cache(maxsize=1 << 17)
def _of_word(word: str) -> str:
    """A word's terms, parted by spaces."""
    folded = _folded(word)
    if folded.isascii():
        return _stemmed(folded[:LONGEST])
    if not _PAIRED.search(folded):
        return folded[:LONGEST]
    return " ".join(term for run in _RUN.findall(folded) for term in _of_run(run))


def _of_run(run: str) -> Iterator[str]:
    if not _PAIRED.match(run):
        yield _stemmed(run[:LONGEST]) if run.isascii() else run[:LONGEST]
    elif len(run) == 1:
        yield run
    else:
        yield from (a + b for a, b in pairwise(run))


def _folded(word: str) -> str:
    """Without case, accents and differences of width; whole where its marks are part of its letters."""
    if word.isascii():
        return word
    folded = unicodedata.normalize("NFKC", word.casefold())
    if _PAIRED.search(folded):
        return "".join(_words(folded))
    parted = unicodedata.normalize("NFKD", folded)
    return "".join(_words("".join(char for char in parted if not unicodedata.combining(char))))


def _stemmed(word: str) -> str:
    """A light stem: plural, -ing, -ed and a final e or y taken off; a fiscal year is its year."""
    fiscal = _FISCAL.fullmatch(word)
    if fiscal:
        short, full = fiscal.groups()
        return full or f"{'19' if int(short) >= _CENTURY_TURNS else '20'}{short}"
    if len(word) <= 3 or not word.isalpha():  # noqa: PLR2004 - "gas", "2018s"
        return word
    if word.endswith(("sses", "ches", "shes", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("ies"):
        word = f"{word[:-3]}y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if len(word) > 3 and word[-1] in "ey":  # noqa: PLR2004 - "the", "day"
        word = word[:-1] + ("i" if word[-1] == "y" else "")
    return word
