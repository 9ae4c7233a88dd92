"""Requests as JSON, replies out of JSON."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.prompts import ImagePart, Message
from service.domain.usage import Usage
from service.domain.vision import DETAILS, Detail
from service.errors import Invalid
from service.provider import ChatRequest, wire
from service.provider.profiles import COMPATIBLE, MODELSTREAM, OPENAI, OXEN, PROFILES
from service.provider.sse import EventParser
from tests.support import contract, pictures

DATA = Path(__file__).resolve().parents[2] / "../shared/data/openai"
FULL: dict[str, Any] = {
    "reasoning_effort": "none",
    "verbosity": "low",
    "temperature": 0.2,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "seed": 7,
    "stop": ["END"],
    "response_format": {"type": "json_object"},
    "service_tier": "flex",
    "prompt_cache_key": "pack-1",
}


def request(*messages: Message, **more: Any) -> ChatRequest:  # noqa: ANN401 - fields of any type
    return ChatRequest("gpt-5.5", messages or (Message("user", ("Hello?",)),), 500, **more)


def test_a_request_in_openais_form() -> None:
    asked = request(
        Message("system", ("Be exact.",)),
        Message("user", ("<document>\n", "</document>\n")),
        Message("assistant", ("Yes", ".")),
        Message("user", ("Why?",)),
        reasoning_effort="high",
        service_tier="standard",
    )

    assert wire.body(asked, OPENAI) == {
        "model": "gpt-5.5",
        "messages": [
            {"role": "system", "content": "Be exact."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<document>\n"},
                    {"type": "text", "text": "</document>\n"},
                ],
            },
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Why?"},
        ],
        "max_completion_tokens": 500,
        "stream": True,
        "stream_options": {"include_usage": True},
        "reasoning_effort": "high",
        "service_tier": "default",
    }


def test_a_profile_decides_names_and_what_is_left_out() -> None:
    oxen = wire.body(request(**FULL), OXEN)

    assert oxen["model"] == "gpt-5-5-2026-04-23"
    assert oxen["max_tokens"] == 500
    assert oxen.keys() - {"model", "messages", "max_tokens", "stream"} == {
        "reasoning_effort",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        "response_format",
    }
    assert wire.left_out(request(**FULL), OXEN) == ("verbosity", "service_tier", "prompt_cache_key")
    assert "verbosity" in wire.body(request(**FULL), MODELSTREAM)


def test_sampling_goes_out_only_where_nothing_reasons() -> None:
    reasoning = request(**FULL | {"reasoning_effort": None})

    assert wire.left_out(reasoning, OPENAI) == wire.SAMPLING
    assert wire.left_out(request(**FULL), OPENAI) == ()
    assert wire.body(reasoning, COMPATIBLE)["temperature"] == 0.2


def test_stream_options_go_with_streams_alone() -> None:
    assert "stream_options" not in wire.body(request(stream=False), OPENAI)
    assert "stream_options" not in wire.body(request(), OXEN)


@given(st.sampled_from(sorted(PROFILES)), st.sets(st.sampled_from(sorted(FULL))), st.booleans())
def test_nothing_is_sent_that_was_not_asked(name: str, chosen: set[str], stream: bool) -> None:  # noqa: FBT001
    asked = request(stream=stream, **{key: FULL[key] for key in chosen})
    body = wire.body(asked, PROFILES[name])

    sent = {key: value for key, value in body.items() if key in FULL}
    assert sent.keys() | set(wire.left_out(asked, PROFILES[name])) == chosen
    assert sent.keys().isdisjoint(wire.left_out(asked, PROFILES[name]))
    assert all(FULL[key] == value for key, value in sent.items())


@given(st.sets(st.sampled_from(sorted(FULL))), st.booleans())
def test_openai_takes_whatever_goes_out(chosen: set[str], stream: bool) -> None:  # noqa: FBT001
    body = wire.body(request(stream=stream, **{key: FULL[key] for key in chosen}), OPENAI)

    assert contract.check(body, models=["gpt-5.5"]) is None
    assert contract.check_schema(body) is None


def test_the_longest_string_passes_and_one_more_character_does_not() -> None:
    text = "x" * wire.MAX_STRING_CHARS

    assert (
        wire.body(request(Message("user", (text, text))), OPENAI)["messages"][0]["content"][1]["text"] == text
    )
    with pytest.raises(Invalid, match="Message 1 holds one text of 10,485,761 characters"):
        wire.body(request(Message("user", ("a", text + "x"))), OPENAI)
    with pytest.raises(Invalid, match="Message 1"):
        wire.body(request(Message("assistant", (text, "x"))), OPENAI)


def test_a_message_without_parts_is_refused() -> None:
    with pytest.raises(Invalid, match="Message 2 holds no text"):
        wire.body(request(Message("system", ("x",)), Message("user", ())), OPENAI)


PICTURE = pictures.data_uri(3, 5)


def test_a_picture_stands_between_the_texts() -> None:
    asked = request(Message("user", ('<page n="1">\n', ImagePart(PICTURE, "low"), '<page n="2">\n')))

    assert wire.body(asked, OPENAI)["messages"][0]["content"] == [
        {"type": "text", "text": '<page n="1">\n'},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "text", "text": '<page n="2">\n'},
    ]


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("name", sorted(PROFILES))
def test_pictures_fit_the_contract_alone_and_beside_text(name: str, detail: Detail) -> None:
    for parts in ((ImagePart(PICTURE, detail),), (ImagePart(PICTURE, detail), "What is it?")):
        body = wire.body(request(Message("user", parts)), PROFILES[name])
        assert isinstance(body["messages"][0]["content"], list)
        assert contract.check_schema(body) is None
        if name == "openai":
            assert contract.check(body, models=["gpt-5.5"]) is None


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_a_user_shows_pictures(role: Literal["system", "assistant"]) -> None:
    with pytest.raises(Invalid, match="Message 1 holds a picture"):
        wire.body(request(Message(role, ("x", ImagePart(PICTURE, "high")))), OPENAI)


def test_more_pictures_than_a_request_may_hold_are_refused() -> None:
    most = (ImagePart(PICTURE, "low"),) * 1_500

    wire.body(request(Message("user", most)), OPENAI)
    with pytest.raises(Invalid, match="holds 1,501 pictures; providers take 1,500"):
        wire.body(request(Message("user", most[:-1]), Message("user", most[:2])), OPENAI)


def test_a_picture_that_no_string_holds_is_refused_before_it_is_sent() -> None:
    longest = PICTURE.ljust(wire.MAX_STRING_CHARS, "A")

    wire.body(request(Message("user", (ImagePart(longest, "high"),))), OPENAI)
    with pytest.raises(Invalid, match="Message 1 holds one picture of 10,485,761 characters"):
        wire.body(request(Message("user", ("x", ImagePart(longest + "A", "high")))), OPENAI)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_text_arrives_as_it_was(text: str) -> None:
    content = wire.encoded(wire.body(request(Message("user", (text,))), OPENAI))

    assert json.loads(content)["messages"][0]["content"] == text


def test_half_a_character_is_refused_before_it_is_sent() -> None:
    with pytest.raises(Invalid, match="lone surrogate"):
        wire.encoded(wire.body(request(Message("user", ("\ud83d",))), OPENAI))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([], None),
        ({"prompt_tokens": 7}, None),
        ({"prompt_tokens": "7", "completion_tokens": 2}, None),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": 0, "completion_tokens": 2}, None),
        ({"prompt_tokens": 7, "completion_tokens": 10**30}, None),
        ({"prompt_tokens": 7, "completion_tokens": 2}, Usage(7, 2, cache_told=False)),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None},
            Usage(7, 2, cache_told=False),
        ),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}},
            Usage(7, 2, cache_told=False),
        ),
        (
            {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            Usage(7, 2, cache_told=False),
        ),
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(7, 2, 5, 2, 2),
        ),
    ],
)
def test_usage_is_read_strictly_and_its_details_tolerantly(value: object, expected: Usage | None) -> None:
    assert wire.usage(value) == expected


@pytest.mark.parametrize("payload", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": 1}]}])
def test_a_reply_without_a_message_is_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(wire.Malformed):
        wire.reply(payload)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "null", "[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_malformed(text: str | bytes) -> None:
    with pytest.raises(wire.Malformed):
        wire.decoded(text)


def test_a_reply_in_parts_and_without_details() -> None:
    payload = {
        "choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "system_fingerprint": None,
    }
    reply = wire.reply(payload)

    assert (reply.text, reply.finish_reason, reply.usage) == ("ab", None, Usage(3, 2, cache_told=False))
    assert reply.raw is payload


def test_a_stream_is_whole_only_with_an_end() -> None:
    cut, answer = wire.StreamedReply(), wire.StreamedReply()
    assert cut.add('{"choices":[{"index":0,"delta":{"content":"Yes"}}]}') == "Yes"
    assert not cut.is_whole
    answer.add('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')

    assert answer.is_whole
    assert answer.reply().usage is None


def test_done_alone_is_no_answer() -> None:
    answer = wire.StreamedReply()
    answer.add("[DONE]")

    assert answer.is_done
    assert not answer.is_whole


@pytest.mark.parametrize("choices", ["[]", '[{"index":0,"delta":{}}]', "null"])
def test_the_usage_chunk_is_read_whatever_its_choices(choices: str) -> None:
    answer = wire.StreamedReply()
    answer.add(f'{{"choices":{choices},"usage":{{"prompt_tokens":4,"completion_tokens":1}}}}')
    answer.add('{"choices":[],"usage":null}')

    assert answer.reply().usage == Usage(4, 1, cache_told=False)
    assert "usage_chunk" in answer.reply().raw


@pytest.mark.parametrize("data", ['{"error":{"message":"x"}}', '{"object":"error","message":"x"}'])
def test_an_error_in_a_stream_is_told_apart(data: str) -> None:
    with pytest.raises(wire.FailedInStream):
        wire.StreamedReply().add(data)
    with pytest.raises(wire.FailedInStream):
        wire.StreamedReply().add('{"message":"x"}', is_error=True)


def recorded() -> list[dict[str, Any]]:
    path = DATA / "exchanges.jsonl"
    if not path.is_file():
        pytest.skip("no recorded exchanges here")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_recorded_replies_lose_nothing() -> None:
    seen: Counter[str] = Counter()
    for exchange in (line for line in recorded() if line["status"] == 200 and "body" in line):
        body = exchange["body"]
        reply, choice = wire.reply(body), body["choices"][0]
        assert reply.text == (choice["message"]["content"] or "")
        assert reply.refusal == (choice["message"].get("refusal") or None)
        assert reply.finish_reason == choice["finish_reason"]
        assert (reply.model, reply.service_tier) == (body["model"], body.get("service_tier"))
        counted = body["usage"]
        assert reply.usage == Usage(
            counted["prompt_tokens"],
            counted["completion_tokens"],
            counted["prompt_tokens_details"]["cached_tokens"],
            counted["completion_tokens_details"]["reasoning_tokens"],
            counted["prompt_tokens_details"].get("cache_write_tokens", 0),
        )
        seen[choice["finish_reason"]] += 1
    assert seen == {"stop": 110, "tool_calls": 72}


def test_recorded_streams_lose_nothing() -> None:
    streams = [line["sse"] for line in recorded() if "sse" in line]
    streams += [path.read_text() for path in sorted((DATA / "sse").glob("*.sse"))]
    seen: Counter[str | None] = Counter()
    for stream in streams:
        answer, parser = wire.StreamedReply(), EventParser()
        deltas = [answer.add(event.data) for event in (*parser.feed(stream.encode()), *parser.close())]
        said, refused, finish, usage = by_hand(stream)
        reply = answer.reply()
        assert reply.text == "".join(deltas) == said
        assert (reply.refusal or "") == refused
        assert answer.is_done
        assert answer.is_whole
        assert reply.finish_reason == finish
        assert (reply.usage.prompt_tokens if reply.usage else None) == usage
        seen[finish] += 1
    assert sum(seen.values()) == 60
    assert seen["stop"] > 20


def by_hand(stream: str) -> tuple[str, str, str | None, int | None]:
    """Text, refusal, finish_reason and prompt tokens of a recorded stream, read without the parsers."""
    chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    refused = "".join(choice["delta"].get("refusal") or "" for choice in choices)
    finish = next((choice["finish_reason"] for choice in choices if choice["finish_reason"]), None)
    usage = next((chunk["usage"]["prompt_tokens"] for chunk in chunks if chunk.get("usage")), None)
    return text, refused, finish, usage
