"""Batches as their tests make them: a store, a process that may die anywhere, and the books in the end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from service.domain.answers import Answer
from service.domain.batches import Batch
from service.domain.pricing import to_micros_up
from service.domain.questions import Question
from service.factory import open_context
from service.settings import Settings
from service.store import batches, ledger
from service.store.session import Database, Transaction
from service.usecases.ask_question import Request
from service.usecases.context import LOCAL, Context
from service.usecases.describe_batch import describe_batch
from service.usecases.mind_batch import advance
from service.usecases.put_in_batch import Order, put_in_batch
from tests.support.upstream import Upstream

MOST_LOOKS = 400


class Killed(BaseException):
    """The process dies here."""


class Unworked:
    """A queue that nobody works."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def extract(self, tx: Transaction, document_id: str) -> None:
        """Leave it."""

    def wake(self) -> None:
        """Nobody works it."""

    def close(self) -> None:
        """Nothing is open."""


class Clock:
    """Goes on by so much at every look, so that what has to be waited for comes."""

    def __init__(self, step: timedelta = timedelta(minutes=10)) -> None:
        self.ahead = timedelta()
        self._step = step

    def now(self) -> datetime:
        """Now, and what was gone on."""
        return datetime.now(UTC) + self.ahead

    def tick(self) -> None:
        """Go on."""
        self.ahead += self._step


class Mortal(Database):
    """A database whose process dies right behind one of its commits, or before it."""

    def __init__(self, url: str, *, at: int, before: bool) -> None:
        super().__init__(url)
        self.left = at
        self._before = before

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Open a transaction as ever; the one that was said is the last."""
        self.left -= 1
        with super().write() as tx:
            yield tx
            if self.left == 0 and self._before:
                raise Killed
        if self.left == 0:
            raise Killed


class MortalBatches:
    """A provider's batches; the process dies before or behind one of the requests."""

    def __init__(self, inner: Any, *, at: int, before: bool) -> None:  # noqa: ANN401 - whatever it stands for
        self._inner = inner
        self._at = at
        self._before = before
        self.said = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        found = getattr(self._inner, name)
        if name not in {"upload", "create", "get", "find", "cancel", "delete"}:
            return found

        async def mortal(*args: Any, **more: Any) -> Any:  # noqa: ANN401 - the same
            self.said += 1
            if self.said == self._at and self._before:
                raise Killed
            reply = await found(*args, **more)
            if self.said == self._at:
                raise Killed
            return reply

        return mortal


class MortalProvider:
    """A provider with such batches."""

    def __init__(self, inner: Any, mortal: MortalBatches) -> None:  # noqa: ANN401 - whatever it stands for
        self._inner = inner
        self.batches = mortal

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        return getattr(self._inner, name)


def copied(template: Path, folder: Path) -> Path:
    """Copy an installation's data folder."""
    shutil.copytree(template, folder)
    return folder


@contextmanager
def process(settings: Settings, clock: Clock | None = None) -> Iterator[Context]:
    """A process on the store."""
    context = open_context(settings, queue=Unworked)
    try:
        yield replace(context, now=(clock or Clock()).now)
    finally:
        context.close()


def put_in(ctx: Context, corpus_id: str, *questions: str, **more: Any) -> Batch:  # noqa: ANN401 - parameters
    """Put questions together."""
    usual: dict[str, Any] = {"model": "gpt-5.5", "service_tier": "batch", "max_completion_tokens": 2_000}
    asked = tuple(Request(question=Question(text=one, **(usual | more))) for one in questions)
    return asyncio.run(put_in_batch(ctx, LOCAL, corpus_id, Order(asked)))


def minded(ctx: Context, batch_id: str, clock: Clock, each: Callable[[], None] = lambda: None) -> None:
    """Look again and again, until it has ended."""

    async def to_the_end() -> None:
        for _ in range(MOST_LOOKS):
            if await advance(ctx, batch_id) is None:
                return
            each()
            clock.tick()
        raise AssertionError(f"it never ended: {described(ctx, batch_id)}")

    asyncio.run(to_the_end())


def described(ctx: Context, batch_id: str) -> dict[str, Any]:
    """The batch as REST tells of it."""
    return describe_batch(ctx, LOCAL, batch_id)


def answers_in(ctx: Context, batch_id: str) -> list[Answer]:
    """The answers in the order of their questions."""
    with ctx.db.read() as tx:
        return batches.answers_of(tx, batch_id)


def books(ctx: Context) -> dict[str, int]:
    """What each call has in the ledger, in micro-dollars."""
    sums: dict[str, int] = {}
    with ctx.db.read() as tx:
        for entry in ledger.entries(tx, LOCAL):
            sums[entry.call_id] = sums.get(entry.call_id, 0) + entry.micros
    return sums


def held(ctx: Context) -> int:
    """What is reserved still, in micro-dollars."""
    with ctx.db.read() as tx:
        return ledger.held_micros(tx, LOCAL)


def check_books(ctx: Context, upstream: Upstream) -> None:
    """Hold the ledger against the invoice, line by line: nothing else was paid, and nothing is held."""
    billed = sorted(to_micros_up(one.usd) for one in upstream.invoice)
    assert sorted(sum_ for sum_ in books(ctx).values() if sum_) == billed
    assert held(ctx) == 0
    with ctx.db.read() as tx:
        exact = [one.actual_usd for one in ledger.entries(tx, LOCAL) if one.kind == "settle"]
    assert sum((one for one in exact if one is not None), Decimal(0)) == sum(
        (one.usd for one in upstream.invoice), Decimal(0)
    )
    assert upstream.violations == []
