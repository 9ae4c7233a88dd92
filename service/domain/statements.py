r"""What an answer states with a mark, in plain text and inside JSON, and how one of them is put differently.

In JSON a quote and its mark may stand in one string, `"\"the words\" [D1 p.2]"`, or side by side in one
object, `{"quote": "the words", "source": "[D1 p.2]"}`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from service.domain import jsontext
from service.domain.citations import Claim, find_claims
from service.domain.jsontext import Text
from service.domain.quotes import fold

WITHDRAWN = "[quote withdrawn]"
"""Stands in the text instead of a quote that nothing proves, and of its mark."""

LONGEST_EXCERPT = 600
"""Characters of a statement that are shown again, its end."""

_MOST_MEMBERS = 8
"""Members of an object that are shown beside a quote in it."""

_QUOTING = re.compile("quot|verbatim|excerpt|evidence|wording", re.IGNORECASE)
_BARE_MARK = re.compile(r"D\s?\d{1,9}(?:[\s,]+(?:pp?|pgs?|pages?)[.\s]*\d{1,9}(?:\s*[-–—]\s*\d{1,9})?)?")  # noqa: RUF001 - dashes of ranges
_GLYPHS = '"“”„«»「」『』'
_MARKS = re.compile(r"[\[【][^\[\]【】\n]{2,200}[\]】]")
_ENDS = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """One mark of an answer with the quote that it stands for.

    Attributes:
        claim: its offsets are those of the string that the mark stands in.
        path: of that string, where the answer is JSON.
        mark_in: which string the mark stands in; 0 in a plain answer.
        quote_in: which string the quote stands in.
        quote_at: where the quote's words stand there; None without a quote.
        excerpt: the statement as it reads, on one line.
    """

    claim: Claim
    path: str | None
    mark_in: int
    quote_in: int
    quote_at: tuple[int, int] | None
    excerpt: str

    @property
    def told(self) -> tuple[str, str]:
        """What it is known by: its mark and its quote."""
        return self.claim.marker, self.claim.quote


@dataclass(frozen=True, slots=True)
class Said:
    """An answer's text, its strings (one, where it is plain), and what it states.

    Attributes:
        uses: how many statements the quote in a place stands for.
        literals: of the strings, where the answer is JSON.
    """

    text: str
    strings: tuple[str, ...]
    statements: tuple[Statement, ...]
    uses: Mapping[tuple[int, tuple[int, int] | None], int]
    literals: tuple[Text, ...] = ()


def read(text: str, *, structured: bool) -> Said:
    """Return what an answer states.

    Args:
        text: as the model wrote it.
        structured: whether JSON was asked for; prose that came all the same is read as prose.
    """
    if structured and text.lstrip()[:1] in {"{", "[", '"'}:
        literals = jsontext.texts(text)
        families = _families(literals)
        stated = tuple(
            one
            for place, literal in enumerate(literals)
            for one in _of_literal(place, literals, families[literal.parent])
        )
        return Said(text, tuple(one.value for one in literals), stated, _uses(stated), literals)
    stated = tuple(_inside(claim, 0, text, None) for claim in find_claims(text))
    return Said(text, (text,), stated, _uses(stated))


def is_replaceable(said: Said, place: int) -> bool:
    """Whether a statement's quote and mark are its own, so that they can be put differently."""
    one = said.statements[place]
    if one.quote_at is not None and said.uses[one.quote_in, one.quote_at] > 1:
        return False
    string = said.strings[one.mark_in]
    return string[one.claim.start : one.claim.start + 1] in {"[", "【"} or _is_bare(string, one)


def replaced(said: Said, place: int, correction: Claim | None) -> Said | None:
    """Return the answer with another quote and mark in one place, or with neither.

    Args:
        said: the answer.
        place: of the statement.
        correction: the other quote and mark; None withdraws them.

    Returns:
        None where it can't be done without changing what else is stated.
    """
    one = said.statements[place]
    if not is_replaceable(said, place):
        return None
    strings = dict(enumerate(said.strings))
    for string, start, end, words in _edits(said, one, correction):
        strings[string] = strings[string][:start] + words + strings[string][end:]
    changed = {n: words for n, words in strings.items() if words != said.strings[n]}
    text = jsontext.rewritten(said.text, changed, said.literals) if said.literals else strings[0]
    then = read(text, structured=bool(said.literals))
    told = [stated.told for stated in said.statements]
    told[place : place + 1] = [] if correction is None else [(correction.marker, correction.quote)]
    return then if [stated.told for stated in then.statements] == told else None


def _uses(stated: Sequence[Statement]) -> Mapping[tuple[int, tuple[int, int] | None], int]:
    return Counter((one.quote_in, one.quote_at) for one in stated)


