"""The upstream of overhead.py, as light as Python makes it, and a client as light: python paced.py PORT.

Each POST is answered by a stream of 52 events; GET /pace/SECONDS sets how far they are apart. GET /body is
the last large request's body, GET /held the most streams that were open at once since it was asked last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass

EVENTS = 52
_WORDS = 49
"""Events that bring text; before them comes the role, behind them the end and the usage."""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
_ENDS = (b'"done"', b"[DONE]", b"event: done", b"event: error")


def events(prompt_tokens: int = 1000) -> list[bytes]:
    """Return a stream's events as OpenAI sends them."""
    head: dict[str, object] = {
        "id": "chatcmpl-paced",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "gpt-5.5-2026-04-23",
        "service_tier": "default",
        "system_fingerprint": "fp_paced",
    }
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f" word{number}"} for number in range(_WORDS)]
    choices: list[object] = [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"})
    sums: object = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": _WORDS,
        "total_tokens": prompt_tokens + _WORDS,
    }
    chunks: list[dict[str, object]] = [{**head, "choices": [choice], "usage": None} for choice in choices]
    chunks.append({**head, "choices": [], "usage": sums})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]


class Server(asyncio.Protocol):
    """One connection, one request."""

    gap_s = 0.0
    last = b""
    open = 0
    most = 0
    stream = events()

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._head = b""
        self._missing = -1
        self._next = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep whom to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect the request; answer it once it is whole."""
        if self._missing < 0:
            head, found, rest = (self._head + data).partition(b"\r\n\r\n")
            self._head = head
            if not found:
                return
            self._missing, data = _length(head), rest
        self._parts.append(data)
        self._missing -= len(data)
        if self._missing == 0:
            self._answer()

    def _answer(self) -> None:
        assert self._transport is not None
        method, path, _ = self._head.split(b" ", 2)
        if method == b"GET":
            content = self._told(path.decode())
            length = (
                f"HTTP/1.1 200 OK\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n".encode()
            )
            self._transport.write(length + content)
            self._transport.close()
            return
        if sum(map(len, self._parts)) > 1 << 20:
            Server.last = b"".join(self._parts)
        self._parts.clear()
        Server.open += 1
        Server.most = max(Server.most, Server.open)
        self._transport.write(_HEAD)
        self._send()

    def _told(self, path: str) -> bytes:
        if path.startswith("/pace/"):
            Server.gap_s = float(path.removeprefix("/pace/"))
        if path == "/body":
            return Server.last
        most, Server.most = Server.most, Server.open
        return str(most).encode()

    def _send(self) -> None:
        assert self._transport is not None
        if self._next < EVENTS:
            self._transport.write(Server.stream[self._next])
            self._next += 1
            asyncio.get_running_loop().call_later(Server.gap_s, self._send)
            return
        self._transport.write(b"data: [DONE]\n\n")
        self._transport.close()
        Server.open -= 1


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@dataclass(frozen=True, slots=True)
class Times:
    """What one stream took, in seconds from its request: its first piece of text, and its end."""

    first: float
    whole: float


class Client(asyncio.Protocol):
    """Sends one request and waits for the end of its stream."""

    def __init__(self, request: list[bytes]) -> None:
        self._request = request
        self._began = time.perf_counter()
        self._first = 0.0
        self._seen = bytearray()
        self._transport: asyncio.Transport | None = None
        self.over: asyncio.Future[Times] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._began = time.perf_counter()
        transport.writelines(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when the first words came, and when the last."""
        self._seen += data
        now = time.perf_counter() - self._began
        if not self._first and b"word0" in self._seen:
            self._first = now
        if any(end in self._seen[-6000:] for end in _ENDS):
            self._end(now)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever came."""
        del exc
        self._end(time.perf_counter() - self._began)

    def _end(self, now: float) -> None:
        if self.over.done():
            return
        if self._first and b"word48" in self._seen:
            self.over.set_result(Times(self._first, now))
        else:
            self.over.set_exception(AssertionError(bytes(self._seen[-2000:]).decode(errors="replace")))
        if self._transport is not None:
            self._transport.close()


async def post(port: int, path: str, body: bytes, key: str = "none") -> Times:
    """Send a body and wait until its stream is over."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Client([head.encode(), body]), "127.0.0.1", port)
    return await client.over


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
