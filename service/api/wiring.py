"""What handlers get from the app: the context, and the worker that starts answers.

Those of requests are coroutines, though they wait for nothing: of functions each would be a thread's turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, cast, overload

from fastapi import Request

from service.domain.answers import Answer
from service.metrics import Refusals
from service.usecases.context import Context
from service.usecases.running import Begin

StartBatch = Callable[[str], Awaitable[None]]


class TakeOn(Protocol):
    """Accepts a question in a thread, and begins its answer in the same turn; where there is one."""

    @overload
    async def __call__(self, accept: Callable[[Begin], Answer]) -> Answer: ...
    @overload
    async def __call__(self, accept: Callable[[Begin], Answer | None]) -> Answer | None: ...


async def context(request: Request) -> Context:
    """Return the use cases' context."""
    return cast("Context", request.app.state.context)


def refusals(request: Request) -> Refusals:
    """Return where refused questions are counted."""
    return cast("Refusals", request.app.state.refusals)


async def take_on(request: Request) -> TakeOn:
    """Return what accepts a question and begins its answer."""
    return cast("TakeOn", request.app.state.take_on)


async def start_batch(request: Request) -> StartBatch:
    """Return what begins to mind an accepted batch."""
    return cast("StartBatch", request.app.state.start_batch)
