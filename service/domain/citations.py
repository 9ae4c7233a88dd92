"""From the marks in an answer to quotes, and from quotes to verdicts with their places in the source."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import chain, islice

from service.domain.alignment import Edit, align
from service.domain.quote_places import MOST_ANCHORS, sought
from service.domain.quotes import FoldedDocument, Place, beginnings, fold, search
from service.domain.shelf import Shelf

_FEW_ANCHORS = 8
"""Stretches of a quote that are looked up in each document other than the cited one, and in a long one."""

_SHORT = 20_000
"""Characters, about ten pages, up to which a document is looked through together with others."""

_LONG = 1_000_000
"""Folded letters, about 250,000 tokens, above which a cited document is long."""

_SURELY_MEANT = 0.75
"""A quote this much like something on the cited page is not laid beside other documents."""

_LONGEST_REACH = 4000
"""Characters before a mark in which its quote must stand."""

_MOST_CLOSINGS = 8
_OPENERS = {'"': "", "”": "“„", "“": "„", "»": "«", "」": "「", "』": "『"}
_BRACKET = re.compile(r"[\[【]([^\[\]【】\n]{2,200})[\]】]")
_PART = re.compile(
    r"\bD\s?(?P<document>\d{1,9})"
    r"|(?<![A-Za-z])(?:pp?|pgs?|pages?)[.\s]*(?P<page>\d{1,9})(?:\s*[-–—]\s*(?P<last>\d{1,9}))?"  # noqa: RUF001 - dashes of ranges
    r"|(?P<more>(?<=[,;&])\s*\d{1,9})(?!\w)",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"(?:[\s,;:&+]|\band\b)*", re.IGNORECASE)
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_ITEM = re.compile(r"\n[^\S\n]*(?:[-*•+]|\d{1,3}[.)])\s")


class Verdict(StrEnum):
    """What the stored text says about a quote."""

    EXACT = "exact"
    CLOSE = "close"
    ALTERED = "altered"
    ELSEWHERE = "elsewhere"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Claim:
    """One mark in an answer and the quote before it.

    Attributes:
        marker: the mark in its plain form, `[D12 p.137]`.
        document: the ordinal after the D.
        page: the physical page, None where the mark names none.
        last_page: the end of a page range, otherwise as `page`.
        quote: the words, without their quote marks; empty where no quote stands before the mark.
        quote_start: where those words start in the answer; None where there are none.
        start: where the mark starts in the answer; marks that share a bracket have each their own part of it.
        end: where it ends.
    """

    marker: str
    document: int
    page: int | None
    quote: str
    start: int
    end: int
    last_page: int | None = None
    quote_start: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page as it is stored: the text that was packed."""

    number: int
    text: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One document of the corpus; `ordinal` is the number after the D in its marks."""

    document_id: str
    ordinal: int
    filename: str
    pages: Sequence[SourcePage]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a quote, or what is most like it, really stands.

    Attributes:
        document_id, filename: the document it stands in.
        page: the physical page; the cited one where the place touches it, otherwise the one it starts on.
        start: offset in that page's stored text.
        end: offset of its end there, at most the page's.
        text: the stored words, of all pages the place covers.
        score: share of the quote's words found, 0 to 1.
    """

    document_id: str
    page: int
    start: int
    end: int
    text: str
    score: float
    filename: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark with its verdict.

    Attributes:
        marker: as the claim has it.
        document_id: the cited document, None where no document has that number.
        filename: its name, None likewise.
        page: the cited page.
        label: that page's printed number, where it has one.
        quote: as the answer shows it.
        verdict: `exact` differs in white space, quote glyphs and hyphens at most, `close` in nothing that
            changes the meaning, `altered` in something that does; `elsewhere` stands on another page or in
            another document than cited; `missing` was found nowhere, or nothing was quoted.
        found: None where missing.
        differences: for `close` and `altered`, what the quote says and what the source says.
    """

    marker: str
    document_id: str | None
    filename: str | None
    page: int | None
    label: str | None
    quote: str
    verdict: Verdict
    found: Found | None
    differences: tuple[Edit, ...] = ()


class Index:
    """The documents an answer may cite, folded when first looked at and kept; one serves all its quotes."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources: Mapping[int, Source] = {source.ordinal: source for source in sources}
        self._folded: dict[int, FoldedDocument] = {}

    def source(self, ordinal: int) -> Source | None:
        """The document with that number."""
        return self._sources.get(ordinal)

    def folded(self, source: Source) -> FoldedDocument:
        """Its text, folded."""
        if source.ordinal not in self._folded:
            self._folded[source.ordinal] = FoldedDocument([page.text for page in source.pages])
        return self._folded[source.ordinal]

    def others(self, ordinal: int, pieces: Sequence[str]) -> Iterator[Source]:
        """All documents but that one, in order; short ones only if they hold one of these folded pieces."""
        passed_over = {ordinal, *self._shelf.without(pieces)}
        yield from (source for key, source in self._sources.items() if key not in passed_over)

    @cached_property
    def _shelf(self) -> Shelf:
        """The short documents: for each of many by itself a search takes longer than the searching."""
        sizes = {key: sum(len(page.text) for page in source.pages) for key, source in self._sources.items()}
        short = {key: self._sources[key] for key, size in sizes.items() if size <= _SHORT}
        return Shelf({key: self.folded(source).folded for key, source in short.items()})


