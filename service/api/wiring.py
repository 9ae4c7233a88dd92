"""What handlers get from the app: the context, and the worker that starts answers.

Those of requests are coroutines, though they wait for nothing: of functions each would be a thread's turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from fastapi import Request

from service.metrics import Refusals
from service.usecases.context import Context

StartAnswer = Callable[[str], Awaitable[None]]


async def context(request: Request) -> Context:
    """Return the use cases' context."""
    return cast("Context", request.app.state.context)


def refusals(request: Request) -> Refusals:
    """Return where refused questions are counted."""
    return cast("Refusals", request.app.state.refusals)


async def start_answer(request: Request) -> StartAnswer:
    """Return what begins an accepted answer."""
    return cast("StartAnswer", request.app.state.start_answer)


async def start_batch(request: Request) -> StartAnswer:
    """Return what begins to mind an accepted batch."""
    return cast("StartAnswer", request.app.state.start_batch)
