"""HEAD: what GET would answer, without its body, for whoever only looks whether something is there."""

from __future__ import annotations

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Enough(OSError):
    """Raised on whoever still sends a body that nobody reads."""


class Heads:
    """Answers HEAD wherever GET is answered (RFC 9110, section 9.3.2); of a stream, once it would begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def headed(message: Message) -> None:
            nonlocal ended
            if message["type"] != "http.response.body":
                await send(message)
                return
            if not ended:
                ended = True
                await send({"type": "http.response.body", "body": b""})
            if message.get("more_body"):
                raise _Enough

        try:
            await self._app({**scope, "method": "GET"}, receive, headed)
        except (_Enough, ClientDisconnect):
            if not ended:
                raise
