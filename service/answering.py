"""An accepted question at the terminal: followed to its end, stopped by Ctrl-C, and how that is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from service import console, endings, terminal
from service.domain import progress
from service.domain.answers import Answer, AnswerStatus
from service.errors import Conflict, StoreUnavailable
from service.opening import Worker
from service.usecases.ask_question import get_answer
from service.usecases.cancel_answer import cancel_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.follow_answer import follow_answer
from service.usecases.running import Begin

STOP_SECONDS = 10.0
"""How long a stopped answer may take to end before the command leaves it to its record."""


async def answered(ctx: Context, worker: Worker, accept: Callable[[Begin], Answer], *, json: bool) -> int:
    """Have a question accepted and answered; show the answer as it comes, and how it ended.

    After Ctrl-C it has some seconds to end; one that takes longer is shown as it stands, and left.

    Returns:
        The exit code: 0 where it is done.
    """
    ended, stopped = await _ended(ctx, worker, accept, aloud=not json)
    if json:
        console.as_json(ended)
    if stopped:
        endings.show_stopped(ended)
        if not AnswerStatus(ended["status"]).final:
            terminal.leave()  # its record says the rest: the request to stop is kept with it
    elif ended["status"] != "done":
        endings.show_failed(ended)
    if ended["status"] in {"failed", "cancelled"} and ended["strategy"] == "split":
        said = f"  → unabridged retry {ended['id']} pays only for what is missing."
        console.errors().print(said, markup=False)
    return terminal.STOPPED if stopped else int(ended["status"] != "done")


async def _ended(
    ctx: Context, worker: Worker, accept: Callable[[Begin], Answer], *, aloud: bool
) -> tuple[dict[str, Any], bool]:
    """Return the answer as it ended, and whether Ctrl-C stopped it."""
    with terminal.stopping_on_request() as asked_to_stop:
        answer = await worker.take_on(accept)
        following = asyncio.create_task(_follow(ctx, answer.id, aloud=aloud))
        stopping = asyncio.create_task(asked_to_stop.wait())
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if following.done():
            return following.result(), False
        with suppress(Conflict, StoreUnavailable, TimeoutError):  # Conflict: it ended just now
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.to_thread(cancel_answer, ctx, LOCAL, answer.id)
                await asyncio.wait({following})
        if not following.cancel():
            return following.result(), True
        return describe_answer(await asyncio.to_thread(get_answer, ctx, LOCAL, answer.id)), True


async def _follow(ctx: Context, answer_id: str, *, aloud: bool) -> dict[str, Any]:
    """Print the answer as it comes; return it as it ended."""
    async for event in follow_answer(ctx, LOCAL, answer_id):
        if event is None:
            continue
        if event.name == "progress":
            _show_progress(event.data)
        if event.name == "waiting":
            _show_aside(progress.wait_said(event.data))
        if event.name == "delta" and aloud:
            sys.stdout.write(event.data["text"])
            sys.stdout.flush()
        if event.name == "done":
            if aloud:
                sys.stdout.write("\n")
                sys.stdout.flush()  # what follows on standard error stands below
                endings.show_answer_end(event.data)
            return event.data
        if event.name == "error":
            if aloud and event.data["answer"]["text"]:
                sys.stdout.write("\n")  # what follows begins a line of its own
                sys.stdout.flush()
            ended: dict[str, Any] = event.data["answer"]
            return ended
    raise AssertionError("a followed answer always ends")


def _show_progress(data: dict[str, Any]) -> None:
    """Say how far a split is; its text shows by itself that it is merged."""
    if data.get("kind") != "merge" or data["state"] == "started":
        _show_aside(progress.said(data))


def _show_aside(said: str) -> None:
    """Say what is of use while it is waited, to a terminal alone."""
    if sys.stderr.isatty():
        console.errors().print(said, style="dim", markup=False)
