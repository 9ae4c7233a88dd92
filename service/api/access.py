"""Who may call: whoever has a key.

While there are none: one local user, from this machine, and no page but the service's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem_of, response_at
from service.api.wiring import context
from service.domain.keys import Caller, digest
from service.errors import KeyNeeded, NotAllowed, StoreUnavailable, UnabridgedError
from service.usecases import manage_keys
from service.usecases.context import LOCAL, Context

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
OPEN = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
"""What needs no key, as the page's own files don't: it says nothing of anybody's data."""

_OPEN_BELOW = "/static/"

KNOWN_SECONDS = 2.0
"""So long a key that was recognised is not looked up again: a revocation holds everywhere after that."""

_USUAL_PORTS = {"http": 80, "https": 443}
_NOT_FROM_HERE = "Without keys the service answers on this machine only: call it by localhost or 127.0.0.1."
_FOREIGN_PAGE = "Pages of other sites, and of other ports of this machine, may not drive this service."
_SEND_A_KEY = (
    "Send a key that holds, as Authorization: Bearer una_…. Where the service runs, "
    "`unabridged keys add NAME` makes one."
)


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    expires_at: datetime | None
    until: float


class KnownKeys:
    """What was looked up of keys a moment ago, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._needed: tuple[bool, float] = (True, clock())
        self._known: dict[str, _Known] = {}
        self._turn = 0
        self._asking: asyncio.Task[bool] | None = None

    async def needed(self, ctx: Context) -> bool:
        """Whether there are keys."""
        needed, until = self._needed
        if self._clock() < until:
            return needed
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(ctx))
        return await asyncio.shield(self._asking)

    async def _ask(self, ctx: Context) -> bool:
        """Look once for all who wait for it; what changes meanwhile is looked up anew."""
        while True:
            turn = self._turn
            needed = await asyncio.to_thread(manage_keys.are_keys_needed, ctx)
            if turn == self._turn:
                self._needed = (needed, self._clock() + KNOWN_SECONDS)
                return needed

    async def caller(self, ctx: Context, secret: str) -> Caller | None:
        """Return who has that secret; whatever does not hold is looked up every time, and never kept."""
        name = digest(secret)
        known = self._known.get(name)
        if known is None or self._clock() >= known.until:
            self._known.pop(name, None)
            turn = self._turn
            key = await asyncio.to_thread(manage_keys.recognise, ctx, secret)
            if key is None:
                return None
            known = _Known(Caller(key.tenant, key.id), key.expires_at, self._clock() + KNOWN_SECONDS)
            if turn == self._turn:
                self._known[name] = known
        is_over = known.expires_at is not None and known.expires_at <= ctx.now()
        return None if is_over else known.caller

    def forget(self) -> None:
        """Look everything up anew, what is being looked up included: a key was made or revoked here."""
        self._turn += 1
        self._needed = (True, self._clock())
        self._known.clear()


class Gate:
    """Says who calls, or refuses, before anything of the request's body is read.

    Without keys that is the local user, where the request's Host is this machine and it comes of no page of
    any other origin: against DNS rebinding and foreign pages, those of this machine's other ports included.
    With keys, or where other machines reach the service, only a key says it.
    """

    def __init__(self, app: ASGIApp, known: KnownKeys, *, exposed: bool) -> None:
        self._app = app
        self._known = known
        self._exposed = exposed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except UnabridgedError as error:
            headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, KeyNeeded) else None
            await response_at(scope["path"], problem_of(error), headers)(scope, receive, send)
            return
        if caller is not None:
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        """Return who calls; None where nobody has to say it.

        Raises:
            NotAllowed, KeyNeeded: the request is refused.
            StoreUnavailable: who it is can't be found out now.
        """
        ctx = cast("Context", scope["app"].state.context)
        is_open = scope["path"] in OPEN or scope["path"].startswith(_OPEN_BELOW)
        try:
            needed = self._exposed or await self._known.needed(ctx)
        except StoreUnavailable:
            if not is_open:
                raise
            needed = False
        if not needed:
            _require_local(scope)
            return Caller(LOCAL)
        caller = None if is_open else await self._known.caller(ctx, _secret(scope))
        if caller is None and not is_open:
            raise KeyNeeded(_SEND_A_KEY)
        return caller


def _secret(scope: Scope) -> str:
    """Return what was sent as the key; nothing where the header is missing, double or of another scheme."""
    sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, secret = (sent[0] if len(sent) == 1 else "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _require_local(scope: Scope) -> None:
    headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
    host = next((value for name, value in headers if name == b"host"), "")
    if not is_loopback(_host(f"//{host}")):
        raise NotAllowed(_NOT_FROM_HERE)
    if not all(_is_own(value, host) for name, value in headers if name == b"origin"):
        raise NotAllowed(_FOREIGN_PAGE)


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


class _ByKey(SecurityBase):
    """Gives who calls, as the gate found it; the scheme is for the reference alone."""

    scheme_name = "HTTPBearer"

    def __init__(self) -> None:
        self.model = HTTPBearer(description="A key; without any, the local user needs none.")

    async def __call__(self, request: Request) -> Caller:
        return cast("Caller", request.state.caller)


caller = _ByKey()


async def tenant(who: Annotated[Caller, Depends(caller)]) -> str:
    """Return whose data the request is about."""
    return who.tenant


def manager(who: Annotated[Caller, Depends(caller)], ctx: Annotated[Context, Depends(context)]) -> Caller:
    """Return who calls, where they may manage keys and budgets.

    Raises:
        NotAllowed: they may not.
    """
    manage_keys.require_manager(ctx, who)
    return who
