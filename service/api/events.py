"""Server-sent events, as the WHATWG describes them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
BEAT = b": still here\n\n"


def event(name: str, data: dict[str, Any], *, number: int | None = None) -> bytes:
    """Return one event; JSON holds no line feed, so one data line does."""
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode(
        "utf-8", "backslashreplace"
    )


def stream(events: AsyncIterator[bytes], *, status: int = 200) -> StreamingResponse:
    """Return a response that sends events as they come."""
    return StreamingResponse(events, status_code=status, media_type="text/event-stream", headers=HEADERS)
