"""What rules a place out rules out none that the words laid side by side would have found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.domain.quote_places import LEAST_SHARE, MOST_ANCHORS, Sought, region
from service.domain.quote_words import GAP, SMALL, quote_words
from service.domain.quotes import FoldedDocument, fold

WORD = st.sampled_from(
    [
        "the",
        "drain",
        "inspectors",
        "of",
        "1,200",
        "-5",
        "(3)",
        "not",
        "[was]",
        "…",
        "état",
        "中国人",
        "well-known",
    ]
)
WORDS = st.lists(WORD, max_size=30)


def _longest_common(one: list[str], other: list[str]) -> int:
    """The textbook's table."""
    row = [0] * (len(other) + 1)
    for word in one:
        above = row
        row = [0]
        for at, stored in enumerate(other):
            row.append(above[at] + 1 if word == stored else max(above[at + 1], row[-1]))
    return row[-1]


@given(WORDS, WORDS, st.integers(0, 30))
def test_words_in_order_are_counted_as_the_textbook_does(
    quoted: list[str], stored: list[str], least: int
) -> None:
    wanted, source = (
        Sought(" ".join(quoted)),
        [word for word in quote_words(" ".join(stored)) if word is not GAP],
    )
    keys = [word.key for word in wanted.words if word is not GAP]
    common = _longest_common(keys, [word.key for word in source])
    assert wanted.may_match(source, least) == (common >= max(1, least))


@given(WORDS, WORDS, WORDS)
def test_where_a_quote_stands_it_is_not_ruled_out(
    quoted: list[str], before: list[str], after: list[str]
) -> None:
    quote = " ".join(quoted)
    wanted, document = Sought(quote), FoldedDocument([" ".join([*before, *quoted, *after])])
    least = wanted.least(document.folded, 1.0)
    assert least == LEAST_SHARE * wanted.asked
    assert wanted.may_stand_in(document.folded, least)


@given(WORDS, st.floats(LEAST_SHARE, 1), st.sets(WORD))
def test_what_surpasses_the_floor_needs_more_words_where_two_that_tell_are_lacking(
    quoted: list[str], floor: float, stored: set[str]
) -> None:
    wanted, window = Sought(" ".join(quoted)), fold(" ".join(sorted(stored)))
    needed = [word for word in wanted.words if word is not GAP and not word.skippable]
    lacking = [word for word in needed if word.key not in SMALL and fold(word.text) not in window]
    least = wanted.least(window, floor)
    if len(lacking) <= 1:
        assert least == LEAST_SHARE * wanted.asked
    else:
        assert (least - 1) / wanted.asked <= floor + 1e-6 < least / wanted.asked + 2e-6


@given(WORDS, WORDS, WORDS)
def test_an_anchor_that_stands_there_gives_a_region_that_holds_it(
    quoted: list[str], before: list[str], after: list[str]
) -> None:
    wanted = Sought(" ".join(quoted))
    document = FoldedDocument([" ".join(before), " ".join(quoted), " ".join(after)])
    anchors = wanted.anchors(MOST_ANCHORS)
    assert len(anchors) <= MOST_ANCHORS
    found = region(wanted, document, None, MOST_ANCHORS)
    if found is None:
        assert not any(anchor in document.folded for _, anchor in anchors)
        return
    assert 0 <= found.begin < found.end <= len(document.folded)
    assert document.folded[found.begin : found.end] in found.window
    assert any(anchor in document.folded[found.begin : found.end] for _, anchor in anchors)
