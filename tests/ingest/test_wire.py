"""Events survive the wire, and no bytes from a hostile child get past it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import resemblance, wire
from ingest.document import Enclosed, Flag, Heading, Notice, Page, Picture, Piece, Sealed, Started, Unit

TEXT = st.text(alphabet=st.characters(codec=None))
NUMBER = st.integers(0, 2**40)
SIZE = st.integers(1, wire.MAX_SIDE)
NOTICE = st.builds(Notice, TEXT, TEXT, st.none() | NUMBER)
EVENTS = st.one_of(
    st.builds(wire.Opened, st.builds(Started, TEXT, st.sampled_from(Unit), NUMBER), NUMBER),
    st.builds(wire.Taken, NUMBER),
    st.builds(wire.Beat),
    st.builds(
        Page,
        NUMBER,
        TEXT,
        st.none() | TEXT,
        NUMBER,
        st.lists(st.sampled_from(Flag), unique=True).map(tuple),
        st.none() | st.builds(Picture, SIZE, SIZE),
    ),
    st.builds(Enclosed, TEXT),
    st.builds(Piece, st.binary()),
    st.builds(Sealed, st.none() | NOTICE),
    st.builds(
        wire.Given,
        st.none() | TEXT,
        TEXT,
        st.lists(NOTICE).map(tuple),
        NUMBER,
        NUMBER,
        st.lists(st.integers(0, 2**32 - 1), max_size=resemblance.SIZE).map(tuple),
        st.lists(st.builds(Heading, TEXT, NUMBER, st.none() | NUMBER)).map(tuple),
    ),
    st.builds(wire.Failed, TEXT, TEXT),
    st.builds(wire.Defect, TEXT),
)


@given(event=EVENTS)
def test_an_event_arrives_as_it_was_sent(event: wire.Event) -> None:
    sent = wire.pack(event)
    assert wire.body_size(sent[: wire.HEADER_BYTES]) == len(sent) - wire.HEADER_BYTES
    assert wire.unpack(sent[wire.HEADER_BYTES :]) == event


@given(body=st.binary())
def test_bytes_that_are_no_event_are_refused(body: bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.unpack(body)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {},
        7,
        ["page"],
        ["page", "1", "text", None, 1, [], None],
        ["page", 1, None, None, 1, [], None],
        ["page", 1, "text", 5, 1, [], None],
        ["page", 1, "text", None, 1, ["made_up"], None],
        ["page", 1, "text", None, 1, [[]], None],
        ["page", 1, "text", None, 1, [], [0, 10]],
        ["page", 1, "text", None, 1, [], [10, 10**9]],
        ["page", 1, "text", None, 1, [], 10],
        ["page", 1, "text", None, -1, [], None],
        ["page", 1, "text", None, 2**64, [], None],
        ["page", 1, "text", "x" * (wire.MAX_LABEL + 1), 1, [], None],
        ["enclosed", 1],
        ["piece", "not base64!"],
        ["sealed", "no notice"],
        ["given", None, "o200k_base", [], 0, 0, [2**32], []],
        ["given", None, "o200k_base", [], 0, 0, [-1], []],
        ["given", None, "o200k_base", [], 0, 0, [1] * 100_000, []],
        ["given", None, "o200k_base", [], 0, 0, [], [["title"]]],
        ["given", None, "o200k_base", [], 0, 0, [], [["title", float("inf"), 1]]],
        ["given", None, "o200k_base", [], 0, 0, [], [["title", 1, -1]]],
        ["given", None, "o200k_base", [], 0, 0, [], [["title", 2**64, 1]]],
        ["given", None, "o200k_base", [], -1, 0, [], []],
        ["given", None, "o200k_base", [], 0, -1, [], []],
        ["given", None, "o200k_base", [], 0, 2**64, [], []],
        ["given", None, "o200k_base", [["code", "detail", 2**64]], 0, 0, [], []],
        ["opened", "x", "book", 1, 0],
        ["opened", "x", "page", 1, None],
        ["taken", None],
        ["given", None, "x", [["code"]], 0, 0, [], []],
        ["given", None, "x", [["code", "detail", {}]], 0, 0, [], []],
        ["given", None, "x", [7], 0, 0, [], []],
        ["given", None, "x", [], 0],
        ["unknown", 1],
    ],
)
def test_events_of_a_wrong_shape_are_refused(fields: object) -> None:
    with pytest.raises(wire.Malformed):
        wire.unpack(json.dumps(fields).encode())


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(wire.Malformed, match="not an event"):
        wire.unpack(b"[" * 100_000)


def test_an_event_too_large_is_refused_before_it_is_received() -> None:
    with pytest.raises(wire.Malformed, match="too large"):
        wire.body_size(b"\xff\xff\xff\xff")
