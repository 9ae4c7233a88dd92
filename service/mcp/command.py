"""The command that an assistant's program starts, to talk to it over stdin and stdout."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from service import console, opening, terminal
from service.domain.answers import Answer
from service.mcp.tools import Desk
from service.opening import Worker
from service.usecases.context import LOCAL, Context
from service.usecases.follow_answer import wait_for_answer
from service.usecases.running import Begin

STOPPED = "Stopped. `unabridged answers` says what became of each answer."


def mcp(
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The data folder, instead of the settings'.")
    ] = None,
) -> None:
    """Serve an AI assistant over the Model Context Protocol, on standard input and output.

    The assistant's program starts it. Example: {"command": "unabridged", "args": ["mcp"]}
    """
    from service.mcp import protocol  # noqa: PLC0415 - its SDK takes a second to load

    if sys.stdin is not None and sys.stdin.isatty():
        console.errors().print("Waiting for an MCP client on standard input; Ctrl-C stops.")
    with (
        terminal.stopping_at_once(STOPPED),
        opening.working(opening.settings(data), extract=False) as (ctx, worker),
    ):
        asyncio.run(_serve(ctx, worker, protocol.serve_stdio))


async def _serve(ctx: Context, worker: Worker, serve: Callable[[Desk], Awaitable[None]]) -> None:
    """Serve until the client is gone, and then until what it asked has been answered: that is paid for."""
    started: list[str] = []

    async def take_on(accept: Callable[[Begin], Answer]) -> Answer:
        answer = await worker.take_on(accept)
        started.append(answer.id)
        return answer

    await serve(Desk(ctx, LOCAL, take_on))
    for answer_id in started:
        await wait_for_answer(ctx, LOCAL, answer_id)
