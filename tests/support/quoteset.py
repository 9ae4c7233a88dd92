"""Quotes with known truth over any documents: real, slightly edited, altered, invented, misattributed.

The single changes are those of `quoting`; here each quote has the place it is credited to, the places where
it is true, and the verdicts that are right. A quote that is to be false stands nowhere in the documents; one
that is to be true on a page does stand there.
"""

# ruff: noqa: RUF001, S311
# Typographic glyphs are what some edits are about; nothing here is a secret.

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from service.domain.citations import Verdict
from service.domain.quotes import fold
from tests.support import quoting

SHORTEST, LONGEST = 8, 60
"""Words of a quote."""

EDGE = 4
"""Lines at either end of a page that may run along."""

TRIES = 400
"""For each quote: not every sentence can be distorted in every way."""

ACCEPTED = frozenset({Verdict.EXACT, Verdict.CLOSE})
REFUSED = frozenset({Verdict.ALTERED, Verdict.MISSING})
MOVED = frozenset({Verdict.ELSEWHERE})

Documents = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Quote:
    """One quote with its truth.

    Attributes:
        family: real, edited, altered, invented or moved.
        document, page: indices of what it is credited to.
        right: the verdicts that are right.
        places: where it stands, as (document, page) indices; none where it is false.
    """

    family: str
    kind: str
    text: str
    document: int
    page: int
    right: frozenset[Verdict]
    places: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Corpus:
    """The documents, folded page by page, and where sentences can be taken from."""

    documents: Documents
    folded: list[list[str]]
    whole: list[str]
    running: list[frozenset[str]]
    spots: list[tuple[int, int]]

    def stands(self, text: str) -> bool:
        """Whether it stands anywhere letter for letter."""
        folded = fold(text)
        return any(folded in whole for whole in self.whole)

    def places(self, text: str, document: int | None = None) -> frozenset[tuple[int, int]]:
        """The pages on which it stands whole."""
        folded = fold(text)
        chosen = range(len(self.documents)) if document is None else [document]
        return frozenset(
            (d, p)
            for d in chosen
            if folded in self.whole[d]
            for p, page in enumerate(self.folded[d])
            if folded in page
        )


def quotes(documents: Documents, each: int, seed: int = 1) -> Iterator[Quote]:
    """Yield `each` quotes of every kind that the documents allow; the same for the same seed."""
    corpus = _corpus(documents)
    for family, kinds in FAMILIES.items():
        for kind, make in kinds.items():
            random = Random(f"{seed} {kind}")
            made = 0
            for _ in range(each * TRIES):
                quote = make(corpus, random, family, kind)
                if quote is not None and made < each:
                    made += 1
                    yield quote
                if made == each:
                    break


def noisy(pages: Sequence[str], seed: int = 1) -> list[str]:
    """Pages as text recognition leaves them: broken words, ligatures, curly quotes, odd spaces."""
    return [_noisy(page, Random(f"{seed} {number}")) for number, page in enumerate(pages)]


def _noisy(page: str, random: Random) -> str:
    words: list[str] = []
    for word in page.split(" "):
        changed = word.replace("fi", "ﬁ").replace("fl", "ﬂ") if random.random() < 0.5 else word
        if len(word) > 8 and word.isalpha() and random.random() < 0.15:
            changed = f"{word[:4]}-\n{word[4:]}"
        elif random.random() < 0.03:
            changed += " "
        words.append(changed)
    return " ".join(words).replace("'", "’")


def _corpus(documents: Documents) -> _Corpus:
    folded = [[fold(page) for page in pages] for pages in documents]
    spots = [
        (d, p) for d, pages in enumerate(documents) for p, page in enumerate(pages) if any(_sentences(page))
    ]
    running = [_running(pages) for pages in documents]
    return _Corpus(documents, folded, ["".join(pages) for pages in folded], running, spots)