def _edits(said: Said, one: Statement, correction: Claim | None) -> list[tuple[int, int, int, str]]:
    """What to write where, the last place of a string first."""
    mark = (one.mark_in, one.claim.start, one.claim.end)
    quote = one.quote_at and (one.quote_in, *one.quote_at)
    apart = one.mark_in != one.quote_in
    if correction is None and not apart:
        start = one.quote_at[0] - _is_quoted(said, one) if one.quote_at else one.claim.start
        return [(one.mark_in, start, one.claim.end, WITHDRAWN)]
    marker, words = ("", "") if correction is None else (correction.marker, correction.quote)
    if quote is None:
        return [(*mark, f'"{words}" {marker}' if words else "")]
    if said.literals and not apart and not _is_quoted(said, one):
        words = f'"{words}"'
    return [(*mark, marker), (*quote, words)]


def _is_quoted(said: Said, one: Statement) -> bool:
    start = one.quote_at[0] if one.quote_at else 0
    return said.strings[one.quote_in][:start].rstrip()[-1:] in set(_GLYPHS)


def _is_bare(string: str, one: Statement) -> bool:
    return (one.claim.start, one.claim.end) == (0, len(string))


def _inside(claim: Claim, string: int, value: str, path: str | None) -> Statement:
    """A statement whose quote stands in the same string as its mark."""
    at = claim.quote_start
    span = None if at is None else (at, at + len(claim.quote))
    return Statement(claim, path, string, string, span, _excerpt(value, claim))


def _excerpt(value: str, claim: Claim) -> str:
    """The end of what leads to a mark: from the mark or paragraph before it, but all of its quote."""
    first = max(claim.end - LONGEST_EXCERPT, 0)
    before = value[first : claim.start]
    quote = len(before) if claim.quote_start is None else max(claim.quote_start - 1 - first, 0)
    begin = max((found.end() for found in (*_MARKS.finditer(before), *_ENDS.finditer(before))), default=0)
    return " ".join(value[first + min(begin, quote) : claim.end].split())


@dataclass(frozen=True, slots=True)
class _Family:
    """The strings of one object: the first of them, and those whose names say that they are quotes."""

    first: list[int]
    quotes: list[int]


def _families(literals: Sequence[Text]) -> dict[int, _Family]:
    """Every string's siblings, by what they stand in."""
    families: dict[int, _Family] = {}
    for place, one in enumerate(literals):
        family = families.setdefault(one.parent, _Family([], []))
        if len(family.first) <= _MOST_MEMBERS:
            family.first.append(place)
        if _QUOTING.search(one.name or "") and fold(_MARKS.sub("", one.value)):
            family.quotes.append(place)
    return families


def _of_literal(place: int, literals: Sequence[Text], family: _Family) -> Iterator[Statement]:
    """The statements whose marks stand in one string of a JSON answer."""
    one = literals[place]
    claims = find_claims(one.value)
    beside = next((n for n in family.quotes if n != place), None)
    if not claims and beside is not None and _BARE_MARK.fullmatch(one.value):
        bare = find_claims(f"[{one.value}]")
        claims = tuple(replace(claim, start=0, end=len(one.value)) for claim in bare)
    for claim in claims:
        if claim.quote:
            yield _inside(claim, place, one.value, one.path)
        elif beside is not None and not fold(_MARKS.sub("", one.value[: claim.start])):
            yield _apart(claim, place, beside, family, literals)
        else:
            yield _inside(_quoted_by_name(claim, one, claims), place, one.value, one.path)


def _quoted_by_name(claim: Claim, one: Text, claims: Sequence[Claim]) -> Claim:
    """The claim, with the words before it as its quote where the member's name says that they are one."""
    words = one.value[: claim.start]
    if len(claims) > 1 or not words.strip() or not _QUOTING.search(one.name or ""):
        return claim
    return replace(claim, quote=words.strip(), quote_start=len(words) - len(words.lstrip()))


def _apart(claim: Claim, place: int, beside: int, family: _Family, literals: Sequence[Text]) -> Statement:
    """A statement whose quote stands in another member than its mark."""
    value = literals[beside].value
    marks = find_claims(value)
    inner = next((mark for mark in marks if mark.quote_start is not None), None)
    if inner is not None and inner.quote_start is not None:
        start, quote = inner.quote_start, inner.quote
    else:
        bare = value[: marks[0].start] if marks else value
        quote = bare.strip().strip(_GLYPHS).strip()
        start = value.find(quote)
    shown = [
        literals[n].value[-LONGEST_EXCERPT:] for n in dict.fromkeys([*family.first, beside]) if n != place
    ]
    return Statement(
        claim=replace(claim, quote=quote),
        path=literals[place].path,
        mark_in=place,
        quote_in=beside,
        quote_at=(start, start + len(quote)) if quote else None,
        excerpt=" / ".join([*(" ".join(value.split()) for value in shown), claim.marker]),
    )
