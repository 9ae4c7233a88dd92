"""Replies that break off: in doubt, with what came, and never repeated."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from service.errors import (
    ProviderInDoubt,
    ProviderRefused,
    QuotaExhausted,
)
from service.provider import ChatRequest, Delta, Reply
from service.provider.client import HttpProvider
from service.provider.profiles import named
from service.provider.ways import Timeouts
from tests.support import upstream as acts
from tests.support.calling import ASKED, WHOLE, failure_of, no_sleep, reply_of
from tests.support.upstream import Act, Upstream


@pytest.mark.parametrize(
    ("act", "asked", "partial"),
    [
        (acts.cut_after(4), ASKED, "According to the "),
        (acts.cut_after(0), ASKED, ""),
        (acts.end_after(4), ASKED, "According to the "),
        (acts.end_after(0), ASKED, ""),
        (acts.error_in_stream(4), ASKED, "According to the "),
        (acts.error_in_stream(0), ASKED, ""),
        (acts.malformed(), ASKED, ""),
        (acts.wrong_content_type(), ASKED, ""),
        (acts.cut_after(0), WHOLE, ""),
        (acts.malformed(), WHOLE, ""),
        (acts.wrong_content_type(), WHOLE, ""),
        (Act(body=b"{}"), WHOLE, ""),
        (Act(body=b""), WHOLE, ""),
        (Act(body=b""), ASKED, ""),
        (Act(body=b"data: [DONE]\n\n"), ASKED, ""),
        (Act(body=b'{"error":{"message":"overloaded"}}'), WHOLE, ""),
    ],
)
def test_a_reply_that_breaks_off_is_in_doubt_and_never_repeated(
    upstream: Upstream, act: Act, asked: ChatRequest, partial: str
) -> None:
    upstream.script.append(act)
    error = failure_of(upstream, ProviderInDoubt, asked)

    assert error.partial_text == partial
    assert len(upstream.requests) == 1


def test_the_deltas_of_a_broken_stream_had_been_passed_on(upstream: Upstream) -> None:
    upstream.script.append(acts.cut_after(4))
    seen: list[str] = []

    async def run() -> None:
        provider = HttpProvider(upstream.profile(), upstream.key)
        async for item in provider.complete(ASKED):
            seen.append(item.text)  # noqa: PERF401 - what came before the failure must stay

    with pytest.raises(ProviderInDoubt) as caught:
        asyncio.run(run())
    assert "".join(seen) == caught.value.partial_text


def test_a_quota_error_in_a_stream_keeps_its_name(upstream: Upstream) -> None:
    upstream.script.append(acts.error_in_stream(0, "insufficient_quota"))

    failure_of(upstream, QuotaExhausted)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("asked", [ASKED, WHOLE])
@pytest.mark.parametrize("act", [acts.hang(), acts.slow(5)])
def test_silence_before_the_answer_is_in_doubt(upstream: Upstream, act: Act, asked: ChatRequest) -> None:
    upstream.script.append(act)
    error = failure_of(upstream, ProviderInDoubt, asked, timeouts=Timeouts(first_byte_s=0.2, idle_s=0.2))

    assert "fell silent" in error.detail
    assert len(upstream.requests) == 1


def test_silence_in_the_middle_is_in_doubt_with_what_came(upstream: Upstream) -> None:
    upstream.script.append(acts.stall_after(4))
    started = time.monotonic()
    error = failure_of(upstream, ProviderInDoubt, timeouts=Timeouts(first_byte_s=20, idle_s=0.2))

    assert time.monotonic() - started < 10
    assert error.partial_text == "According to the "
    assert "fell silent" in error.detail


@contextlib.contextmanager
def raw_server(reply: bytes, *, is_held: bool = False) -> Iterator[str]:
    """A server that answers one connection with these bytes, then closes it, or waits for the client to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)
                if is_held:
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        thread.join()


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
def test_bytes_that_are_no_answer_leave_the_call_in_doubt(reply: bytes) -> None:
    async def run(url: str) -> None:
        async for _ in HttpProvider(named("openai", base_url=url), "sk-x", sleep=no_sleep).complete(ASKED):
            pass

    with raw_server(reply) as url, pytest.raises(ProviderInDoubt):
        asyncio.run(run(url))


def test_nothing_is_waited_for_after_the_end() -> None:
    async def run(url: str) -> list[Delta | Reply]:
        return [item async for item in HttpProvider(named("openai", base_url=url), "sk-x").complete(ASKED)]

    chunk = '{"choices":[{"index":0,"delta":{"content":"Yes."},"finish_reason":"stop"}]}'
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    started = time.monotonic()
    with raw_server(f"{head}data: {chunk}\n\ndata: [DONE]\n\n".encode(), is_held=True) as url:
        assert reply_of(asyncio.run(run(url))).text == "Yes."
    assert time.monotonic() - started < 10


def test_an_error_body_that_breaks_off_is_judged_by_its_status() -> None:
    async def run(url: str) -> None:
        async for _ in HttpProvider(named("openai", base_url=url), "sk-x", sleep=no_sleep).complete(ASKED):
            pass

    reply = b'HTTP/1.1 400 Bad Request\r\ncontent-length: 500\r\n\r\n{"error":'
    started = time.monotonic()
    with raw_server(reply) as url, pytest.raises(ProviderRefused, match="400"):
        asyncio.run(run(url))
    assert time.monotonic() - started < 5
