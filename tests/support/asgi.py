"""The few messages of ASGI that a server on loopback reads and sends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def read(receive: Receive) -> bytes | None:
    """The body; None when the sender was gone before its end: no provider answers or bills half a request."""
    content, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(content)


async def send_json(
    send: Send, number: int, payload: Mapping[str, Any] | None, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    own = (("content-type", "application/json"), ("x-request-id", "req_refused"), *headers)
    await send_body(send, number, json.dumps(payload).encode(), own)


async def send_body(send: Send, number: int, content: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    await start(send, number, headers)
    await send({"type": "http.response.body", "body": content})


async def send_event(send: Send, data: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def start(send: Send, number: int, headers: tuple[tuple[str, str], ...]) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": number, "headers": pairs})
