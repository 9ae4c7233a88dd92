"""Files inside documents: their order, and what goes when the file around them goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.domain.enclosures import Link, in_order, only_inside


def links(*pairs: str, uploaded: str = "") -> list[Link]:
    """`links("ab")`: b lies in a."""
    return [Link(pair[0], pair[1], uploaded=pair[1] in uploaded) for pair in pairs]


def ids(found: list[Link]) -> str:
    return "".join(link.document_id for link in found)


def test_each_file_comes_right_after_what_it_came_in() -> None:
    assert ids(in_order("a", links("ab", "ac", "bd", "be", "cf"))) == "bdecf"


def test_a_file_that_lies_in_two_places_comes_once() -> None:
    assert ids(in_order("a", links("ab", "ac", "bd", "cd", "cb"))) == "bdc"


def test_an_archive_that_holds_itself() -> None:
    held = links("aa", "ab", "ba", "bb")
    assert ids(in_order("a", held)) == "b"
    assert ids(only_inside("a", held)) == "b"


def test_what_came_another_way_too_stays_with_all_that_is_in_it() -> None:
    held = links("ab", "ac", "bd", "xb", "ce")
    assert ids(only_inside("a", held)) == "ce"
    assert ids(only_inside("a", held, among="x")) == "ce"
    assert ids(only_inside("a", held, among="yz")) == "bdce"
    assert ids(only_inside("a", links("ab", "bc", "ad", uploaded="b"))) == "d"


graphs = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=14)


@given(graphs, st.sets(st.sampled_from("abcdef")))
def test_nothing_goes_that_can_still_be_reached(pairs: list[tuple[str, str]], uploaded: set[str]) -> None:
    held = [Link(parent, child, uploaded=child in uploaded) for parent, child in pairs]
    inside = set(ids(in_order("a", held)))
    gone = set(ids(only_inside("a", held)))
    outside = {parent for parent, _ in pairs} - inside - {"a"}
    without = [(parent, child) for parent, child in pairs if parent != "a"]
    stays = reach((uploaded & inside) | {c for p, c in pairs if p in outside and c in inside}, without)
    assert inside | {"a"} == reach({"a"}, pairs)
    assert gone == inside - stays


def reach(start: set[str], pairs: list[tuple[str, str]]) -> set[str]:
    found = set(start)
    for _ in range(len(pairs)):
        found |= {child for parent, child in pairs if parent in found}
    return found
