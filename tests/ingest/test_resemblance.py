"""Samples of texts tell how much two documents say the same, without the texts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.resemblance import HIGHEST, SIZE, Sketch, resemblance

WORDS = [
    f"{start}{middle}{end}" for start in "bcdfglmnprst" for middle in "aeiou" for end in ("ndering", "tional")
]
PAGES = st.lists(
    st.lists(st.sampled_from([*WORDS, "of", "the", "漢字"]), max_size=60).map(" ".join), max_size=6
)


def sketch(*pages: str) -> tuple[int, ...]:
    made = Sketch()
    for page in pages:
        made.add(page)
    return made.values()


def prose(seed: int, words: int = 6_000) -> list[str]:
    dice = random.Random(seed)  # noqa: S311 - made-up text
    return [
        dice.choice(WORDS) if dice.random() < 0.4 else dice.choice(["of", "the", "and", "is"])
        for _ in range(words)
    ]


def test_the_same_text_resembles_itself_wholly_and_another_not_at_all() -> None:
    one, other = sketch(" ".join(prose(1))), sketch(" ".join(prose(2)))
    assert len(one) == SIZE
    assert resemblance(one, one) == 1.0
    assert resemblance(one, other) < 0.02


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_change_shows_in_proportion(share: float) -> None:
    """A run of other words in the place of so many: the estimate is near the true share of phrases."""
    before = prose(1)
    cut = round(len(before) * share)
    after = prose(2)[:cut] + before[cut:]
    true = (1 - share) / (1 + share)
    assert resemblance(sketch(" ".join(before)), sketch(" ".join(after))) == pytest.approx(true, abs=0.1)


def test_line_ends_do_not_matter() -> None:
    words = prose(3)
    assert sketch(" ".join(words)) == sketch("\n".join(words))


@given(pages=PAGES)
def test_parts_put_together_are_the_whole(pages: list[str]) -> None:
    whole, parts = Sketch(), Sketch()
    for page in pages:
        whole.add(page)
        parts.merge(sketch(page))
    assert whole.values() == parts.values()
    assert list(whole.values()) == sorted(set(whole.values()))
    assert all(0 <= value <= HIGHEST for value in whole.values())


@given(one=PAGES, other=PAGES)
def test_resemblance_is_mutual_and_a_share(one: list[str], other: list[str]) -> None:
    first, second = sketch(*one), sketch(*other)
    assert 0.0 <= resemblance(first, second) <= 1.0
    assert resemblance(first, second) == resemblance(second, first)


def test_nothing_resembles_nothing() -> None:
    assert resemblance((), ()) == 0.0
    assert sketch("too few") == ()
    assert sketch("surrogate \ud800 characters survive hashing") != ()
