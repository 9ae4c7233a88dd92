"""Server-sent events, however they are cut."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.provider.sse import Event, EventParser, EventTooLarge

RECORDED = Path(__file__).resolve().parents[2] / "../shared/data/openai/sse"
LINES = st.one_of(
    st.text(alphabet="da:t \u00e9\u2028\U0001f600\ufeff", max_size=12),
    st.text(alphabet="xyz \u4e2d", max_size=8).map("data: {}".format),
    st.sampled_from(["", "", "data", "data:", "event: error", "event", ": ping", "id: 7", "retry: 5"]),
)
ENDS = st.sampled_from(["\n", "\r", "\r\n"])


def parse(chunks: list[bytes]) -> list[Event]:
    parser = EventParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.close()


def by_the_standard(text: str) -> list[Event]:
    """A second, naive reading of the standard over the whole text."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[Event] = []
    data: list[str] = []
    name = ""
    for line in [*text.split("\n"), ""]:
        if line == "":
            if data:
                events.append(Event("\n".join(data), name or "message"))
            data, name = [], ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
    return events


@given(st.lists(st.tuples(LINES, ENDS), max_size=12), st.lists(st.integers(0, 200), max_size=12))
@example([("data: a", "\r\n"), ("", "\r\n")], [8, 9])
@example([("\ufeffdata: b", "\r"), ("", "\r")], [1, 2, 9, 10])
@example([("data: \U0001f600", "\n"), ("", "\n")], [7, 8, 9])
def test_any_chunking_gives_the_standards_events(lines: list[tuple[str, str]], cuts: list[int]) -> None:
    text = "".join(line + end for line, end in lines)
    content = text.encode()
    bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    chunks = [content[a:b] for a, b in itertools.pairwise(bounds)]

    assert parse(chunks) == by_the_standard(text)
    assert parse([bytes([byte]) for byte in content]) == by_the_standard(text)


BLOCKS = st.sampled_from(
    [
        b"data: a\n\n",
        b"data: \xe4\xb8\xad \n\n",
        b"data: \n\n",
        b"data: \xff\xe4\n\n",
        b"data:a\n\n",
        b"data: a\n",
        b"data: a\r\n\r\n",
        b"data: a\rdata: b\n\n",
        b"data: a\ndata: b\n\n",
        b"event: error\ndata: a\n\n",
        b"event: error\n",
        b"\xef\xbb\xbfdata: a\n\n",
        b": ping\n\n",
        b"\n",
        b"\r",
        b"data: ",
    ]
)


@given(st.lists(st.lists(BLOCKS, max_size=4), max_size=4))
@example([[b"data: a\r"], [b"\n", b"data: b\n\n"]])
@example([[b"data: a\n\n", b"data: b\n\n", b"\n"]])
@example([[b"data: a\n", b"\n\n", b"data: b\n\n"]])
def test_whole_events_at_once_are_what_they_are_byte_by_byte(chunks: list[list[bytes]]) -> None:
    together = [b"".join(blocks) for blocks in chunks]
    assert parse(together) == parse([bytes([byte]) for byte in b"".join(together)])


def test_small_events_may_pass_the_limit_together_and_a_large_one_alone_may_not() -> None:
    small, large = b"data: " + b"x" * 90 + b"\n\n", b"data: " + b"x" * 99 + b"\n\n"
    parser = EventParser(max_event_bytes=100)

    assert len(parser.feed(small * 5)) == 5
    assert len(parser.feed(small)) == 1
    with pytest.raises(EventTooLarge):
        parser.feed(large)


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: one\ndata: two\n\n", ["one\ntwo"]),
        (b"data:no blank\r\rdata:  two blanks\r\r", ["no blank", " two blanks"]),
        (b": comment\n\ndata\n\n", [""]),
        (b"\xef\xbb\xbfdata: after a byte order mark\n\n", ["after a byte order mark"]),
        (b"data: [DONE]", ["[DONE]"]),
        (b"data: [DONE]\n", ["[DONE]"]),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"", []),
    ],
)
def test_the_standards_corner_cases(stream: bytes, data: list[str]) -> None:
    assert [event.data for event in parse([stream])] == data


def test_an_event_keeps_its_name_and_the_next_has_its_own() -> None:
    events = parse([b"event: error\ndata: {}\n\nevent: lost\n\ndata: x\n\n"])

    assert events == [Event("{}", "error"), Event("x", "message")]


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 100, b"data: x\n", b"data: " + b"x" * 2000 + b"\n"])
def test_an_event_without_end_is_refused(piece: bytes) -> None:
    parser = EventParser(max_event_bytes=1000)

    with pytest.raises(EventTooLarge, match="1000 bytes"):
        list(map(parser.feed, [piece] * 1000))


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    parser = EventParser()
    started = time.process_time()
    for _ in range(20_000):
        parser.feed(b"x" * 100)

    assert time.process_time() - started < 2


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.sse")) or [None])
def test_recorded_streams_lose_nothing(path: Path | None) -> None:
    if path is None:
        pytest.skip("no recorded streams here")
    content = path.read_bytes()
    lines = [line.removeprefix("data: ") for line in content.decode().splitlines() if line]

    events = parse([content[start : start + 97] for start in range(0, len(content), 97)])

    assert [event.data for event in events] == lines
    assert events[-1].data == "[DONE]"
