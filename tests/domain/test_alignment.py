"""A quote is laid beside its source, and only differences that change no meaning are let pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.alignment import align
from service.domain.quotes import FoldedDocument

SOURCE = (
    "The inspectors of the agency found, in March, that the drain cover was broken "
    "and that salt had collected."
)


@pytest.mark.parametrize(
    ("quote", "accepted"),
    [
        ("The inspectors of agency found, in March, that the drain cover was broken", True),
        ("The inspectors of this agency found, in March, that the drain cover was broken", True),
        ("inspectors of the agency found, in March, that the drain cover was borken", True),
        ("The inspectors of the agency found [in 2019], in March, that the drain cover was broken", True),
        ("The inspectors [who came] found, in March, that the drain cover was broken", False),
        ("The inspectors of the agency found, in March, that the brain cover was broken", False),
        ("The inspectors of the agency found, in March, that the drain cover was not broken", False),
        ("The inspectors of the agency found, in May, that the drain cover was broken", False),
        ("The inspectors of the agency found, in March, that the drain cover is broken", False),
        ("The inspectors of the agency found that the drain cover was broken", False),
        ("The inspectors of the agency found, in March, that the drain cover was broken or that salt", False),
        ("The inspector of the agency found, in March, that the drain cover was broken", False),
    ],
)
def test_differences_are_judged(quote: str, *, accepted: bool) -> None:
    beside = align(quote, FoldedDocument([SOURCE]))
    assert beside is not None
    assert beside.accepted is accepted
    assert beside.edits


def test_two_slips_are_too_many() -> None:
    beside = align(
        "The insepctors of the agency found, in March, that the drain cover was borken",
        FoldedDocument([SOURCE]),
    )
    assert beside is not None
    assert not beside.accepted


def test_half_of_the_words_must_be_there() -> None:
    document = FoldedDocument([SOURCE])
    assert (
        align("The inspectors of the agency ate seven large cakes with great and visible delight", document)
        is None
    )
    assert align("Nothing of the sort", document) is None
    assert align("", document) is None
    assert align("quote", FoldedDocument([])) is None


def test_a_slip_that_makes_a_known_word_is_another_word() -> None:
    page = "The country roads were closed. Each county keeps a plan, and the county road was mended."
    beside = align("Each country keeps a plan, and the county road was mended", FoldedDocument([page]))
    assert beside is not None
    assert not beside.accepted


def test_the_place_is_the_source_as_stored() -> None:
    document = FoldedDocument(["Nothing here.", f"Before. {SOURCE} After."])
    beside = align("the drain cover was broken and salt had collected", document)
    assert beside is not None
    assert beside.place.first == 1
    assert beside.place.text == "the drain cover was broken and that salt had collected."
    assert document.pages[1][beside.place.start : beside.place.end] == beside.place.text


def test_a_body_line_skipped_in_mid_page_is_no_header() -> None:
    lines = [f"Line {number} of the page says word{number} and nothing else." for number in range(20)]
    document = FoldedDocument(["\n".join(lines)])
    beside = align(f"{lines[3]} {lines[5]}", document)
    assert beside is not None
    assert not beside.accepted


HEADER = "The Agency Annual Report 2016\n"
ABOVE = "In the spring of that year the board looked at every drain. In autumn the"
BELOW = "inspectors of this office found that every cover was broken and that salt had collected.\nMore."


@pytest.mark.parametrize(
    ("above", "header", "below"),
    [
        (ABOVE, "The Agency Annual Report 2016\n", BELOW),
        (ABOVE, "In autumn the Agency reports 12\n", BELOW),
        (ABOVE, "The Agency Annual Report of the inspectors\n", BELOW),
        (ABOVE, "12\nThe report: inspectors\n", BELOW),
    ],
)
def test_a_header_may_start_or_end_with_the_words_beside_it(above: str, header: str, below: str) -> None:
    quote = "looked at every drain. In autumn the inspectors of this office found that every cover was broken"
    beside = align(quote, FoldedDocument([above, header + below]))
    assert beside is not None
    assert beside.accepted
    assert [edit.quote for edit in beside.edits] == [""]
    assert beside.edits[0].source.split() == header.split()


@pytest.mark.parametrize("left_out", ["the board looked at every", "In autumn the"])
def test_no_line_of_the_body_is_taken_for_a_header(left_out: str) -> None:
    quote = f"{ABOVE.replace(left_out, '')} {BELOW[:70]}"
    beside = align(quote, FoldedDocument([ABOVE, HEADER + BELOW]))
    assert beside is None or not beside.accepted


def test_of_two_places_alike_the_one_whose_words_are_closest_together_is_taken() -> None:
    told = "These responses portray the perceptions and experiences of people regarding"
    page = (
        f"{told} the efficiency of services received. Transparency is scored on another line. "
        f"{'Nothing of the kind stands here. ' * 30}{told} the transparency of services received."
    )
    beside = align(f"{told} transparency of services received", FoldedDocument([page]))
    assert beside is not None
    assert beside.accepted
    assert beside.place.start > len(page) // 2


def test_a_quote_may_have_most_of_its_words_after_the_header_of_the_next_page() -> None:
    above = f"Establish baseline. {'Of the plans nothing came until spring. ' * 20}Establish baseline"
    header = "36 Office of Everything and Nothing, Fiscal Year 2022, Annual Performance Report\n"
    below = "Goal four: provide solutions that enable agencies to meet their missions.\nMore."
    document = FoldedDocument([above, header + below])
    beside = align(f"Establish baseline {below.partition(' their')[0]}", document, range(1))
    assert beside is not None
    assert beside.accepted
    assert (beside.place.first, beside.place.last) == (0, 1)


WORDS = st.lists(
    st.sampled_from(["the", "drain", "cover", "was", "broken", "salt", "and", "12", "(3)", "not"])
)


@given(WORDS, WORDS, WORDS, st.floats(0, 1))
def test_a_floor_hides_nothing_that_matters(
    quoted: list[str], before: list[str], after: list[str], floor: float
) -> None:
    quote = " ".join(quoted)
    document = FoldedDocument(
        [" ".join([*before, *quoted[: len(quoted) // 2]]), " ".join([*quoted[1:], *after])]
    )
    free, held = align(quote, document), align(quote, document, floor=floor)
    if free is not None and (free.accepted or free.score > floor):
        assert held == free
    else:
        assert held in (free, None)
