"""What no handler should have to bound: a body without end, NUL in an address."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import problems
from service.errors import Invalid

MAX_BODY_BYTES = 8 << 20
"""Of a JSON body: twice the longest question, every character of it escaped, and room to spare."""

MAX_SHOWING_BYTES = 32 << 20
"""Of a question's body, which may hold pictures."""

_QUESTIONS = ("/plans", "/answers", "/completions")
_UPLOADS = ("/v1/documents", "/v1/uploads", "/v1/files")
"""Files stream to the store, which bounds them itself."""


class Bounded:
    """Refuses requests that are too large to be read whole, and addresses that no database takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            refused = problems.problem_of(Invalid("The address holds a NUL character."))
            await problems.response_at(scope["path"], refused)(scope, receive, send)
        elif scope["path"].startswith(_UPLOADS):
            await self._app(scope, receive, send)
        else:
            asks = scope["path"].endswith(_QUESTIONS)
            limit = MAX_SHOWING_BYTES if asks else MAX_BODY_BYTES
            await self._app(scope, _bounded(receive, limit), send)


def _bounded(receive: Receive, limit: int) -> Receive:
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, f"The body is larger than {limit:,} bytes.")
        return message

    return read
