"""The queue of those who write: one after another instead of threads that contend, many flushed as one.

Threads that write at the same time wait for SQLite's lock, and for Python's at each of their statements: a
turn takes half as long again. Here one works through them while another flushes what is committed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from service.errors import StoreUnavailable
from service.store.session import Database

T = TypeVar("T")
Then = Callable[[BaseException | None], None]

THREADS: Final = 8
"""At most, where a database takes so many writers at once, or some are held up."""

TOGETHER: Final = 8
"""So many turns are flushed as one, and fewer where nobody waits behind them."""

PATIENCE_S: Final = 0.15
"""When no turn has begun for so long, another thread goes on with those that wait, and flushes the others."""


class WriteQueue:
    """Has functions carried out that write. One for a process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "write")
        self._lines: dict[tuple[asyncio.AbstractEventLoop, Database], _Line] = {}
        self._lock = threading.Lock()

    def do(self, db: Database, turn: Callable[[], T], then: Then | None = None) -> asyncio.Future[T]:
        """Have a function carried out, in the order of the asking; to be called on a running loop.

        Args:
            db: where it writes.
            turn: what is done, whether or not anybody still waits for it.
            then: called on the loop when all is over, whoever still waits, before they are told; with what
                was raised, if anything was.

        Returns:
            What it returned, once all that it wrote is on the disk. Or what it raised; StoreUnavailable where
            the disk did not take it.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()
        self._line(loop, db).add(_Turn(turn, told, then))
        return told

    def _line(self, loop: asyncio.AbstractEventLoop, db: Database) -> _Line:
        with self._lock:
            line = self._lines.get((loop, db))
            if line is None:
                self._lines = {key: one for key, one in self._lines.items() if not key[0].is_closed()}
                line = self._lines[loop, db] = _Line(loop, db, self._pool)
            return line


@dataclass(slots=True, eq=False)
class _Turn:
    """One function that waits to be carried out, or what came of it."""

    do: Callable[[], Any]
    told: asyncio.Future[Any]
    then: Then | None
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        try:
            if self.then is not None:
                self.then(self.error)
        finally:
            self._answer()

    def _answer(self) -> None:
        if self.told.done():
            return
        if self.error is None:
            self.told.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # no future takes that
            self.told.set_exception(RuntimeError(repr(self.error)))
        else:
            self.told.set_exception(self.error)


class _Line:
    """Those who wait on one loop to write into one database."""

    def __init__(self, loop: asyncio.AbstractEventLoop, db: Database, pool: ThreadPoolExecutor) -> None:
        self._loop = loop
        self._db = db
        self._pool = pool
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()
        self._written: list[_Turn] = []
        self._threads = 0
        self._begun = 0
        self._watch: asyncio.TimerHandle | None = None

    def add(self, turn: _Turn) -> None:
        with self._lock:
            self._waiting.append(turn)
            wanted = self._threads < self._db.writers
        if wanted:
            self._start()
        elif self._watch is None:
            self._watch = self._loop.call_later(PATIENCE_S, self._look, self._begun)

    def _look(self, begun: int) -> None:
        """Have another thread go on where the one that works is held up."""
        self._watch = None
        with self._lock:
            if not (self._waiting or self._written):
                return
            held_up = self._begun == begun and self._threads < THREADS
        if held_up:
            self._start()
        self._watch = self._loop.call_later(PATIENCE_S, self._look, self._begun)

    def _start(self) -> None:
        with self._lock:
            self._threads += 1
        self._pool.submit(self._work)

    def _work(self) -> None:
        self._flush()  # what was held up
        while (turn := self._next()) is not None:
            self._carry_out(turn)
            if not self._waiting or len(self._written) >= TOGETHER:
                self._flush()
        self._flush()

    def _next(self) -> _Turn | None:
        with self._lock:
            if self._waiting:
                self._begun += 1
                return self._waiting.popleft()
            self._threads -= 1
            return None

    def _carry_out(self, turn: _Turn) -> None:
        with self._db.flushed_later() as written:
            try:
                turn.result = turn.do()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                turn.error = error
        if turn.error is not None and not written.anything:
            self._tell([turn])
            return
        with self._lock:  # what it found another may have written a moment ago
            self._written.append(turn)

    def _flush(self) -> None:
        """Flush for all who have written, and tell them."""
        with self._lock:
            turns, self._written = self._written, []
        if not turns:
            return
        try:
            self._db.flush()
        except StoreUnavailable as error:
            for turn in turns:
                turn.error = turn.error or error
        self._tell(turns)

    def _tell(self, turns: Sequence[_Turn]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits on it
            self._loop.call_soon_threadsafe(self._tell_each, turns)

    def _tell_each(self, turns: Sequence[_Turn]) -> None:
        for turn in turns:
            self._loop.call_soon(turn.tell)
