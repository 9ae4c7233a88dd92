"""Lays a quote that stands nowhere letter for letter beside its source and judges each difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.domain.quote_places import LEAST_SHARE, MOST_ANCHORS, region, sought
from service.domain.quote_words import DROPPABLE, GAP, LINKS, PAIRS, Word, source_words
from service.domain.quotes import FoldedDocument, Place, currency_clash, fold

_MOST_CELLS = 200_000
_HEADER_COST = 1
_WORD_COST = 20
_CHANGE_COST = 21
_DROP_COST = 22  # the three differ so that of two equal ways the one that finds more of the quote wins
_ASIDE_COST = 4
_SHORTEST_TYPO = 5
_MOST_REPLACED = 3

_Pair = tuple[int | None, int | None]
_STANDINS = frozenset(
    ["it", "its", "he", "his", "she", "her", "they", "their", "them", "we", "our", "i", "my", "you", "your"]
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One difference: what the quote says and what the source says there (either may be empty)."""

    quote: str
    source: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """A quote laid beside the place most like it.

    Attributes:
        place: where that is.
        score: share of the quote's words found there in order, 0 to 1.
        accepted: whether every difference is one that changes no meaning.
        edits: the differences, in order.
    """

    place: Place
    score: float
    accepted: bool
    edits: tuple[Edit, ...]


def align(
    quote: str,
    document: FoldedDocument,
    pages: range | None = None,
    *,
    anchors: int = MOST_ANCHORS,
    floor: float = 0.0,
) -> Alignment | None:
    """Lay a quote beside the place of a document that shares most of its wording.

    Args:
        quote: as the answer shows it, without its quote marks.
        document: where to look.
        pages: page indices to which the search is confined (a page around them may be touched).
        anchors: short stretches of the quote that are looked up to find the place.
        floor: what would not be accepted need not be found where its score is no higher.

    Returns:
        None where no place holds half of the quote's words in order.
    """
    wanted = sought(quote)
    stretch = region(wanted, document, pages, anchors)
    if stretch is None:
        return None
    least = wanted.least(stretch.window, floor)
    if not wanted.may_stand_in(stretch.window, least):
        return None
    words, source = wanted.words, source_words(document, stretch.begin, stretch.end)
    if len(words) * len(source) > _MOST_CELLS or not wanted.may_match(source, least):
        return None
    pairs = _slid(words, source, _pair(words, source), document)
    matched = [(i, j) for i, j in pairs if i is not None and j is not None and words[i].key == source[j].key]
    if not matched or len(matched) < LEAST_SHARE * wanted.asked:
        return None
    judged = _judged(words, source, pairs, document, len(matched) / max(wanted.asked, len(matched)))
    clash = currency_clash(quote, judged.place.text)
    return judged if clash is None else replace(judged, accepted=False, edits=(*judged.edits, Edit(*clash)))


def _pair(words: Sequence[Word], source: Sequence[Word]) -> list[_Pair]:
    """The cheapest way to turn a stretch of the source into the quote, as pairs of indices.

    Edit distance over words in which the stretch may start and end anywhere, a gap passes over any number of
    source words for nothing, and skippable words cost little.
    """
    skip = [_HEADER_COST if word.skippable else _WORD_COST for word in source]
    row = [0] * (len(source) + 1)
    trace: list[bytearray] = []
    for word in words:
        row, moves = _gap_row(row) if word is GAP else _word_row(word, source, row, skip)
        trace.append(moves)
    return _walked(words, trace, min(range(len(row)), key=row.__getitem__))


_UP, _LEFT, _DIAGONAL = 1, 2, 3


def _gap_row(row: list[int]) -> tuple[list[int], bytearray]:
    moves = bytearray([_UP])
    best = [row[0]]
    for cost in row[1:]:
        moves.append(_UP if cost < best[-1] else _LEFT)
        best.append(min(cost, best[-1]))
    return best, moves


def _word_row(
    word: Word, source: Sequence[Word], row: list[int], skip: list[int]
) -> tuple[list[int], bytearray]:
    drop = _ASIDE_COST if word.skippable else _DROP_COST
    change = _WORD_COST + _ASIDE_COST if word.skippable else _CHANGE_COST
    left = row[0] + drop
    best, moves = [left], bytearray([_UP])
    key, before = word.key, row[0]
    for other, passing, above in zip(source, skip, row[1:], strict=True):
        cost, move = (before, _DIAGONAL) if other.key == key else (before + change, _DIAGONAL)
        if above + drop < cost:
            cost, move = above + drop, _UP
        if left + passing < cost:
            cost, move = left + passing, _LEFT
        best.append(cost)
        moves.append(move)
        left, before = cost, above
    return best, moves


def _walked(words: Sequence[Word], trace: list[bytearray], end: int) -> list[_Pair]:
    """The trace followed back from its cheapest end; words passed over in a gap are left out."""
    pairs: list[_Pair] = []
    i, j = len(trace), end
    while i > 0:
        move = trace[i - 1][j]
        if move == _DIAGONAL:
            pairs.append((i - 1, j - 1))
        elif move == _UP:
            pairs.append((i - 1, None))
        elif words[i - 1] is not GAP:
            pairs.append((None, j - 1))
        i -= move != _LEFT
        j -= move != _UP
    return pairs[::-1]


def _slid(
    words: Sequence[Word], source: Sequence[Word], pairs: list[_Pair], document: FoldedDocument
) -> list[_Pair]:
    """The pairs, those moved up that stood in a header or footer where whole lines are left out then.

    The cheapest way back matches a word as late as it can: a header that starts with the last word above it
    would take that word's place.
    """
    for begin in range(len(pairs)):
        if _starts_run(pairs, begin):
            pairs = _moved_up(words, source, pairs, begin, document) or pairs
    return pairs


