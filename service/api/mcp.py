"""The Model Context Protocol over HTTP, under the same admission as every other route."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api import problems
from service.api.access import caller
from service.api.wiring import TakeOn, context, take_on
from service.domain.keys import Caller
from service.mcp.tools import Desk
from service.usecases.context import Context

router = APIRouter()

Ctx = Annotated[Context, Depends(context)]
Who = Annotated[Caller, Depends(caller)]
Take = Annotated[TakeOn, Depends(take_on)]


class Speaker:
    """Speaks the protocol from the first request on: its SDK takes a second to load."""

    def __init__(self) -> None:
        self._beginning = asyncio.Lock()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._app: ASGIApp | None = None

    async def app(self) -> ASGIApp:
        """Return what requests are handed to, once it runs."""
        async with self._beginning:
            if self._app is None:
                begun: asyncio.Future[ASGIApp] = asyncio.get_running_loop().create_future()
                self._task = asyncio.create_task(self._run(await asyncio.to_thread(_loaded), begun))
                self._app = await begun
            return self._app

    async def _run(
        self, serving: AbstractAsyncContextManager[ASGIApp], begun: asyncio.Future[ASGIApp]
    ) -> None:
        """Keep it running in one task of its own: what it starts can only be ended where it began."""
        async with serving as app:
            begun.set_result(app)
            await self._ending.wait()

    async def close(self) -> None:
        """End it with whatever it still does; answers run on."""
        self._ending.set()
        if self._task is not None:
            await self._task


def _loaded() -> AbstractAsyncContextManager[ASGIApp]:
    from service.mcp import protocol  # noqa: PLC0415 - its SDK takes a second to load

    return protocol.serving_http()


class _Handed(Response):
    """A response that the protocol's own code sends."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request over, its body still unread."""
        await self._app(scope, receive, send)


@router.post("/mcp", include_in_schema=False, response_model=None)
async def speak(request: Request, ctx: Ctx, who: Who, take: Take) -> Response:
    """Take one message of the protocol; every request stands for itself, so there is nothing to GET."""
    request.state.desk = Desk(
        ctx, who.tenant, take, key_id=who.key_id, refused=partial(problems.count_refusal, request)
    )
    speaker = cast("Speaker", request.app.state.mcp)
    return _Handed(await speaker.app())
