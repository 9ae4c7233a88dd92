"""Ordinary chunks: read the short way, they mean what they mean read the long way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks import paced
from service.provider import wire
from service.provider.chunks import plain

ORDINARY = {"choices": [{"index": 0, "delta": {"content": "Yes"}, "finish_reason": None}], "usage": None}

VALUES = [None, "", "x", "error", 0, 1, -1, 1.0, True, False, 1e400, 10**40, [], {}, ["x"], {"x": 1}]
ODD = st.sampled_from(VALUES)
TEXT = st.sampled_from(["", "Yes", " né\u4e2d", "\U0001f600", "\ud83d", "\ude00", "\x00", None])
USED = {"prompt_tokens": 4, "completion_tokens": 1}
DELTA = st.fixed_dictionaries(
    {}, optional={"content": st.one_of(TEXT, ODD), "refusal": ODD, "role": ODD, "tool_calls": ODD}
)
CHOICE = st.fixed_dictionaries(
    {}, optional={"index": ODD, "delta": st.one_of(DELTA, ODD), "finish_reason": ODD, "logprobs": ODD}
)
USAGE = st.sampled_from([None, {}, USED, {"prompt_tokens": 4}])
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.one_of(st.lists(CHOICE, max_size=2), ODD),
        "id": ODD,
        "object": st.sampled_from(["chat.completion.chunk", "error", "other", None, 1]),
        "created": ODD,
        "model": ODD,
        "service_tier": ODD,
        "usage": USAGE,
        "error": ODD,
        "obfuscation": ODD,
    },
)
LIKELY = st.fixed_dictionaries(
    {"choices": st.tuples(st.fixed_dictionaries({"delta": st.fixed_dictionaries({"content": TEXT})}))},
    optional={"id": st.sampled_from(["a", "b", None]), "created": ODD, "model": st.sampled_from(["m", "n"])},
)


def written(chunk: dict[str, Any], *, is_ascii: bool) -> str:
    return json.dumps(chunk, ensure_ascii=is_ascii).replace("Infinity", "1e400")


def heard(stream: list[str]) -> tuple[list[object], object]:
    """What a stream of events' data comes to, and how each of them was taken."""
    answer = wire.StreamedReply()
    taken: list[object] = []
    for data in stream:
        try:
            taken.append(answer.add(data))
        except wire.FailedInStream as error:
            taken.append(("failed", repr(error.payload)))
        except wire.Malformed as error:
            taken.append(("malformed", str(error)))
    return [*taken, answer.close()], repr((answer.is_whole, answer.reply(), list(answer.reply().raw)))


@given(st.lists(st.one_of(LIKELY, CHUNK), max_size=6), st.booleans())
@example([ORDINARY | {"model": "m"}, {"model": "n"}, ORDINARY | {"model": "m"}], True)  # noqa: FBT003
def test_both_ways_come_to_the_same(chunks: list[dict[str, Any]], is_ascii: bool) -> None:  # noqa: FBT001
    stream = [written(chunk, is_ascii=is_ascii) for chunk in chunks]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "plain", lambda _: None)
        by_the_long_way = heard(stream)
    assert heard(stream) == by_the_long_way


@pytest.mark.parametrize(
    "name", ["choices", "id", "object", "created", "model", "service_tier", "usage", "error"]
)
@pytest.mark.parametrize("value", [*VALUES, USED], ids=range(len(VALUES) + 1))
def test_one_odd_thing_in_a_chunk(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = [json.dumps(one) for one in (ORDINARY, ORDINARY | {name: value}, ORDINARY)]
    seen = heard(stream)
    monkeypatch.setattr(wire, "plain", lambda _: None)
    assert heard(stream) == seen


@pytest.mark.parametrize("name", ["index", "delta", "finish_reason", "content", "refusal", "logprobs"])
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_one_odd_thing_in_a_choice(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"delta": {"content": "No", name: value}} if name in {"content", "refusal"} else {name: value}
    choices = [{"index": 0, "delta": {"content": "No"}, "finish_reason": None} | place]
    stream = [json.dumps(one) for one in (ORDINARY, ORDINARY | {"choices": choices}, ORDINARY)]
    seen = heard(stream)
    monkeypatch.setattr(wire, "plain", lambda _: None)
    assert heard(stream) == seen


@pytest.mark.parametrize(
    "text",
    [
        '{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":4,"completion_tokens":1},"usage":null}',
        '{"choices":[{"delta":{"content":"a","content":"b"}}],"id":"x","id":null}',
        '{"choices":[{"delta":{"content":"a"}}],"zz":NaN}',
        '{"choices":[{"delta":{"content":"a"}}],"zz":"\\ud800"}',
        '{"choices":[{"delta":{"content":"a"}}],"zz":01}',
        '{"choices":[{"delta":{"content":"a"}}],"zz":[1,]}',
        '{"choices":[{"delta":{"content":"a"}}],"zz":"\t"}',
        '{"choices":[{"delta":{"content":"a"}}]} x',
        '{"choices":[{"delta":{"content":"a"}}],"created":-0}',
        '{"choices":[{"delta":{"content":"\\u0061\\/\\ud83d\\ude00"}}],"\\u0069d":"x"}',
        '\ufeff{"choices":[{"delta":{"content":"a"}}]}',
        ' \n{"choices" : [ {"delta":{"content":"a"} } ] }\n',
        '{"choices":[{"delta":{"content":"a"}}],"zz":' + "[" * 100_000,
        "null",
        "",
    ],
    ids=range(15),
)
def test_what_json_allows_and_what_it_does_not(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = heard([text])
    monkeypatch.setattr(wire, "plain", lambda _: None)
    assert heard([text]) == seen


def test_a_stream_is_ordinary_but_for_its_end() -> None:
    data = [event.decode().removeprefix("data: ") for event in paced.events()]
    ordinary = [plain(one) for one in data]

    assert all(ordinary[:-2])
    assert ordinary[-2:] == [None, None]
    assert "".join(chunk.content() for chunk in ordinary if chunk) == "".join(
        f" word{number}" for number in range(49)
    )
