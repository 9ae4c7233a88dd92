"""Who may call: without keys, one local user, from this machine, and no page but the service's own."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem, response_at
from service.errors import NotAllowed
from service.usecases.context import LOCAL

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_USUAL_PORTS = {"http": 80, "https": 443}


class LoopbackOnly:
    """Refuses requests whose Host is not this machine, and those of pages of any other origin.

    That is DNS rebinding and foreign pages, those of this machine's other ports included.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and (refusal := _refusal(scope)):
            body = problem(
                status=NotAllowed.status, code=NotAllowed.code, title=NotAllowed.title, detail=refusal
            )
            await response_at(scope["path"], body)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(scope: Scope) -> str | None:
    headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
    host = next((value for name, value in headers if name == b"host"), "")
    if not is_loopback(_host(f"//{host}")):
        return "Without keys the service answers on this machine only: call it by localhost or 127.0.0.1."
    if not all(_is_own(value, host) for name, value in headers if name == b"origin"):
        return "Pages of other sites, and of other ports of this machine, may not drive this service."
    return None


def _is_own(origin: str, host: str) -> bool:
    """Whether a page's origin is where the request goes; its scheme matters for the port alone."""
    usual = _USUAL_PORTS.get(origin.partition("://")[0].lower())
    asking = _place(origin, usual)
    return asking is not None and asking == _place(f"//{host}", usual)


def _place(url: str, usual_port: int | None) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or usual_port
    except ValueError:  # brackets that do not close, a port that is none
        return None
    return (parts.hostname, port) if parts.hostname else None


def _host(url: str) -> str | None:
    place = _place(url, None)
    return place[0] if place else None


def is_loopback(host: str | None) -> bool:
    """Whether a host name means this machine."""
    return (host or "").lower() in LOOPBACK


def tenant(_request: Request) -> str:
    """Return whose data the request is about."""
    return LOCAL
