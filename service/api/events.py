"""Server-sent events, as the WHATWG describes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.store import told

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
BEAT = b": still here\n\n"


class Last(bytes):
    """The piece that a stream ends with: it goes out together with the response's end."""


class Stream(StreamingResponse):
    """Sends pieces as they come, until the last one or until the client goes away.

    As the framework's, with one task to watch for the client instead of a group of tasks.
    """

    def __init__(self, pieces: AsyncGenerator[bytes], *, status: int = 200) -> None:
        super().__init__(pieces, status_code=status, media_type="text/event-stream", headers=HEADERS)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's form
        """Send all of it; the pieces are closed in any case."""
        try:
            async with aclosing(self._pieces), asyncio.timeout(None) as presence:
                watching = asyncio.create_task(self._watch(receive, presence))
                try:
                    await self.stream_response(send)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not presence.expired():
                raise

    async def stream_response(self, send: Send) -> None:
        """Send the head at once, and each piece as it comes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self._pieces:
            more = not isinstance(piece, Last)
            await send({"type": "http.response.body", "body": piece, "more_body": more})
            if not more:
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive, presence: asyncio.Timeout) -> None:
        """End the sending once the client is gone."""
        await self.listen_for_disconnect(receive)
        presence.reschedule(asyncio.get_running_loop().time())


def event(name: str, data: dict[str, Any], *, number: int | None = None) -> bytes:
    """Return one event; JSON holds no line feed, so one data line does."""
    head = f"event: {name}\ndata: " if number is None else f"id: {number}\nevent: {name}\ndata: "
    return b"%b%b\n\n" % (head.encode(), told.encoded(data))


def stream(pieces: AsyncGenerator[bytes], *, status: int = 200) -> Stream:
    """Return a response that sends events as they come."""
    return Stream(pieces, status=status)