def _running(pages: Sequence[str]) -> frozenset[str]:
    """Lines that stand at the edge of many pages, their digits aside."""
    edges = Counter(line for page in pages for line in {_shape(one) for one in _edge_lines(page)})
    return frozenset(line for line, count in edges.items() if count >= max(3, len(pages) // 4))


def _edge_lines(page: str) -> list[str]:
    lines = [line for line in page.splitlines() if line.strip()]
    return [*lines[:EDGE], *lines[-EDGE:]]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line).strip()


def _sentences(page: str) -> list[str]:
    return [one for one in quoting.sentences(page) if SHORTEST <= len(one.split()) <= LONGEST]


def _drawn(corpus: _Corpus, random: Random) -> tuple[str, int, int]:
    d, p = random.choice(corpus.spots)
    return random.choice(_sentences(corpus.documents[d][p])), d, p


Make = Callable[[_Corpus, Random, str, str], Quote | None]


def _true(change: quoting.Change) -> Make:
    """Quotes that are true where they are said to stand, whatever was changed."""

    def make(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
        source, d, p = _drawn(corpus, random)
        text = change(source, "", random)
        if text is None or len(text.split()) < SHORTEST:
            return None
        return Quote(family, kind, text, d, p, ACCEPTED, corpus.places(source, d) | {(d, p)})

    return make


def _false(change: quoting.Change) -> Make:
    """Quotes that are true nowhere."""

    def make(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
        source, d, p = _drawn(corpus, random)
        other, *_ = _drawn(corpus, random)
        text = change(source, other, random)
        if text is None or len(text.split()) < SHORTEST:
            return None
        if kind != "sign flipped" and (fold(text) == fold(source) or corpus.stands(text)):
            return None
        return Quote(family, kind, text, d, p, REFUSED, frozenset())

    return make


def _crossing(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
    """The end of a page and the start of the next, what runs along at their edges left out."""
    d, p = random.choice(corpus.spots)
    pages = corpus.documents[d]
    if p + 1 >= len(pages):
        return None
    above, below = (_body(page, corpus.running[d]) for page in pages[p : p + 2])
    if len(above) < LONGEST or len(below) < LONGEST or not above[-1].isalpha() or not below[0].isalpha():
        return None
    text = " ".join(above[-random.randint(6, 25) :] + below[: random.randint(6, 25)])
    return Quote(family, kind, text, d, p, ACCEPTED, frozenset({(d, p)}))


def _body(page: str, running: frozenset[str]) -> list[str]:
    """A page's words without the lines that run along at its edges."""
    lines = [line for line in page.splitlines() if line.strip()]
    runs = [_shape(line) in running or line.strip().isdigit() for line in lines]
    first = next((n for n, one in enumerate(runs[:EDGE]) if not one), EDGE)
    last = next((n for n, one in enumerate(runs[: -EDGE - 1 : -1]) if not one), EDGE)
    return " ".join(lines[first : len(lines) - last]).split()


def _row(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
    """Rows of a table: lines with figures, as they follow each other."""
    d, p = random.choice(corpus.spots)
    lines = corpus.documents[d][p].splitlines()
    rows = [n for n in range(len(lines) - 1) if all(_is_row(line) for line in lines[n : n + 2])]
    if not rows:
        return None
    at = random.choice(rows)
    text = " ".join(" ".join(lines[at : at + 2]).split())
    if not SHORTEST <= len(text.split()) <= LONGEST:
        return None
    return Quote(family, kind, text, d, p, ACCEPTED, corpus.places(text, d) | {(d, p)})


def _is_row(line: str) -> bool:
    return len(re.findall(r"(?<![\w.])[$(]?\d[\d,.]*%?\)?(?![\w.])", line)) >= 3


def _repeated(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
    """A passage that stands in several places, credited to one of them."""
    source, d, _ = _drawn(corpus, random)
    places = corpus.places(source)
    here = sorted(p for document, p in places if document == d)
    if len(places) < 2 or not here:
        return None
    p = random.choice(here)
    return Quote(family, kind, source, d, p, ACCEPTED, frozenset({(d, p)}))


def _wrong_page(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
    """A true quote credited to another page of its document."""
    source, d, _ = _drawn(corpus, random)
    places = corpus.places(source)
    free = [n for n in range(len(corpus.documents[d])) if not {(d, n), (d, n - 1), (d, n + 1)} & places]
    if not free or not places:
        return None
    return Quote(family, kind, source, d, random.choice(free), MOVED, places)


def _wrong_document(corpus: _Corpus, random: Random, family: str, kind: str) -> Quote | None:
    """A true quote credited to a document in which it does not stand."""
    source, *_ = _drawn(corpus, random)
    places = corpus.places(source)
    folded = fold(source)
    free = [n for n, whole in enumerate(corpus.whole) if folded not in whole]
    if not free or not places:
        return None
    wrong = random.choice(free)
    return Quote(family, kind, source, wrong, random.randrange(len(corpus.documents[wrong])), MOVED, places)


def _another_date(text: str, other: str, random: Random) -> str | None:
    """Another month, or another year."""
    del other
    months = "January February March April May June July August September October November December".split()  # noqa: SIM905 - words as words
    found = [one for one in re.finditer(r"\b[A-Z][a-z]+\b", text) if one.group() in months]
    if found:
        month = random.choice(found)
        another = random.choice([name for name in months if name != month.group()])
        return text[: month.start()] + another + text[month.end() :]
    years = list(re.finditer(r"\b(?:19|20)\d\d\b", text))
    if not years:
        return None
    year = random.choice(years)
    return text[: year.start()] + str(int(year.group()) + random.randint(1, 9)) + text[year.end() :]


def _without_commas(text: str, other: str, random: Random) -> str | None:
    """Thousands written together."""
    del other, random
    changed = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return changed if changed != text else None


def _rejoined(text: str, other: str, random: Random) -> str | None:
    """A hyphenated word written as one."""
    del other, random
    changed = re.sub(r"(?<=[a-z]{3})-(?=[a-z]{3})", "", text, count=1)
    return changed if changed != text else None


FAMILIES: dict[str, dict[str, Make]] = {
    "real": {
        "sentence": _true(quoting.TRUE["copied"]),
        "part of a sentence": _true(quoting.TRUE["part"]),
        "over a page break": _crossing,
        "rows of a table": _row,
        "repeated passage": _repeated,
    },
    "edited": {
        "lower case": _true(quoting.EDITED["lowered"]),
        "other case and comma": _true(quoting.EDITED["started"]),
        "smart quotes, ligatures": _true(quoting.EDITED["typeset"]),
        "hyphen put in": _true(quoting.EDITED["hyphened"]),
        "hyphen left out": _true(_rejoined),
        "ellipsis": _true(quoting.EDITED["elided"]),
        "article left out": _true(quoting.EDITED["less article"]),
        "slip of two letters": _true(quoting.EDITED["slipped"]),
        "word in brackets": _true(quoting.EDITED["bracketed"]),
        "thousands without comma": _true(_without_commas),
    },
    "altered": {
        "one digit": _false(quoting.ALTERED["digit"]),
        "another date": _false(_another_date),
        "negation put in": _false(quoting.ALTERED["negated"]),
        "negation left out": _false(quoting.ALTERED["affirmed"]),
        "another entity": _false(quoting.ALTERED["renamed"]),
        "two sentences stitched": _false(quoting.ALTERED["stitched"]),
        "modal, unit, direction": _false(quoting.ALTERED["opposed"]),
        "sign flipped": _false(quoting.ALTERED["flipped"]),
        "another word": _false(quoting.ALTERED["reworded"]),
    },
    "invented": {
        "words shuffled": _false(quoting.INVENTED["shuffled"]),
        "made up": _false(quoting.INVENTED["made up"]),
    },
    "moved": {"wrong page": _wrong_page, "wrong document": _wrong_document},
}
