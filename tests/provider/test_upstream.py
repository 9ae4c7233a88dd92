"""The test upstream itself: its contract, its counts, its cache, its invoice and its replies' form."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.tokens import count_tokens
from service.domain import vision
from tests.support import billing, contract, lengths, pictures, seen
from tests.support.simulated import Simulated
from tests.support.simulated import question as numbered
from tests.support.upstream import MODELS, Upstream, status, well
from tests.support.upstream import Model as Behaviour

DOCUMENT = (
    '<document id="D3" name="port.txt">\n'
    '<page n="4">\nThe harbour opened in 1871.\nNobody remembers the first ship.\n'
    '<page n="5">\nA storm destroyed the lighthouse in the spring of 1902, and it was never rebuilt again.\n'
    "</document>\n"
)
GOOD: dict[str, Any] = {
    "model": "gpt-5.5",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_completion_tokens": 500,
}


def post(upstream: Upstream, body: Any, *, key: str | None = None) -> httpx.Response:  # noqa: ANN401 - any JSON
    headers = {"authorization": f"Bearer {key or upstream.key}"}
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.post(f"{upstream.url}/chat/completions", json=body, headers=headers)


def asked(document: str, question: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    parts = [
        {"type": "text", "text": document},
        {"type": "text", "text": f"<question>\n{question}\n</question>\n"},
    ]
    return GOOD | {"messages": [{"role": "user", "content": parts}]} | more


def showing(url: str, *, detail: str = "high") -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}]}


A_PICTURE = showing(pictures.data_uri(4, 4))["messages"][0]["content"][1]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "gpt-9"}, 404, "model_not_found"),
        ({"messages": []}, 400, "invalid_value"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user"}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user", "content": []}]}, 400, "invalid_value"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400, "invalid_value"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
            400,
            "invalid_value",
        ),
        ({"corpus_id": "cor_1"}, 400, "unknown_parameter"),
        ({"max_tokens": 100}, 400, "unsupported_parameter"),
        ({"temperature": 0.2}, 400, "unsupported_value"),
        ({"reasoning_effort": "maximal"}, 400, "invalid_value"),
        ({"verbosity": "huge"}, 400, "invalid_value"),
        ({"service_tier": "standard"}, 400, "invalid_value"),
        ({"max_completion_tokens": 0}, 400, "invalid_value"),
        ({"max_completion_tokens": 128_001}, 400, "invalid_value"),
        ({"stream_options": {"include_usage": True}}, 400, None),
        ({"response_format": {"type": "yaml"}}, 400, "invalid_value"),
        ({"messages": [{"role": "user", "content": "x" * 10_485_761}]}, 400, "string_above_max_length"),
        (showing("x" * 10_485_761), 400, "string_above_max_length"),
        (showing("https://example.com/a.png"), 400, "invalid_image_url"),
        (showing("data:image/png;base64,AAAA"), 400, "invalid_image_format"),
        (showing("data:image/png;base64,!"), 400, "invalid_image_format"),
        (showing(pictures.data_uri(4, 4), detail="huge"), 400, "invalid_value"),
        (
            showing(pictures.data_uri(4, 4)) | {"messages": [{"role": "system", "content": [A_PICTURE]}]},
            400,
            "invalid_value",
        ),
    ],
)
def test_what_the_vendor_refuses_is_refused(
    upstream: Upstream, change: dict[str, Any], status: int, code: str | None
) -> None:
    reply = post(upstream, GOOD | change)

    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert contract.check_schema(reply.json(), "ErrorResponse") is None
    assert len(upstream.violations) == 1
    assert upstream.invoice == []


def test_what_is_missing_or_no_json_is_refused(upstream: Upstream) -> None:
    assert post(upstream, {"model": "gpt-5.5"}).json()["error"]["param"] == "messages"
    assert post(upstream, [1]).status_code == 400
    assert len(upstream.violations) == 2


def test_sampling_passes_where_nothing_reasons(upstream: Upstream) -> None:
    assert post(upstream, GOOD | {"temperature": 0.2, "reasoning_effort": "none"}).status_code == 200
    assert post(upstream, GOOD | {"temperature": 1}).status_code == 200


def test_a_wrong_key_is_refused_without_being_a_violation(upstream: Upstream) -> None:
    reply = post(upstream, GOOD, key="sk-wrong")

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    assert upstream.violations == []


def test_the_models_are_listed(upstream: Upstream) -> None:
    listed = httpx.get(f"{upstream.url}/models", trust_env=False).json()

    assert [model["id"] for model in listed["data"]] == list(MODELS)
    assert httpx.get(f"{upstream.url}/nothing", trust_env=False).status_code == 404


def test_the_model_quotes_the_page_that_the_question_is_about(upstream: Upstream) -> None:
    reply = post(upstream, asked(DOCUMENT, "What destroyed the lighthouse?"))

    text = reply.json()["choices"][0]["message"]["content"]
    quote = "A storm destroyed the lighthouse in the spring of 1902,"
    assert text == f'According to the documents, "{quote}" [D3 p.5].'


def test_findings_are_merged_and_nothing_is_made_up(upstream: Upstream) -> None:
    findings = '<findings part="1">\nX says "a b c" [D1 p.2].\n</findings>\n'

    assert "a b c" in post(upstream, asked(findings, "x")).json()["choices"][0]["message"]["content"]
    assert "no documents" in post(upstream, GOOD).json()["choices"][0]["message"]["content"]


@given(st.integers(1, 9_000), st.integers(1, 9_000), st.sampled_from(vision.DETAILS))
def test_the_bill_for_a_picture_of_fitted_size_is_within_the_range(
    width: int, height: int, detail: vision.Detail
) -> None:
    fitted = vision.fit(width, height, detail)
    least, most = vision.tokens(fitted.patches)
    assert seen.patches(fitted.width, fitted.height, detail) == fitted.patches
    assert least <= math.ceil(round(seen.PER_PATCH * fitted.patches, 6)) <= most


@given(st.integers(300, 9_000), st.integers(300, 9_000), st.sampled_from(vision.DETAILS))
def test_two_readings_of_the_rule_agree(width: int, height: int, detail: vision.Detail) -> None:
    """What the product fits beforehand takes the patches that the vendor would have made it into."""
    ours, theirs = vision.fit(width, height, detail).patches, seen.patches(width, height, detail)
    assert ours == theirs


def test_pictures_are_billed_by_their_size_and_cached_as_they_are(upstream: Upstream) -> None:
    large, small = (showing(pictures.data_uri(*size)) for size in ((1800, 2400), (320, 320)))
    text = post(upstream, GOOD | {"messages": [{"role": "user", "content": "What is it?"}]}).json()["usage"]
    replies = [post(upstream, GOOD | body).json()["usage"] for body in (large, large, small)]

    shown = [usage["prompt_tokens"] - text["prompt_tokens"] for usage in replies]
    patches = seen.patches(1800, 2400, "high")
    assert patches == 43 * 57
    assert shown == [math.ceil(1.2 * patches), math.ceil(1.2 * patches), 120]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in replies]
    assert cached == [0, (replies[1]["prompt_tokens"] - 1) // 128 * 128, 0]
    assert upstream.violations == []


def test_a_response_format_is_kept(upstream: Upstream) -> None:
    schema = {
        "type": "object",
        "properties": {
            "answer": {"type": "string"},
            "pages": {"type": "array", "items": {"type": "integer"}},
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    reply = post(upstream, asked(DOCUMENT, "When?", response_format=form))

    assert json.loads(reply.json()["choices"][0]["message"]["content"]).keys() == {"answer", "pages"}


def test_replies_and_chunks_fit_the_published_schemas(upstream: Upstream) -> None:
    whole = post(upstream, asked(DOCUMENT, "When?"))
    options = {"stream": True, "stream_options": {"include_usage": True}}
    lines = post(upstream, asked(DOCUMENT, "When?", **options)).text.split("\n\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    assert contract.check_schema(whole.json(), "CreateChatCompletionResponse") is None
    for chunk in chunks:
        assert contract.check_schema(chunk, "CreateChatCompletionStreamResponse") is None
    assert lines[-2] == "data: [DONE]"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole.json()["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_tokens_are_counted_with_the_chats_overhead(upstream: Upstream) -> None:
    messages = [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": " word"}]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Why?"},
    ]
    usage = post(upstream, GOOD | {"messages": messages}).json()["usage"]

    contents = sum(map(count_tokens, ("Be exact.", "One word", "Yes.", "Why?")))
    assert usage["prompt_tokens"] == contents + 3 * 4 + 6 + 2


def test_counting_block_by_block_is_counting() -> None:
    text = DOCUMENT * 3 + "<task>\nAnswer.\n</task>\n"

    assert billing.tokens(text) == count_tokens(text)


def test_an_allowance_that_reasoning_uses_up_leaves_no_text(upstream: Upstream) -> None:
    body = GOOD | {"max_completion_tokens": 10, "reasoning_effort": "high"}
    choice = post(upstream, body).json()["choices"][0]

    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "length")
    assert upstream.invoice[0].completion_tokens == upstream.invoice[0].reasoning_tokens == 10


def test_an_equal_prefix_is_cached_by_key_in_steps(upstream: Upstream) -> None:
    long = (
        '<document id="D1" name="a">\n' + '<page n="1">\nThe harbour opened early.\n' * 300 + "</document>\n"
    )
    for question, key in (("Who?", "a"), ("When?", "a"), ("When?", "b"), ("Where?", "a")):
        post(upstream, asked(long, question, prompt_cache_key=key))
    post(upstream, asked("short", "Who?", prompt_cache_key="a"))
    post(upstream, asked("short", "Who?", prompt_cache_key="a"))
    cached = [line.cached_tokens for line in upstream.invoice]

    assert cached[0] == cached[2] == cached[4] == cached[5] == 0
    assert cached[1] == cached[3] > 1024
    assert cached[1] % 128 == 0
    assert 0 <= upstream.invoice[1].prompt_tokens - cached[1] < 128 + 20


@pytest.mark.parametrize(
    ("tier", "prompt", "cached", "usd"),
    [
        ("default", 272_000, 0, "1.42"),
        ("default", 272_001, 0, "2.81001"),
        ("default", 900_000, 0, "9.09"),
        ("default", 900_000, 899_000, "0.999"),
        ("flex", 900_000, 0, "4.545"),
        ("priority", 272_000, 0, "3.55"),
    ],
)
def test_the_invoice_follows_the_published_rule(tier: str, prompt: int, cached: int, usd: str) -> None:
    assert billing.price(tier, prompt=prompt, cached=cached, completion=2000) == Decimal(usd)


def test_no_rate_is_guessed() -> None:
    with pytest.raises(LookupError):
        billing.price("priority", prompt=272_001, cached=0, completion=1)


def test_the_invoice_bears_what_the_usage_says(upstream: Upstream) -> None:
    reply = post(upstream, asked(DOCUMENT, "When?", service_tier="flex")).json()

    line = upstream.invoice[0]
    assert line.usage() == reply["usage"]
    assert (line.service_tier, reply["service_tier"]) == ("flex", "flex")
    assert line.usd == billing.price(
        "flex", prompt=line.prompt_tokens, cached=0, completion=line.completion_tokens
    )


def test_more_input_than_the_window_is_refused_before_it_is_billed(upstream: Upstream) -> None:
    block = '<page n="1">\n' + " word" * 1000 + "\n"
    body = GOOD | {"messages": [{"role": "user", "content": block * 920}]}
    reply = post(upstream, body).json()

    assert reply["error"]["code"] == "context_length_exceeded"
    assert "exceed the configured limit of 922000 tokens" in reply["error"]["message"]
    assert upstream.invoice == []


def test_a_model_decides_by_what_is_asked() -> None:
    behaviour = Behaviour(
        act=lambda body: status(429) if "Refuse" in billing.asked(body) else well(),
        completion=lambda body: 300 if "long" in billing.asked(body) else 1,
        forgets=lambda body: "forgotten" in billing.asked(body),
    )
    with Upstream(model=behaviour, keeps_bodies=False) as upstream:
        texts = ("Refuse this", "A long one", "A short one", "A forgotten one", "Another")
        replies = [post(upstream, asked(DOCUMENT * 100, text)) for text in texts]
    assert [reply.status_code for reply in replies] == [429, 200, 200, 200, 200]
    assert [line.asked for line in upstream.invoice] == list(texts[1:])
    assert upstream.invoice[0].completion_tokens == 300
    said = count_tokens(replies[2].json()["choices"][0]["message"]["content"])
    assert upstream.invoice[1].completion_tokens == said, "what is said is billed"
    assert [line.cached_tokens > 1024 for line in upstream.invoice] == [False, True, False, True]
    assert [received.body for received in upstream.requests] == [None] * 5


def test_a_simulated_model_answers_a_number_alike_in_any_order() -> None:
    bodies = [asked(DOCUMENT, numbered(number, "When?")) for number in range(1, 8)]
    fates = {3: "broken once", 5: "no quota"}

    def billed(order: list[dict[str, Any]]) -> dict[str, int]:
        with Simulated(1, fates).upstream() as upstream:
            for body in order:
                post(upstream, body)
        return {line.asked: line.completion_tokens for line in upstream.invoice}

    first = billed([*bodies, bodies[2], bodies[4]])
    assert first == billed([bodies[2], *reversed(bodies), bodies[4]])
    assert first.keys() == {numbered(number, "When?") for number in (1, 2, 3, 4, 6, 7)}
    assert len(set(first.values())) > 1


def test_lengths_are_spread_as_documented() -> None:
    for effort, median in lengths.MEDIANS.items():
        drawn = sorted(lengths.drawn(random.Random(f"{effort} {n}"), effort) for n in range(4_000))  # noqa: S311
        assert drawn[2_000] == pytest.approx(median, rel=0.05)
        share = sum(length > median * math.exp(lengths.SIGMA) for length in drawn) / 4_000
        assert share == pytest.approx(0.159, abs=0.02)