def find_claims(answer: str) -> tuple[Claim, ...]:
    """Every mark of an answer with the nearest quote before it in the same paragraph or list item."""
    paragraphs = [0, *(found.end() for found in _PARAGRAPH.finditer(answer))]
    claims: list[Claim] = []
    floors = [0]
    for found in _BRACKET.finditer(answer):
        marks = _marks(found)
        if marks:
            begin = paragraphs[bisect_right(paragraphs, found.start()) - 1]
            quote, at = _quote_before(answer, begin, found.start(), floors)
            claims.extend(replace(mark, quote=quote, quote_start=at) for mark in marks)
            floors.append(found.end())
    return tuple(claims)


def verify(claim: Claim, index: Index) -> Citation:
    """Look for a claim's quote: on the cited page, in the cited document, then in all documents."""
    quote = unicodedata.normalize("NFC", claim.quote)
    refused: list[_Candidate] = []
    for candidate in _candidates(claim, quote, index) if fold(quote) else ():
        if candidate.verdict is not Verdict.ALTERED:
            return _citation(claim, index, candidate)
        refused.append(candidate)
    return _citation(claim, index, max(refused, key=lambda one: one.score, default=None))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place that may be a quote's, and what the verdict would be."""

    source: Source
    place: Place
    score: float
    verdict: Verdict
    differences: tuple[Edit, ...] = ()


def _candidates(claim: Claim, quote: str, index: Index) -> Iterator[_Candidate]:
    """Places from the most to the least wanted, each worked out only when asked for."""
    cited = index.source(claim.document)
    pages = _cited_pages(claim, cited) if cited else range(0)
    likeness = best = 0.0
    if cited and pages:
        yield from _letter_for_letter(quote, cited, index, pages)
        for candidate in _laid_beside(quote, cited, index, pages, confined=True):
            likeness = best = candidate.score
            yield candidate
    left = [cited] if cited and len(pages) < len(cited.pages) else []
    for source in chain(left, index.others(claim.document, beginnings(quote))):
        yield from _letter_for_letter(quote, source, index)
    others = index.others(claim.document, _stretches(quote)) if likeness < _SURELY_MEANT else ()
    for source in chain(left, others):
        named = pages if source is cited else range(0)
        for candidate in _laid_beside(quote, source, index, named, floor=best):
            best = max(best, candidate.score)
            yield candidate


def _stretches(quote: str) -> list[str]:
    """Those of a quote of which a document that it isn't said to stand in must hold one, folded."""
    return [stretch for _, stretch in sought(quote).anchors(_FEW_ANCHORS)]


def _letter_for_letter(
    quote: str, source: Source, index: Index, pages: range | None = None
) -> Iterator[_Candidate]:
    hit = search(quote, index.folded(source), pages)
    if hit is not None:
        verdict = Verdict.EXACT if hit.exact else Verdict.CLOSE
        yield _Candidate(source, hit.place, 1.0, verdict if pages else Verdict.ELSEWHERE)


def _laid_beside(
    quote: str,
    source: Source,
    index: Index,
    pages: range = range(0),
    *,
    confined: bool = False,
    floor: float = 0.0,
) -> Iterator[_Candidate]:
    document = index.folded(source)
    searched = document.letters(pages) if confined else len(document.folded)
    anchors = MOST_ANCHORS if pages and searched <= _LONG else _FEW_ANCHORS
    beside = align(quote, document, pages if confined else None, anchors=anchors, floor=floor)
    if beside is not None:
        accepted = Verdict.CLOSE if _touches(beside.place, pages) else Verdict.ELSEWHERE
        verdict = accepted if beside.accepted else Verdict.ALTERED
        yield _Candidate(source, beside.place, beside.score, verdict, beside.edits)


def _touches(place: Place, pages: range) -> bool:
    return place.first < pages.stop and place.last >= pages.start


def _cited_pages(claim: Claim, source: Source) -> range:
    """Indices of the pages that the mark names; all where it names none, none where they do not exist."""
    if claim.page is None:
        return range(len(source.pages))
    last = claim.last_page or claim.page
    named = [at for at, page in enumerate(source.pages) if claim.page <= page.number <= last]
    return range(named[0], named[-1] + 1) if named else range(0)


