"""Whatever a server cuts characters into, what comes out is the text it had in mind."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.provider import wire
from service.provider.characters import Characters, whole

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def halves(text: str) -> str:
    """The text as UTF-16 units, each a character of its own."""
    units = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[n : n + 2], "little")) for n in range(0, len(units), 2))


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_pieces_cut_anywhere_join_to_the_text(text: str, cuts: list[int]) -> None:
    units = halves(text)
    bounds = [0, *sorted(min(cut, len(units)) for cut in cuts), len(units)]
    characters = Characters()
    said = [characters.feed(units[a:b]) for a, b in itertools.pairwise(bounds)]
    assert "".join(said) + characters.close() == text == whole(units)


@given(st.text(st.characters()), st.text(st.characters()))
def test_what_comes_out_is_always_unicode(one: str, other: str) -> None:
    characters = Characters()
    said = characters.feed(one) + characters.feed(other) + characters.close()
    assert said.encode().decode() == said == whole(one + other)
    assert "\x00" not in said


@pytest.mark.parametrize(
    ("text", "expected"), [("\ud83d", "\ufffd"), ("\udea2\ud83d", "\ufffd\ufffd"), ("a\x00b", "a\ufffdb")]
)
def test_a_half_alone_is_a_replacement_character(text: str, expected: str) -> None:
    assert whole(text) == expected


def test_a_stream_that_ends_in_half_a_character() -> None:
    answer = wire.StreamedReply()
    half = json.dumps({"choices": [{"index": 0, "delta": {"content": "so \ud83d", "refusal": "\ud83d"}}]})
    assert answer.add(half) == "so "
    assert answer.close() == "\ufffd"
    assert answer.reply().text == "so \ufffd"


def test_names_are_text_of_bounded_length() -> None:
    payload = {"choices": [{"message": {"content": "\ud83d\udea2"}, "finish_reason": "x" * 9_000}]}
    reply = wire.reply(payload | {"model": "\ud83d", "service_tier": "y" * 41})
    assert (reply.text, reply.finish_reason) == ("\U0001f6a2", "x" * 40)
    assert (reply.model, reply.service_tier) == ("\ufffd", "y" * 40)
