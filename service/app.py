"""The HTTP service: `create_app()` puts it together; nothing happens before it is started."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from ingest import count_tokens, counting_apart
from service import factory, jobs
from service.api import (
    again,
    answers,
    batches,
    conversations,
    corpora,
    documents,
    health,
    keys,
    mcp,
    models,
    money,
    openai,
    openai_files,
    problems,
    resumable,
)
from service.api.access import Gate, KnownKeys
from service.api.described import describe
from service.api.heads import Heads
from service.api.limits import Bounded
from service.errors import Invalid
from service.metrics import Refusals
from service.settings import Settings
from service.web import fragments, page

THREADS = 8
"""For what waits for the store: whoever commits waits for the disk, together with all others that do."""


def create_app(settings: Settings, *, work: bool = True, exposed: bool = False) -> FastAPI:
    """Return the service.

    Args:
        settings: the installation's.
        work: read documents in this process too; without it `unabridged worker` has to run beside.
        exposed: it listens where other machines reach it, so that only keys admit.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        stack = ExitStack()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "work"))
        app.state.mcp = mcp.Speaker()
        try:
            await asyncio.to_thread(_start, app, settings, stack, work=work)
            yield
        finally:
            await app.state.mcp.close()
            await asyncio.to_thread(stack.close)

    app = FastAPI(
        title="Unabridged",
        summary="Ask the whole corpus, know the price first.",
        version=version("unabridged"),
        lifespan=lifespan,
    )
    app.state.refusals = Refusals()
    problems.install(app)
    app.add_middleware(Bounded)
    app.state.known_keys = KnownKeys()
    app.add_middleware(Gate, app.state.known_keys, exposed=exposed)
    app.add_middleware(Heads)
    for module in (  # looked through in this order for each request: what is asked most comes first
        answers,
        openai,
        documents,
        resumable,
        corpora,
        again,
        batches,
        conversations,
        money,
        keys,
        models,
        openai_files,
        mcp,
        health,
        page,
        fragments,
    ):
        app.include_router(module.router)
    _build_routes(app)
    describe(app)
    return app


def _build_routes(app: FastAPI) -> None:
    """Build every route before requests come: FastAPI does it at the first of them, in the event loop."""
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": ""})


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is taken up: a second service on the port ends here, having touched nothing.

    Raises:
        Invalid: the port can't be used.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Invalid(
            f"Port {port} of {host} can't be used: {reason}. Choose another with --port."
        ) from error


def _start(app: FastAPI, settings: Settings, stack: ExitStack, *, work: bool) -> None:
    if work:
        stack.enter_context(counting_apart())
    ctx = factory.open_context(settings, queue=jobs.JobQueue)
    stack.callback(ctx.close)
    worker = stack.enter_context(jobs.working(ctx, settings, extract=work, serving=True))
    ctx.provider.parameters.prepare(ctx.terms.model)
    count_tokens("warm")  # has the vocabulary loaded now rather than in the first request
    app.state.context = ctx
    app.state.take_on = worker.take_on
    app.state.start_batch = worker.start_batch
