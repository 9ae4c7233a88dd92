"""What a command works on: the settings, the store, and the jobs, opened with every mistake said first."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from service import factory, seats
from service.domain.answers import Answer
from service.domain.catalog import Catalog, Model
from service.errors import Fix, NotFound
from service.settings import Settings, mistake
from service.store import answers
from service.store.session import Database, Transaction
from service.usecases.ask_question import list_answers
from service.usecases.context import LOCAL, Context, Queue
from service.usecases.running import Begin


class Worker(Protocol):
    """What carries jobs out: `jobs.Worker`, whose library only commands with jobs to do load."""

    @property
    def seat(self) -> str:
        """The name of this process among those on the data folder."""
        ...

    async def take_on(self, accept: Callable[[Begin], Answer]) -> Answer:
        """Accept a question, and begin its answer here and now."""
        ...

    async def start_batch(self, batch_id: str) -> None:
        """Mind a batch here, unless another living process does."""
        ...


class LateQueue:
    """The jobs' queue, made when something is first left in it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._made: Queue | None = None

    def extract(self, tx: Transaction, document_id: str) -> None:
        """Have a document read."""
        self._queue().extract(tx, document_id)

    def wake(self) -> None:
        """Have what was left begun without delay."""
        self._queue().wake()

    def close(self) -> None:
        """Free its connections, if it ever had any."""
        if self._made is not None:
            self._made.close()

    def _queue(self) -> Queue:
        if self._made is None:
            from service import jobs  # noqa: PLC0415 - most commands leave no work behind

            self._made = jobs.JobQueue(self._db)
        return self._made


def settings(data: Path | None = None) -> Settings:
    """Return the installation's settings.

    Args:
        data: another folder than theirs.

    Raises:
        Invalid: one of them is none that it may be.
    """
    try:
        return Settings() if data is None else Settings(data=data)
    except (ValueError, OSError) as error:
        raise mistake(error) from error


def context(chosen: Settings, *, migrate: bool | None = None) -> Context:
    """Open the store.

    Raises:
        UnabridgedError: it can't be opened, or a setting can't be met.
    """
    factory.ocr_languages(chosen)  # a language that is not there is said before anything is opened
    chosen.check_data()
    chosen.check_models_file()
    return factory.open_context(chosen, queue=LateQueue, migrate=migrate)


def concluded(chosen: Settings) -> Context:
    """Open the store; what killed processes left of answers is concluded first, unless a service does it.

    Raises:
        UnabridgedError: as `context`.
    """
    ctx = context(chosen)
    with ctx.db.read() as tx:
        under_way = answers.seats_under_way(tx)
    if under_way and seats.any_dead(chosen.data, under_way):
        with working(chosen, extract=False):
            pass  # they are taken up at its beginning, and concluded by its end
    return ctx


@contextmanager
def working(
    chosen: Settings, *, extract: bool = True, serving: bool = False
) -> Iterator[tuple[Context, Worker]]:
    """Open the store and carry jobs out.

    Args:
        chosen: the installation's settings.
        extract: read documents too, whosever they are.
        serving: take up answers too. A command does not, and says itself what became of its work, so what the
            job system says of its own end is left out.
    """
    from service import jobs  # noqa: PLC0415 - the job system takes as long to load as a short command

    ctx = context(chosen)
    if not serving:  # a filter, for the job system sets its logger's level itself
        logging.getLogger("dbos").addFilter(lambda record: record.levelno >= logging.CRITICAL)
    try:
        with jobs.working(ctx, chosen, extract=extract, serving=serving) as worker:
            yield ctx, worker
    finally:
        ctx.close()


def answer_id(ctx: Context, said: str) -> str:
    """Return the id of an answer that was named: by its id, or as `last` for the one that was asked last.

    Raises:
        NotFound: no question was asked yet.
    """
    if said != "last":
        return said
    for answer in list_answers(ctx, LOCAL, corpus_id=None, after=None, limit=1, newest_first=True):
        return answer.id
    raise NotFound("No question was asked yet, so there is no last answer.")


def model(catalog: Catalog, name: str) -> Model:
    """Return the model of that name.

    Raises:
        NotFound: there is none; the fixes name the nearest three.
    """
    try:
        return catalog.model(name)
    except NotFound as error:
        ids = {known.casefold(): model.id for model in catalog.models for known in model.names}
        near = difflib.get_close_matches(name.casefold(), ids, n=len(ids), cutoff=0.0)
        nearest = list(dict.fromkeys(ids[known] for known in near))[:3]
        fixes = [Fix("use_model", f"use model {known}", (("model", known),)) for known in nearest]
        every = Fix("list_models", "`unabridged models` shows them all.")
        raise NotFound(error.detail, fixes=(*fixes, every)) from error
