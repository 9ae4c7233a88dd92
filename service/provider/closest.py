"""Ranks the sentences of a corpus against a question, without a model: BM25 and a few hints.

Two stages, so that a million tokens take a second: whole passages first, then the sentences of the best of
them, each with its passage's and its neighbours' score and a bonus where it holds what the question asks for
(a date, a number, a name).
"""

# Typographic apostrophes and dashes are what some patterns are about.
# ruff: noqa: RUF001

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

LONGEST = 60
"""Words of a sentence that is shown; a longer one is cut to a window around the match, word for word."""

_BEST_PASSAGES = 48
_PER_PAGE = 2
_K1 = 1.2
_PASSAGE_B = 0.75
_SENTENCE_B = 0.5
_TYPICAL_SENTENCE = 22.0
_PASSAGE_WEIGHT = 0.4
_CONTEXT_WEIGHT = 0.2
_NAME_WEIGHT = 0.5
_HINT_WEIGHT = 0.25
_PAIR_WEIGHT = 0.5
_PAIR_REACH = 3
_FULL_WORDS = 5  # words beyond the question's that make a sentence say something; a bare heading has fewer
_EMPTY = 0.5
_SAME_DOCUMENT = (
    0.9  # what a sentence of a document already shown is worth: another's wins when scores are close
)
_NEVER_FIRST = 1e6
_HEADING = 0.6

