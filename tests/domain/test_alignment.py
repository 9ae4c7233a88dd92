"""A quote is laid beside its source, and only differences that change no meaning are let pass."""

from __future__ import annotations

import pytest

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
