"""The HTTP client against a real server: what is retried, what is in doubt, what is billed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import socket
import traceback
from collections.abc import Callable

import pytest

from service.domain.prompts import ImagePart, Message
from service.errors import (
    Invalid,
    OverProviderWindow,
    ProviderError,
    ProviderInDoubt,
    ProviderRefused,
    ProviderUnavailable,
    QuotaExhausted,
    RateLimited,
    RequestExceedsProviderRate,
)
from service.provider import ChatRequest, Delta, Provider, Reply
from service.provider.client import HttpProvider, Retries
from service.provider.errors import Refusal
from service.provider.profiles import COMPATIBLE, OPENAI, named
from service.provider.ways import Timeouts
from tests.support import upstream as acts
from tests.support.calling import ANSWER, ASKED, WHOLE, complete, failure_of, reply_of
from tests.support.upstream import Act, Upstream


def test_it_is_a_provider() -> None:
    provider: Provider = HttpProvider(OPENAI, "sk-x")

    assert provider.name == "openai"


@pytest.mark.parametrize("asked", [ASKED, WHOLE])
def test_a_good_answer_comes_whole(upstream: Upstream, asked: ChatRequest) -> None:
    items = complete(upstream, asked)
    reply = reply_of(items)
    line = upstream.invoice[0]

    assert reply.text == ANSWER
    assert (reply.finish_reason, reply.refusal) == ("stop", None)
    assert (reply.model, reply.service_tier) == ("gpt-5.5-2026-04-23", "default")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == line.prompt_tokens
    assert reply.usage.completion_tokens == line.completion_tokens
    assert reply.usage.reasoning_tokens == 64
    assert reply.request_id == "req_1"
    assert reply.rate_limits["limit-tokens"] == "2000000"
    assert (len(items) > 2) is asked.stream
    assert upstream.violations == []


def test_the_record_of_a_reply_is_kept(upstream: Upstream) -> None:
    streamed, whole = reply_of(complete(upstream)).raw, reply_of(complete(upstream, WHOLE)).raw

    assert streamed["id"] == "chatcmpl-req_1"
    assert streamed["finish_chunk"]["choices"][0]["finish_reason"] == "stop"
    assert streamed["usage_chunk"]["usage"] == whole["usage"]
    assert whole["choices"][0]["message"]["content"] == ANSWER


def test_a_pictures_address_is_not_repeated(upstream: Upstream) -> None:
    address = "https://files.example/page-7.png?signature=0123456789"
    shown = Message("user", ("What is it?", ImagePart(address, "high")))
    error = failure_of(upstream, ProviderRefused, dataclasses.replace(ASKED, messages=(shown,)))

    assert "Error while downloading" in error.detail
    assert "signature" not in error.detail
    assert len(upstream.requests) == 1


def test_every_call_has_a_connection_of_its_own(upstream: Upstream) -> None:
    async def run() -> None:
        provider = HttpProvider(upstream.profile(), upstream.key)
        for asked in (ASKED, WHOLE, WHOLE, ASKED):
            reply_of([item async for item in provider.complete(asked)])

    asyncio.run(run())
    assert len({received.port for received in upstream.requests}) == 4


def test_what_stands_in_the_headers(upstream: Upstream) -> None:
    complete(upstream)
    headers = upstream.requests[0].headers

    assert headers["authorization"] == f"Bearer {upstream.key}"
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "unabridged"
    assert "cookie" not in headers


def test_one_provider_serves_one_loop_after_another(upstream: Upstream) -> None:
    provider = HttpProvider(upstream.profile(), upstream.key)

    async def run() -> Reply:
        return reply_of([item async for item in provider.complete(ASKED)])

    assert asyncio.run(run()).text == asyncio.run(run()).text == ANSWER


@pytest.mark.parametrize(
    ("number", "code", "kind"),
    [
        (400, "invalid_value", ProviderRefused),
        (400, "context_length_exceeded", OverProviderWindow),
        (401, "invalid_api_key", ProviderRefused),
        (403, None, ProviderRefused),
        (404, "model_not_found", ProviderRefused),
        (413, None, ProviderRefused),
        (402, None, QuotaExhausted),
        (429, "insufficient_quota", QuotaExhausted),
        (429, "project_spend_limit_exceeded", QuotaExhausted),
        (504, None, ProviderInDoubt),
    ],
)
def test_what_no_retry_can_cure_is_sent_once(
    upstream: Upstream, number: int, code: str | None, kind: type[ProviderError]
) -> None:
    upstream.script.append(acts.status(number, code))
    error = failure_of(upstream, kind)

    assert error.provider_code == (code or str(number))
    assert len(upstream.requests) == 1
    assert upstream.invoice == []


def test_a_request_larger_than_the_rate_limit_is_sent_once(upstream: Upstream) -> None:
    said = "Request too large for gpt-5.5 on tokens per min (TPM): Limit 30000, Requested 30601."
    upstream.script.append(acts.status(429, "rate_limit_exceeded", {"retry-after": "0"}, message=said))
    error = failure_of(upstream, RequestExceedsProviderRate)

    assert error.fixes[0].values == (("limit_tokens_per_minute", 30_000), ("requested_tokens", 30_601))
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("number", [429, 500, 502, 503])
def test_what_a_retry_can_cure_is_sent_again_and_billed_once(upstream: Upstream, number: int) -> None:
    upstream.script.append(acts.status(number, None, {"retry-after": "0"}))
    reply = reply_of(complete(upstream))

    assert reply.text == ANSWER
    assert len(upstream.requests) == 2
    assert upstream.requests[0].body == upstream.requests[1].body
    assert len(upstream.invoice) == 1


def test_attempts_are_bounded_and_waits_grow(upstream: Upstream) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    upstream.script.extend([acts.status(429)] * 9)
    failure_of(upstream, RateLimited, sleep=note)

    assert len(upstream.requests) == 3
    assert 0.5 <= waits[0] <= 1
    assert 1 <= waits[1] <= 2


def test_a_long_wait_is_told_instead_of_waited(upstream: Upstream) -> None:
    upstream.script.append(acts.status(429, "rate_limit_exceeded", {"retry-after": "3600"}))
    error = failure_of(upstream, RateLimited)

    assert "wait 3600 s" in error.detail
    assert error.fixes[0].as_dict() == {"do": "wait", "seconds": 3600.0}
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("asked_s", "attempt", "elapsed_s", "least", "most"),
    [
        (None, 1, 0, 0.5, 1),
        (None, 2, 0, 1, 2),
        (5, 1, 0, 5, 5.5),
        (0, 2, 0, 0, 0),
        (30, 1, 0, 30, 33),
        (31, 1, 0, None, None),
        (20, 1, 75, None, None),
        (1, 3, 0, None, None),
    ],
)
def test_waits_keep_to_what_was_asked_and_to_their_bounds(
    asked_s: float | None, attempt: int, elapsed_s: float, least: float | None, most: float | None
) -> None:
    refusal = Refusal(RateLimited("x"), curable=True, retry_after_s=asked_s)
    wait = Retries().wait(refusal, attempt=attempt, elapsed_s=elapsed_s)

    if least is None or most is None:
        assert wait is None
    else:
        assert wait is not None
        assert least <= wait <= most


def test_what_is_not_curable_never_waits() -> None:
    refusal = Refusal(ProviderRefused("x"), curable=False, retry_after_s=0)

    assert Retries().wait(refusal, attempt=1, elapsed_s=0) is None


def test_no_server_means_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    async def run() -> None:
        provider = HttpProvider(named("openai", base_url=f"http://127.0.0.1:{port}/v1"), "sk-x", sleep=note)
        async for _ in provider.complete(ASKED):
            pass

    with pytest.raises(ProviderUnavailable, match="Nothing was sent"):
        asyncio.run(run())
    assert len(waits) == 2


def test_what_no_provider_takes_is_never_sent(upstream: Upstream) -> None:
    asked = dataclasses.replace(ASKED, messages=(Message("user", ("\ud800",)),))

    with pytest.raises(Invalid):
        complete(upstream, asked)
    assert upstream.requests == []


def test_slowness_within_the_limits_is_no_failure(upstream: Upstream) -> None:
    upstream.script.append(acts.slow(0.3, 0.01))

    assert reply_of(complete(upstream, timeouts=Timeouts(first_byte_s=5, idle_s=0.25))).text == ANSWER


def test_an_idle_limit_above_the_first_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="idle_s"):
        Timeouts(first_byte_s=1, idle_s=2)


@pytest.mark.parametrize("asked", [ASKED, WHOLE])
def test_a_reply_without_usage_is_a_reply(upstream: Upstream, asked: ChatRequest) -> None:
    upstream.script.append(acts.no_usage())
    reply = reply_of(complete(upstream, asked))

    assert (reply.text, reply.usage) == (ANSWER, None)


def test_a_stream_that_breaks_behind_its_end_is_whole(upstream: Upstream) -> None:
    pieces = len(complete(upstream)) - 1
    upstream.script.append(acts.cut_after(pieces + 2))  # after the role, the pieces and the finish chunk
    reply = reply_of(complete(upstream))

    assert (reply.text, reply.finish_reason, reply.usage) == (ANSWER, "stop", None)


@pytest.mark.parametrize("asked", [ASKED, WHOLE])
def test_an_allowance_used_up_by_reasoning(upstream: Upstream, asked: ChatRequest) -> None:
    upstream.script.append(acts.empty_length())
    reply = reply_of(complete(upstream, asked))

    assert (reply.text, reply.finish_reason) == ("", "length")
    assert reply.usage is not None
    assert reply.usage.reasoning_tokens == 500


@pytest.mark.parametrize("asked", [ASKED, WHOLE])
def test_a_refusal_in_words(upstream: Upstream, asked: ChatRequest) -> None:
    upstream.script.append(acts.refusal("I can't do that."))
    reply = reply_of(complete(upstream, asked))

    assert (reply.text, reply.refusal) == ("", "I can't do that.")


def test_a_server_that_ignores_stream_is_understood(upstream: Upstream) -> None:
    message = {"role": "assistant", "content": "Yes."}
    payload = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    upstream.script.append(Act(body=json.dumps(payload).encode(), media_type="application/json"))

    assert reply_of(complete(upstream)).text == "Yes."


def test_a_stream_under_another_name_is_understood(upstream: Upstream) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]}
    upstream.script.append(Act(body=f"data: {json.dumps(chunk)}".encode(), media_type="text/plain"))

    assert reply_of(complete(upstream)).text == "Yes."


def test_closing_early_closes_the_connection(upstream: Upstream) -> None:
    upstream.script.append(acts.stall_after(4))

    async def run() -> None:
        provider = HttpProvider(upstream.profile(), upstream.key)
        stream = provider.complete(ASKED)
        assert await anext(stream) == Delta("According ")
        await stream.aclose()
        await _until(lambda: upstream.disconnects == 1)

    asyncio.run(run())
    assert len(upstream.requests) == 1


def test_cancelling_closes_the_connection(upstream: Upstream) -> None:
    upstream.script.append(acts.hang())

    async def run() -> None:
        provider = HttpProvider(upstream.profile(), upstream.key)
        call = asyncio.ensure_future(anext(provider.complete(ASKED)))
        await _until(lambda: len(upstream.invoice) == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await _until(lambda: upstream.disconnects == 1)

    asyncio.run(run())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the server lives in another thread
            await asyncio.sleep(0.01)


SECRETS = (acts.KEY, "sk-wrong-0123456789", "Who stole the crown jewels in 1671, and why?")


@pytest.mark.parametrize(
    "act",
    [
        acts.status(401, "invalid_api_key", message="Incorrect API key provided: {key}."),
        acts.status(400, "invalid_value", message="Invalid content: '{prompt}' with {key}."),
        acts.status(500, None, message="Bearer {key} failed on {prompt}"),
        dataclasses.replace(
            acts.error_in_stream(2), error={"error": {"message": "{key} {prompt}", "code": "server_error"}}
        ),
        acts.cut_after(3),
    ],
)
def test_neither_key_nor_prompt_appears_in_errors_or_logs(
    upstream: Upstream, act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    said = json.dumps(act.error).replace("{key}", acts.KEY).replace("{prompt}", SECRETS[2])
    upstream.script.extend([dataclasses.replace(act, error=json.loads(said))] * 3)
    asked = dataclasses.replace(ASKED, messages=(Message("user", (SECRETS[2],)),))
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as caught:
        complete(upstream, asked)

    shown = [caplog.text, str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    for secret in SECRETS:
        assert not any(secret in text for text in shown)
    assert acts.KEY not in repr(caught.value.raw)


def test_a_wrong_key_is_not_repeated_in_the_error(upstream: Upstream) -> None:
    async def run() -> None:
        async for _ in HttpProvider(upstream.profile(), "sk-wrong-0123456789").complete(ASKED):
            pass

    with pytest.raises(ProviderRefused, match=r"refused the key \(401\)") as caught:
        asyncio.run(run())
    assert "0123456789" not in caught.value.detail + repr(caught.value.raw)
    assert caught.value.provider_code == "invalid_api_key"


@pytest.mark.parametrize("key", ["sk-a b", "sk-\nx: y", "sk-\u00e9"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(Invalid) as caught:
        HttpProvider(OPENAI, key)
    assert key not in caught.value.detail


def test_without_a_key_no_header_goes_out() -> None:
    assert "authorization" not in HttpProvider(COMPATIBLE, None)._client.headers  # noqa: SLF001 - what it would send


def test_the_environment_is_never_read(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert reply_of(complete(upstream)).text == ANSWER


def test_two_hundred_streams_at_once_all_finish(upstream: Upstream) -> None:
    upstream.script.extend([acts.slow(0, 0.005)] * 200)

    async def run() -> list[str]:
        provider = HttpProvider(upstream.profile(), upstream.key)

        async def one(number: int) -> str:
            asked = dataclasses.replace(ASKED, prompt_cache_key=str(number))
            return reply_of([item async for item in provider.complete(asked)]).text

        return await asyncio.gather(*map(one, range(200)))

    assert asyncio.run(run()) == [ANSWER] * 200
    assert len(upstream.requests) == len(upstream.invoice) == 200


def test_a_full_window_goes_out_in_parts(upstream: Upstream) -> None:
    page = '<page n="1">\n' + "Notwithstanding “considerable” responsibilities.\n" * 1000
    parts = (page * 45, page * 45, "<question>\nWho?\n</question>\n")
    asked = dataclasses.replace(ASKED, messages=(Message("user", parts),))
    complete(upstream, asked)

    sent = upstream.requests[0].body["messages"][0]["content"]
    assert tuple(part["text"] for part in sent) == parts
    assert upstream.requests[0].size > 4_500_000