_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+"
)
_FISCAL = re.compile(r"fy(?:20)?(\d\d)")
_STOP = re.compile(r"[.!?][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[^\sa-z])|[。！？]")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|vs|etc|Inc|Co|Corp|Ltd|Jr|Sr|Gen|Col|Capt|Lt|Sec|Art|Fig|approx|e\.g|i\.e|cf"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)|\b[A-Z])$"
)
_ROW = re.compile(
    r"\t|\|| {3,}|[\d%)] +\(?[-$]?\d[\d,.]*%?\)? +\(?[-$]?\d|[\d%)] +\(?[-$]?\d[\d,.]*%?\)?\s*$"
)
_SKIPPED = frozenset(
    """a about after all also an and any are as at be been before between both but by can could did do
    does during each for from had has have he her his how i if in into is it its many me more most much
    no not of on or our out over s say says she should so some such than that the their them then there
    these they this those to under up us was we were what when where which while who whom whose why will
    with would you your
    """.split()  # noqa: SIM905 - words as words
)
_MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_NUMERALS = r"(?:\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundred)\b)"
_HINTS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asked, re.IGNORECASE), re.compile(shown))
    for asked, shown in (
        (
            r"\bwhen\b|\b(?:what|which) (?:date|day|month|year|time)\b",
            rf"\b(?:1[5-9]|20)\d\d\b|(?i:\b{_MONTHS} \d)|\d:\d\d",
        ),
        (
            r"\bhow (?:many|much|long|far|high|large|big|old|fast|deep|tall|often|heavy|wide)\b",
            rf"(?i:{_NUMERALS})",
        ),
        (r"\b(?:percent|percentage|share|rate|proportion)\b", r"\d\s?%|(?i:per ?cent)"),
        (
            r"\b(?:cost|price|spend|spent|paid|budget|revenue|amount)\b",
            r"[$€£¥]\s?\d|(?i:\d (?:million|billion|dollars))",
        ),
        (r"\bwho(?:m|se)?\b|\bname of\b", r"\b[A-Z][\w.’'-]+ (?:[A-Z]\. )?[A-Z][\w’'-]+"),
        (
            r"\bwhere\b|\b(?:what|which) (?:city|place|airport|state|country|location)\b",
            r"\b(?:in|at|near|from|to) [A-Z]",
        ),
        (
            r"\bwhy\b|\bcause[ds]?\b|\breason\b",
            r"(?i:\bbecause\b|due to|\bcause|result(?:ed|ing)? (?:in|of|from)|failure)",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A page, or a part of a long one, with its document's number and name."""

    document: int
    name: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence or table row, its words as they stand, white space made single spaces."""

    passage: Passage
    text: str
    score: float


def closest(passages: Sequence[Passage], question: str, count: int) -> list[Sentence]:
    """The `count` sentences closest to a question, best first; fewer where fewer share a term with it."""
    terms = _Terms(question)
    ranked = _ranked_passages(passages, terms)
    asked = tuple(shown for asks, shown in _HINTS if asks.search(question))
    sentences = [sentence for passage, score in ranked for sentence in _scored(passage, score, terms, asked)]
    return [_windowed(sentence, terms) for sentence in _chosen(sentences, count)]


class _Stems(dict[str, str | None]):
    """Each word's stem where it is a term of the question, otherwise None; worked out once a word."""

    def __init__(self, terms: Iterable[str]) -> None:
        super().__init__()
        self._terms = frozenset(terms)

    def __missing__(self, word: str) -> str | None:
        stem = _stem(word)
        self[word] = stem if stem in self._terms else None
        return self[word]


class _Terms:
    """A question's terms, their weights once the passages are counted, and BM25 with them."""

    def __init__(self, question: str) -> None:
        words = _words(question)
        content = [word for word in words if word not in _SKIPPED] or words
        ordered = [_stem(word) for word in content]
        self.stems = _Stems(ordered)
        self._pairs = frozenset(pairwise(ordered))
        self.weights: dict[str, float] = {}

    def count(self, text: str) -> tuple[Counter[str], int]:
        """How often each term stands in a text, and the text's number of words."""
        words = _words(text)
        counted = Counter(map(self.stems.__getitem__, words))
        counted.pop(None, None)
        return Counter({stem: times for stem, times in counted.items() if stem}), len(words)

    def weigh(self, counts: Sequence[tuple[Counter[str], int]]) -> None:
        """Set each term's weight by the number of texts that hold it."""
        self.weights = _rarity([counted for counted, _ in counts])

    def pairs(self, text: str) -> float:
        """The weights of the question's neighbouring terms that are neighbours in the text too."""
        stems = [self.stems[word] for word in _words(text)]
        found = {
            (stem, other)
            for at, stem in enumerate(stems)
            if stem
            for other in stems[at + 1 : at + 1 + _PAIR_REACH]
            if other and (stem, other) in self._pairs
        }
        return sum(min(self.weights.get(a, 0), self.weights.get(b, 0)) for a, b in found)

    def score(self, counted: Counter[str], length: int, *, typical: float, b: float) -> float:
        """BM25 of one text."""
        damp = _K1 * (1 - b + b * length / typical)
        return sum(self.weights.get(stem, 0) * n * (_K1 + 1) / (n + damp) for stem, n in counted.items())


def _ranked_passages(passages: Sequence[Passage], terms: _Terms) -> list[tuple[Passage, float]]:
    """The best passages by BM25, their documents' names counting along."""
    counts = [terms.count(passage.text) for passage in passages]
    terms.weigh(counts)
    typical = sum(length for _, length in counts) / max(1, len(counts)) or 1.0
    names = _named(passages, terms)
    scored = [
        (
            terms.score(counted, length, typical=typical, b=_PASSAGE_B) + _NAME_WEIGHT * names[passage.name],
            -at,
        )
        for at, (passage, (counted, length)) in enumerate(zip(passages, counts, strict=True))
        if counted
    ]
    best = heapq.nlargest(_BEST_PASSAGES, scored)
    return [(passages[-at], score) for score, at in best]


def _named(passages: Sequence[Passage], terms: _Terms) -> dict[str, float]:
    """How much of the question each document name holds; a term that few names hold counts more."""
    held = {name: terms.count(name)[0] for name in {passage.name for passage in passages}}
    rarity = _rarity(list(held.values()))
    return {name: sum(rarity[stem] for stem in counted) for name, counted in held.items()}


def _rarity(counts: Sequence[Counter[str]]) -> dict[str, float]:
    """BM25's inverse document frequency of each term."""
    held = Counter(stem for counted in counts for stem in counted)
    return {stem: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for stem, n in held.items()}


def _scored(
    passage: Passage, score: float, terms: _Terms, asked: Sequence[re.Pattern[str]]
) -> Iterator[Sentence]:
    """A passage's sentences that hold a term, with their scores."""
    texts = sentences(passage.text)
    counts = [terms.count(text) for text in texts]
    own = [terms.score(held, words, typical=_TYPICAL_SENTENCE, b=_SENTENCE_B) for held, words in counts]
    for at, text in enumerate(texts):
        if not own[at]:
            continue
        around = max(own[at - 1] if at else 0, own[at + 1] if at + 1 < len(own) else 0)
        fullness = min(1.0, _EMPTY + (1 - _EMPTY) * _new_words(text, counts[at][0]) / _FULL_WORDS)
        hinted = sum(shown.search(text) is not None for shown in asked) / max(1, len(asked))
        paired = _PAIR_WEIGHT * terms.pairs(text)
        total = (
            (own[at] + paired) * (1 + _HINT_WEIGHT * hinted) * fullness
            + _PASSAGE_WEIGHT * score
            + _CONTEXT_WEIGHT * around
        )
        yield Sentence(passage, text, total)


def _new_words(text: str, held: Counter[str]) -> int:
    """How many of a sentence's words are neither terms nor function words."""
    return sum(word not in _SKIPPED for word in _words(text)) - sum(held.values())


def sentences(text: str) -> list[str]:
    """A page's sentences and table rows, in order, white space made single spaces.

    Lines that end early before a capital are headings and stand alone, as do the rows of a table.
    """
    found: list[str] = []
    held: list[str] = []
    lines = text.split("\n")
    usual = median([len(line) for line in lines if line.strip()] or [0])
    for at, line in enumerate(lines):
        following = lines[at + 1].lstrip() if at + 1 < len(lines) else ""
        if not line.strip() or _ROW.search(line):
            found.extend([*_split(held), *([line] if line.strip() else [])])
            held = []
            continue
        held.append(line)
        if len(line) < _HEADING * usual and following[:1].isupper() and line.rstrip()[-1:] not in ",;-–—":
            found.extend(_split(held))
            held = []
    found.extend(_split(held))
    return [" ".join(sentence.split()) for sentence in found]


def _split(lines: Sequence[str]) -> Iterator[str]:
    """The sentences of a run of lines; abbreviations and initials end none."""
    text = "\n".join(lines)
    begin = 0
    for stop in _STOP.finditer(text):
        if stop.group()[0] == "." and _ABBREVIATION.search(text, max(begin, stop.start() - 12), stop.start()):
            continue
        yield text[begin : stop.end()]
        begin = stop.end()
    if text[begin:].strip():
        yield text[begin:]


def _chosen(found: Iterable[Sentence], count: int) -> list[Sentence]:
    """The best, none twice; other documents first where scores are close, other pages after two of one."""
    left: dict[str, Sentence] = {}
    for sentence in sorted(found, key=lambda one: -one.score):
        left.setdefault(sentence.text.casefold(), sentence)
    chosen: list[Sentence] = []
    while left and len(chosen) < count:
        best = max(left.values(), key=lambda one: _worth(one, chosen))
        del left[best.text.casefold()]
        chosen.append(best)
    return chosen


def _worth(sentence: Sentence, chosen: Sequence[Sentence]) -> float:
    """A sentence's score beside those already chosen; below zero where its page has given enough."""
    here = sentence.passage
    same_page = sum((one.passage.document, one.passage.page) == (here.document, here.page) for one in chosen)
    if same_page >= _PER_PAGE:
        return sentence.score - _NEVER_FIRST
    same_document = any(one.passage.document == here.document for one in chosen)
    return sentence.score * (_SAME_DOCUMENT if same_document else 1)


def _windowed(sentence: Sentence, terms: _Terms) -> Sentence:
    """The sentence, or of a long one the LONGEST words with the most of the question in them."""
    words = sentence.text.split(" ")
    if len(words) <= LONGEST:
        return sentence
    weights = [sum(terms.weights.get(stem, 0) for stem in terms.count(word)[0]) for word in words]
    starts = range(len(words) - LONGEST + 1)
    best = max(sum(weights[at : at + LONGEST]) for at in starts)
    alike = [at for at in starts if sum(weights[at : at + LONGEST]) >= best - 1e-9]
    start = alike[len(alike) // 2] if alike[0] else 0
    return Sentence(sentence.passage, " ".join(words[start : start + LONGEST]), sentence.score)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _stem(word: str) -> str:
    """A light stem: plural, -ing, -ed and a final e taken off; FY18 is 2018."""
    fiscal = _FISCAL.fullmatch(word)
    if fiscal:
        return f"20{fiscal[1]}"
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004 - "dies" is no plural
        return word[:-3] + "i"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:  # noqa: PLR2004 - "gas"
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word[: -len(ending)]
            word = word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word
            break
    if len(word) > 3 and word[-1] in "ey":  # noqa: PLR2004 - "the", "day"
        word = word[:-1] + ("i" if word[-1] == "y" else "")
    return word
