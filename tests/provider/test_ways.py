"""Ways to a provider: the same request goes out on each, and what answers it means the same."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx
import pytest

from service.errors import ProviderError, ProviderInDoubt, ProviderRefused
from service.provider import Delta, Reply
from service.provider.client import HttpProvider
from service.provider.profiles import named
from service.provider.ways import Proxied, Timeouts
from tests.support.calling import ASKED, no_sleep
from tests.support.listening import head_of, listening, read_until_it_ends, request_of

STREAM = b"""HTTP/1.1 200 OK\r
content-type: text/event-stream\r
x-request-id: req_7\r
x-ratelimit-remaining-tokens: 12\r
X-RateLimit-Remaining-Tokens: 13\r
set-cookie: session=1\r
\r
data: {"choices":[{"delta":{"content":"Yes"}}]}

data: {"choices":[{"delta":{"content":"."},"finish_reason":"stop"}]}

data: [DONE]

"""


def call(
    port: int, *, is_direct: bool = True, times: int = 1, timeouts: Timeouts | None = None
) -> list[Delta | Reply]:
    """Ask a provider; past a proxy, the proxy is at that port."""

    async def run() -> list[Delta | Reply]:
        url, proxy = (f"http://127.0.0.1:{port}/v1", None)
        if not is_direct:
            url, proxy = "http://model.example/v1", f"http://127.0.0.1:{port}"
        provider = HttpProvider(
            named("openai", base_url=url), "sk-1", sleep=no_sleep, proxy=proxy, timeouts=timeouts
        )
        try:
            return [item for _ in range(times) async for item in provider.complete(ASKED)]
        finally:
            await provider.aclose()

    return asyncio.run(run())


def answering(said: bytes, seen: list[bytes]) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        seen.append(request_of(connection))
        connection.sendall(said)

    return handle


def lines_of(request: bytes) -> set[bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    return {line.lower() for line in head.split(b"\r\n")[1:] if not line.lower().startswith(b"host")} | {body}


@pytest.mark.parametrize("is_direct", [True, False], ids=["straight", "past a proxy"])
def test_a_reply_comes_whole_on_each_way(*, is_direct: bool) -> None:
    seen: list[bytes] = []
    with listening(answering(STREAM, seen)) as server:
        *deltas, reply = call(server.port, is_direct=is_direct)

    assert deltas == [Delta("Yes"), Delta(".")]
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason, reply.request_id) == ("Yes.", "stop", "req_7")
    assert reply.rate_limits == {"remaining-tokens": "12, 13"}


def test_the_same_request_goes_out_on_each_way() -> None:
    seen: list[bytes] = []
    with listening(answering(STREAM, seen)) as server:
        call(server.port, is_direct=True)
        call(server.port, is_direct=False)
        straight, past = seen
        assert straight.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in straight
    assert lines_of(straight) == lines_of(past)


def test_a_second_call_carries_nothing_of_the_first() -> None:
    seen: list[bytes] = []
    with listening(answering(STREAM, seen)) as server:
        call(server.port, times=2)

    assert seen[0] == seen[1]


def test_a_small_request_leaves_at_once() -> None:
    first: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        first.append(connection.recv(1 << 20))
        connection.sendall(STREAM)

    with listening(handle) as server:
        call(server.port)
    head, _, body = first[0].partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert body.endswith(b"}")


@pytest.mark.parametrize("is_direct", [True, False], ids=["straight", "past a proxy"])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_no_way_leads_elsewhere(status: int, *, is_direct: bool) -> None:
    seen: list[bytes] = []
    said = f"HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:9/v1\r\ncontent-length: 0\r\n\r\n".encode()
    with listening(answering(said, seen)) as server, pytest.raises(ProviderRefused) as caught:
        call(server.port, is_direct=is_direct)

    assert "leads elsewhere" in caught.value.detail
    assert len(seen) == 1


@pytest.mark.parametrize("is_direct", [True, False], ids=["straight", "past a proxy"])
@pytest.mark.parametrize(
    ("begun", "seconds"),
    [
        (b"", {"first_byte_s": 0.2, "idle_s": 0.2}),
        (STREAM[:60], {"first_byte_s": 0.2, "idle_s": 0.2}),
        (STREAM[: STREAM.index(b"data: {")], {"first_byte_s": 0.2, "idle_s": 0.2}),
        (STREAM[:-60], {"first_byte_s": 30, "idle_s": 0.2}),
    ],
    ids=["at once", "within its head", "behind its head", "within its body"],
)
def test_silence_ends_each_way(begun: bytes, seconds: dict[str, float], *, is_direct: bool) -> None:
    def handle(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(begun)
        read_until_it_ends(connection)

    with listening(handle) as server, pytest.raises(ProviderInDoubt, match="fell silent"):
        call(server.port, is_direct=is_direct, timeouts=Timeouts(**seconds))
    assert server.handled == 1


@pytest.mark.parametrize("is_direct", [True, False], ids=["straight", "past a proxy"])
def test_what_never_ends_is_ended(*, is_direct: bool) -> None:
    def handle(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(STREAM[: STREAM.index(b"data: {")])
        connection.settimeout(0.02)
        while True:
            connection.sendall(b": still here\n\n")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    with listening(handle) as server, pytest.raises(ProviderInDoubt, match="never came to an end"):
        call(server.port, is_direct=is_direct, timeouts=Timeouts(first_byte_s=20, idle_s=20, total_s=0.3))


@pytest.mark.parametrize("is_direct", [True, False], ids=["straight", "past a proxy"])
@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\nx", ProviderInDoubt),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n" + STREAM.partition(b"\r\n\r\n")[2][:52],
            ProviderInDoubt,
        ),
        (b"HTTP/1.1 504 Late\r\ncontent-length: 0\r\n\r\n", ProviderInDoubt),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", ProviderRefused),
    ],
    ids=["packed", "cut", "late", "unknown"],
)
def test_a_failure_means_the_same_on_each_way(
    said: bytes, kind: type[ProviderError], *, is_direct: bool
) -> None:
    seen: list[bytes] = []
    with listening(answering(said, seen)) as server, pytest.raises(kind) as caught:
        call(server.port, is_direct=is_direct)

    assert type(caught.value) is kind
    assert len(seen) == 1


def test_an_answer_that_httpx_reads_ends_once() -> None:
    async def run(port: int) -> list[bytes]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            answer = await Proxied(client, "x").post(b"{}")
            pieces = [await answer.receive(20), await answer.receive(20), await answer.receive(None)]
            await answer.aclose()
            return pieces

    seen: list[bytes] = []
    said = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
    with listening(answering(said, seen)) as server:
        assert asyncio.run(run(server.port)) == [b"whole", b"", b""]
