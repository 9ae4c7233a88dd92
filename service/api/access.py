"""Who may call: without keys, one local user, from this machine, and no page of another site."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import MEDIA_TYPE, problem
from service.errors import NotAllowed
from service.usecases.context import LOCAL

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


class LoopbackOnly:
    """Refuses requests whose Host or Origin is not this machine: DNS rebinding and foreign pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and (refusal := _refusal(scope)):
            body = problem(
                status=NotAllowed.status, code=NotAllowed.code, title=NotAllowed.title, detail=refusal
            )
            response = JSONResponse(body, status_code=NotAllowed.status, media_type=MEDIA_TYPE)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(scope: Scope) -> str | None:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if not is_loopback(_host(f"//{headers.get(b'host', '')}")):
        return "Without keys the service answers on this machine only: call it by localhost or 127.0.0.1."
    origin = headers.get(b"origin")
    if origin is not None and not is_loopback(_host(origin)):
        return "Pages of other sites may not drive this service."
    return None


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # brackets that do not close
        return None


def is_loopback(host: str | None) -> bool:
    """Whether a host name means this machine."""
    return (host or "").lower() in LOOPBACK


def tenant(_request: Request) -> str:
    """Return whose data the request is about."""
    return LOCAL
