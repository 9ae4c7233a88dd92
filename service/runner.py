"""Runs answers to their end, in this process: those begun here, and those that others left behind.

What an answer has come to is in the store, call by call; nothing of it is kept here. Which process runs an
answer is kept with it (its seat), so that whoever finds the seat empty takes the answer up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

from service.domain.answers import Answer, Call
from service.errors import StoreUnavailable, UnabridgedError
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

log = logging.getLogger(__name__)


class Runner:
    """The answers that run in this process.

    Args:
        ctx: what they work in.
        seat: this process's.
        serving: pay for what answers of dead processes still need; otherwise those are only concluded.
    """

    def __init__(self, ctx: Context, seat: str, *, serving: bool) -> None:
        self.ctx = ctx
        self.seat = seat
        self._serving = serving
        self._under_way: set[asyncio.Task[None] | Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def take_on(self, accept: Callable[[Begin], T]) -> T:
        """Accept a question and take its answer up in the same turn of a thread; this loop does the rest.

        What both write, mostly in one transaction, is flushed once, before anything of it is told or sent.

        Args:
            accept: accepts it, and has it taken up before it is recorded; where it returns no answer, nothing
                is run.

        Raises:
            UnabridgedError: whatever `accept` does.
            StoreUnavailable: nobody knows whether it was accepted.
        """
        taking = _Taking(self, accept)
        self._note(taking.over)  # whoever closes waits for it
        try:
            return await self.ctx.writes.do(self.ctx.db, taking.turn, taking.end)
        except asyncio.CancelledError:
            taking.is_left = True
            await asyncio.shield(asyncio.wrap_future(taking.over))  # a loop may not end before
            raise

    def go(self, answer_id: str, begun: Run | None = None) -> None:
        """Run an answer that was accepted here to its end; to be called on its loop."""
        self._note(asyncio.create_task(self.run(answer_id, may_send=True, begun=begun)))

    def take_up(self, free: Sequence[str]) -> None:
        """Run answers that dead processes left, on a loop of its own; a service also those nobody has begun.

        Args:
            free: the seats of those processes. The caller holds them, so that nobody sits down on one before
                its answers are this process's.
        """
        with self.ctx.db.write() as tx:
            answers.reseat(tx, free, self.seat)
            lost = self.ctx.now() - LOST
            left = answers.unfinished(tx, seat=self.seat, unseated=self._serving, lost_before=lost)
        for answer_id in left:
            running = self.run(answer_id, may_send=self._serving)
            self._note(asyncio.run_coroutine_threadsafe(running, self._own_loop()))

    async def run(self, answer_id: str, *, may_send: bool, begun: Run | None = None) -> None:
        """Run an answer to its end, from where it has begun; a store out of reach only delays it."""
        is_told = False
        while True:
            try:
                if begun is not None:
                    await finish_answer(begun)
                else:
                    await run_answer(self.ctx, answer_id, may_send=may_send, seat=self.seat)
            except StoreUnavailable as error:
                if not is_told:
                    log.warning("answer %s waits for the store: %s", answer_id, error)
                is_told, begun = True, None
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


class _Taking(Generic[T]):
    """A question on its way to an answer that runs.

    Attributes:
        over: done when it is.
        is_left: whoever asked went away; it is not accepted any more.
    """

    def __init__(self, runner: Runner, accept: Callable[[Begin], T]) -> None:
        self.over: Future[None] = Future()
        self.is_left = False
        self._runner = runner
        self._accept: Callable[[Begin], T] = accept
        self._taken: Answer | None = None
        self._run: Run | None = None

    def turn(self) -> T:
        """Accept it, and take its answer up; what it has come to by then is noted."""
        if self.is_left:
            raise asyncio.CancelledError
        accepted = self._accept(self._begin)
        if self._taken is not None and (accepted is None or accepted.id != self._taken.id):
            self._runner.ctx.feed.close(self._taken.id)  # it was begun, and another is the answer after all
            self._taken = self._run = None
        if accepted is not None and self._run is None:
            self._take_up(accepted)
        return accepted

    def _begin(self, tx: Transaction, answer: Answer, calls: Sequence[Call]) -> Begun | None:
        """Take the answer up within the transaction that accepts it, if that is done in a moment."""
        found = begin_within(tx, self._runner.ctx, answer, calls, seat=self._runner.seat)
        if found is None:
            return None
        self._taken = answer
        self._run, begun = found
        return begun

    def _take_up(self, accepted: Answer) -> None:
        """Take an accepted answer up, unless it runs already or has ended; without the store, later."""
        with suppress(StoreUnavailable):
            self._run = begin_answer(self._runner.ctx, accepted, seat=self._runner.seat)
            if self._run is None:
                return
        self._taken = accepted

    def end(self, error: BaseException | None) -> None:
        """Have the answer run; where it was refused in the end, forget it."""
        try:
            if self._taken is not None:
                self._end(self._taken.id, error)
        finally:
            self.over.set_result(None)

    def _end(self, answer_id: str, error: BaseException | None) -> None:
        feed = self._runner.ctx.feed
        if error is None:
            self._runner.go(answer_id, self._run)
        elif isinstance(error, UnabridgedError) and not isinstance(error, StoreUnavailable):
            feed.close(answer_id)
        else:  # nobody knows what is kept of it
            feed.pause(answer_id)
            self._runner.go(answer_id)


def _work(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and then end what is on it."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