def _citation(claim: Claim, index: Index, candidate: _Candidate | None) -> Citation:
    cited = index.source(claim.document)
    page = next((page for page in cited.pages if page.number == claim.page), None) if cited else None
    return Citation(
        marker=claim.marker,
        document_id=cited.document_id if cited else None,
        filename=cited.filename if cited else None,
        page=claim.page,
        label=page.label if page else None,
        quote=claim.quote,
        verdict=candidate.verdict if candidate else Verdict.MISSING,
        found=_found(claim, candidate, index) if candidate else None,
        differences=candidate.differences if candidate else (),
    )


def _found(claim: Claim, candidate: _Candidate, index: Index) -> Found:
    """The place on the cited page where it touches that, otherwise on the page it starts on."""
    source, place = candidate.source, candidate.place
    at = place.first
    if source is index.source(claim.document):
        pages = _cited_pages(claim, source)
        at = max(at, pages.start) if _touches(place, pages) else at
    page = source.pages[at]
    start = place.start if at == place.first else 0
    end = place.end if at == place.last else len(page.text)
    return Found(source.document_id, page.number, start, end, place.text, candidate.score, source.filename)


def _marks(found: re.Match[str]) -> list[Claim]:
    """The marks of one bracket, still without quotes; none where it holds anything else."""
    inner, offset = found.group(1), found.start(1)
    marks: list[Claim] = []
    document, begin, cursor = 0, 0, 0
    for part in _PART.finditer(inner):
        if not _SEPARATOR.fullmatch(inner, cursor, part.start()):
            return []
        cursor = part.end()
        if part["document"]:
            document, begin = int(part["document"]), part.start()
            marks.append(_mark(document, None, None, (offset + begin, offset + cursor)))
            continue
        if not document:
            return []
        if marks[-1].document == document and marks[-1].page is None:
            marks.pop()
        else:
            begin = part.start()
        page = int(part["page"] or part["more"])
        marks.append(_mark(document, page, int(part["last"] or page), (offset + begin, offset + cursor)))
    if not _SEPARATOR.fullmatch(inner, cursor):
        return []
    return marks if len(marks) != 1 else [replace(marks[0], start=found.start(), end=found.end())]


def _mark(document: int, page: int | None, last: int | None, span: tuple[int, int]) -> Claim:
    last = last if page is None or last is None or last >= page else page
    pages = "" if page is None else f" p.{page}" + (f"-{last}" if last != page else "")
    return Claim(f"[D{document}{pages}]", document, page, "", *span, last)


def _quote_before(answer: str, begin: int, end: int, floors: Sequence[int]) -> tuple[str, int | None]:
    """The nearest quote that ends between `begin` and `end`, and where it starts.

    None where a list item starts after it.

    Args:
        answer: the whole answer.
        begin: where the paragraph starts.
        end: where the mark starts.
        floors: ends of the marks before it, in order: a quote reaches over none.
    """
    begin = max(begin, end - _LONGEST_REACH)
    glyphs = (at for at in range(end - 1, begin - 1, -1) if answer[at] in _OPENERS)
    closings = (at for at in glyphs if answer[at - 1 : at] != "\\")
    for close in islice(closings, _MOST_CLOSINGS):
        floor = max(begin, floors[bisect_right(floors, close) - 1])
        start = _opening(answer, floor, close)
        if start is not None:
            if _has_item(answer, close, end):
                return "", None
            quoted = answer[start + 1 : close]
            return quoted.strip(), start + 1 + len(quoted) - len(quoted.lstrip())
    return "", None


def _opening(answer: str, floor: int, close: int) -> int | None:
    """Where the quote opens that closes at `close`; inner quotes of the same kind are passed over."""
    glyph = answer[close]
    depth = 1
    straight: list[int] = []
    openings: list[int] = []
    for at in range(close - 1, floor - 1, -1):
        opens = answer[at] in _OPENERS[glyph] or (answer[at] == '"' == glyph and _opens(answer, at, floor))
        closes = not opens and answer[at] == glyph
        depth += closes - opens
        if opens and depth == 0:
            return at
        openings.extend([at] * opens)
        straight.extend([at] * (answer[at] == '"'))
    mixed = [answer.rfind("“", floor, close)] if glyph == '"' else []
    return next((at for at in (*openings[-1:], *straight[:1], *mixed) if at >= 0), None)


def _opens(answer: str, at: int, floor: int) -> bool:
    """Whether a straight quote mark looks like an opening one."""
    before, after = answer[at - 1 : at] if at > floor else "", answer[at + 1 : at + 2]
    return (not before or before.isspace() or before in "([{—–-:;,/*_>|") and not after.isspace()  # noqa: RUF001 - a dash


def _has_item(answer: str, begin: int, end: int) -> bool:
    """Whether a list item with words of its own starts between a quote and a mark."""
    item = _ITEM.search(answer, begin, end)
    return item is not None and bool(fold(_BRACKET.sub("", answer[item.end() : end])))
