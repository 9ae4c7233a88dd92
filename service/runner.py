"""Runs answers to their end, in this process: those begun here, and those that others left behind.

What an answer has come to is in the store, call by call; nothing of it is kept here. Which process runs an
answer is kept with it (its seat), so that whoever finds the seat empty takes the answer up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from service.domain.answers import Answer, Call
from service.errors import StoreUnavailable
from service.store import answers
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.run_answer import begin_answer, begin_within, finish_answer, run_answer
from service.usecases.running import Begin, Begun, Run

STORE_SECONDS = 5.0
"""How long an answer waits for a store that was out of reach."""

LOOK_SECONDS = 0.02

LOST = timedelta(minutes=5)
"""An answer that nobody has begun for so long was accepted by a process that died at once."""

CONCLUDE_SECONDS = 5.0
"""How long a command waits for what it concludes, which sends nothing."""

T = TypeVar("T", Answer, Answer | None)

_Rest = Callable[[], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)


class Runner:
    """The answers that run in this process.

    Args:
        ctx: what they work in.
        seat: this process's.
        serving: pay for what answers of dead processes still need; otherwise those are only concluded.
    """

    def __init__(self, ctx: Context, seat: str, *, serving: bool) -> None:
        self._ctx = ctx
        self._seat = seat
        self._serving = serving
        self._under_way: set[asyncio.Task[None] | Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def take_on(self, accept: Callable[[Begin], T], loop: asyncio.AbstractEventLoop) -> T:
        """Accept a question and take its answer up in the same turn of a thread; the loop does the rest.

        What both write, mostly in one transaction, is flushed once, before anything of it is told or sent.

        Args:
            accept: accepts it, and has it taken up before it is recorded; where it returns no answer, nothing
                is run.
            loop: where the answer runs.

        Raises:
            UnabridgedError: whatever `accept` does.
            StoreUnavailable: nobody knows whether it was accepted.
        """
        rest: _Rest | None = None
        turn: Future[None] = Future()
        self._note(turn)  # whoever closes waits for it
        taking = _Taking(self._ctx, self._seat)
        try:
            with self._ctx.db.flushed_once():
                accepted = accept(taking.begin)
                if accepted is not None:
                    rest = self._taken_up(accepted, taking.run)
        except StoreUnavailable:  # nobody knows what is kept of it
            if taking.run is not None:
                rest = self._again(taking.run.answer.id)
            elif rest is not None and accepted is not None:
                rest = self._again(accepted.id)
            raise
        finally:
            if rest is not None:
                loop.call_soon_threadsafe(self._go, rest)
            elif taking.run is not None:
                self._ctx.feed.close(taking.run.answer.id)  # it was refused in the end
            loop.call_soon_threadsafe(turn.set_result, None)
        return accepted

    def _taken_up(self, answer: Answer, run: Run | None) -> _Rest | None:
        """Return what runs an accepted answer to its end; None where it runs already, or has ended."""
        try:
            begun = run or begin_answer(self._ctx, answer, seat=self._seat)
        except StoreUnavailable:
            return partial(self.run, answer.id, may_send=True)
        return None if begun is None else partial(self.run, answer.id, may_send=True, begun=begun)

    def _again(self, answer_id: str) -> _Rest:
        self._ctx.feed.pause(answer_id)
        return partial(self.run, answer_id, may_send=True)

    def _go(self, rest: _Rest) -> None:
        self._note(asyncio.create_task(rest()))

    def take_up(self, free: Sequence[str]) -> None:
        """Run answers that dead processes left, on a loop of its own; a service also those nobody has begun.

        Args:
            free: the seats of those processes. The caller holds them, so that nobody sits down on one before
                its answers are this process's.
        """
        with self._ctx.db.write() as tx:
            answers.reseat(tx, free, self._seat)
            lost = self._ctx.now() - LOST
            left = answers.unfinished(tx, seat=self._seat, unseated=self._serving, lost_before=lost)
        for answer_id in left:
            running = self.run(answer_id, may_send=self._serving)
            self._note(asyncio.run_coroutine_threadsafe(running, self._own_loop()))

    async def run(self, answer_id: str, *, may_send: bool, begun: Run | None = None) -> None:
        """Run an answer to its end, from where it has begun; a store out of reach only delays it."""
        while True:
            try:
                if begun is not None:
                    await finish_answer(begun)
                else:
                    await run_answer(self._ctx, answer_id, may_send=may_send, seat=self._seat)
            except StoreUnavailable:
                log.exception("answer %s waits for the store", answer_id)
                begun = None
                await asyncio.sleep(STORE_SECONDS)
            else:
                return

    def close(self, *, seconds: float) -> None:
        """Wait until the answers have ended, so long at most; others find the rest by its seat.

        What a command took up is only concluded, and has some seconds for that.
        """
        now = time.monotonic()
        deadline, concluded = now + seconds, now + (0 if self._serving else CONCLUDE_SECONDS)
        while self._under_way and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        while any(isinstance(one, Future) for one in list(self._under_way)) and time.monotonic() < concluded:
            time.sleep(LOOK_SECONDS)
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_work, args=(self._loop,), daemon=True)
            self._thread.start()
        return self._loop

    def _note(self, running: asyncio.Task[None] | Future[None]) -> None:
        """Hold what runs until it is over, and tell the log if it broke."""
        self._under_way.add(running)
        running.add_done_callback(self._over)

    def _over(self, running: asyncio.Task[None] | Future[None]) -> None:
        self._under_way.discard(running)
        if not running.cancelled() and (error := running.exception()) is not None:
            log.error("an answer broke off", exc_info=error)


class _Taking:
    """A question on its way: what was begun of its answer in the transaction that accepts it."""

    def __init__(self, ctx: Context, seat: str) -> None:
        self._ctx = ctx
        self._seat = seat
        self.run: Run | None = None

    def begin(self, tx: Transaction, answer: Answer, calls: Sequence[Call]) -> Begun | None:
        """Take the answer up, if that is done in a moment."""
        found = begin_within(tx, self._ctx, answer, calls, seat=self._seat)
        if found is None:
            return None
        self.run, begun = found
        return begun


def _work(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and then end what is on it."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