def _starts_run(pairs: list[_Pair], at: int) -> bool:
    return pairs[at][0] is None and (at == 0 or pairs[at - 1][0] is not None)


def _moved_up(
    words: Sequence[Word], source: Sequence[Word], pairs: list[_Pair], begin: int, document: FoldedDocument
) -> list[_Pair] | None:
    """The words after a run that is left out, moved before it one by one until it is a page's edge."""
    moved = list(pairs)
    for at in range(begin, len(pairs)):
        end = next((n for n in range(at, len(moved)) if moved[n][0] is not None), len(moved))
        left_out = tuple(source[j] for _, j in moved[at:end] if j is not None)
        if _is_page_edge(_Block((), left_out, ("", "")), document):
            return moved
        if end == len(moved):
            return None
        (i, j), (_, first) = moved[end], moved[at]
        if i is None or j is None or first is None:
            return None
        if not words[i].key == source[j].key == source[first].key:
            return None
        moved[at], moved[end] = (i, first), (None, j)
    return None


@dataclass(frozen=True, slots=True)
class _Block:
    """A run of words that differ, with the keys beside it."""

    quote: tuple[Word, ...]
    source: tuple[Word, ...]
    around: tuple[str, ...]


def _judged(
    words: Sequence[Word],
    source: Sequence[Word],
    pairs: list[_Pair],
    document: FoldedDocument,
    score: float,
) -> Alignment:
    blocks = _blocks(words, source, pairs)
    typos = sum(_is_typo(block, document) for block in blocks)
    accepted = typos <= 1 and all(
        _is_harmless(block, document) or _is_typo(block, document) for block in blocks
    )
    links = sum(len(block.quote) + len(block.source) for block in blocks if _is_small(block))
    asides = sum(word.skippable for word in words)
    accepted = accepted and links <= max(2, len(words) // 5) and asides * 2 <= len(words)
    used = [source[j] for _, j in pairs if j is not None]
    shown = tuple(Edit(_shown(block.quote), _shown(block.source)) for block in blocks if not _is_same(block))
    return Alignment(_spanned(used[0], used[-1], document), score, accepted, shown)


def _blocks(words: Sequence[Word], source: Sequence[Word], pairs: list[_Pair]) -> list[_Block]:
    blocks: list[_Block] = []
    quoted: list[Word] = []
    stored: list[Word] = []
    before = ""
    for i, j in [*pairs, (None, None)]:
        word = None if i is None else words[i]
        other = None if j is None else source[j]
        settled = (
            word is GAP or (word is not None and other is not None and word.key == other.key) or word is other
        )
        if not settled:
            quoted.extend([word] if word is not None else [])
            stored.extend([other] if other is not None else [])
            continue
        after = word.key if word is not None else ""
        if quoted or stored:
            blocks.append(_Block(tuple(quoted), tuple(stored), (before, after)))
            quoted, stored = [], []
        before = after
    return blocks


def _is_harmless(block: _Block, document: FoldedDocument) -> bool:
    return _is_same(block) or _is_small(block) or _is_aside(block) or _is_page_edge(block, document)


def _is_same(block: _Block) -> bool:
    """Only spacing and hyphens differ."""
    return "".join(word.key for word in block.quote) == "".join(word.key for word in block.source)


def _is_small(block: _Block) -> bool:
    """Function words: one for its like, or left out or put in; beside a number none that could move it."""
    quoted, stored = [word.key for word in block.quote], [word.key for word in block.source]
    if _is_same(block):
        return False
    if len(quoted) == len(stored) == 1 and any({*quoted, *stored} <= alike for alike in PAIRS):
        return True
    by_number = any(character.isdigit() for key in block.around for character in key)
    allowed = DROPPABLE if by_number else DROPPABLE | LINKS
    return (not quoted or not stored) and all(key in allowed for key in (*quoted, *stored))


def _is_aside(block: _Block) -> bool:
    """Words in square brackets, alone or for a pronoun and its like."""
    if not block.quote or not all(word.skippable for word in block.quote):
        return False
    allowed = DROPPABLE | _STANDINS
    return len(block.source) <= _MOST_REPLACED and all(word.key in allowed for word in block.source)


def _is_page_edge(block: _Block, document: FoldedDocument) -> bool:
    """Whole lines of header and footer where one page becomes the next, which the quote leaves out."""
    if block.quote or not all(word.skippable for word in block.source):
        return False
    first, last = block.source[0], block.source[-1]
    above, below = document.pages[first.page][: first.start], document.pages[last.page][last.end :]
    crosses = first.page < last.page or not fold(above) or not fold(below)
    return crosses and not fold(above.rpartition("\n")[2]) and not fold(below.partition("\n")[0])


def _is_typo(block: _Block, document: FoldedDocument) -> bool:
    """One slip in a long lower-case word of the source, which makes a word unknown to the document."""
    if len(block.quote) != 1 or len(block.source) != 1:
        return False
    quoted, stored = block.quote[0], block.source[0]
    plain = quoted.key.isalpha() and stored.key.isalpha() and stored.text[:1].islower()
    long = min(len(quoted.key), len(stored.key)) >= _SHORTEST_TYPO and quoted.key[0] == stored.key[0]
    return plain and long and _one_slip(quoted.key, stored.key) and quoted.key not in document.folded


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter is put in, left out or changed, or two neighbours are swapped."""
    start = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and a[:2] == b[1::-1] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]


def _shown(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _spanned(first: Word, last: Word, document: FoldedDocument) -> Place:
    text = document.between(first.page, last.page, first.start, last.end)
    return Place(first.page, last.page, first.start, last.end, text)
