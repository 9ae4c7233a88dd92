"""The durable jobs, on DBOS: what must happen is recorded with what asked for it, and survives any crash.

The only importer of DBOS. Three jobs, each one use case that is safe to run again: a document's reading,
queued in the transaction that records it; an answer, started at once in the process that accepted it and
taken up again after a crash (`runner`); a batch, minded for as long as a day by whoever serves. What was paid
for is recorded by the use cases themselves, call by call; no workflow stands behind an answer.

Each process on a data folder holds one of its `seats`; the work of one that died is taken up by the next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from dbos import (
    DBOS,
    DBOSClient,
    DBOSConfig,
    DBOSConfiguredInstance,
    DBOSPortableJSONSerializer,
    EnqueueOptions,
    SetWorkflowID,
)
from dbos._queue import queue_worker_thread

import ingest
from service import seats
from service.domain.documents import Failure
from service.errors import StoreUnavailable
from service.runner import Runner, T
from service.settings import Settings
from service.store import batches, plans
from service.store.session import Database, Transaction, make_engine
from service.turns import Turns
from service.usecases.context import Context
from service.usecases.extract_document import extract_document, fail
from service.usecases.index_pages import sweep_indexes
from service.usecases.mind_batch import mind_batch
from service.usecases.running import Begin
from service.usecases.take_images import forget_images

APPLICATION = "unabridged"
VERSION = "1"
"""Pinned: DBOS's own default hashes the source, and any change would strand work in flight."""

EXTRACT = "extract"
WAITING_FOR_EACH = 8
"""Documents that a process takes from the queue for each one it reads: a poll must not be what limits it."""

POLL_SECONDS = 1.0
"""How soon what another process queued is seen; what this one queues, it takes up at once."""

COMMAND_LISTEN_SECONDS = 0.1
"""DBOS ends within one sleep of its listener, which nothing here speaks to: a command waits for that."""

SERVICE_LISTEN_SECONDS = 0.25
"""The same for a service, which ends less often."""

LOOK_AGAIN_SECONDS = 0.1

KEEP_PLANS = timedelta(days=30)
"""After their time; plans that an answer refers to stay."""

SEATS_SECONDS = 5.0
"""How often a service looks for work that others left behind."""

MAX_RECOVERIES = 1_000_000
"""A batch outlives any number of restarts."""

LEAVE_BATCH_SECONDS = 5.0
"""How long a command that took up a dead process's batch waits to be told to mind it."""

STORE_SECONDS = 5.0
"""How long a job waits for a store that was out of reach."""

SHUTDOWN_SECONDS = 20
"""How long answers under way may still take when the process is asked to stop."""

_UNDER_WAY = frozenset({"PENDING", "ENQUEUED", "DELAYED"})

log = logging.getLogger(__name__)


class JobQueue:
    """Leaves work in the caller's transaction, for whichever process works the queue."""

    def __init__(self, db: Database) -> None:
        self._client = DBOSClient(
            system_database_url=db.url,
            system_database_engine=make_engine(db.url, for_jobs=True),
            serializer=DBOSPortableJSONSerializer(),
            use_listen_notify=False,
            application_name=APPLICATION,
        )

    def close(self) -> None:
        """Give its connections back."""
        self._client.destroy()

    def extract(self, tx: Transaction, document_id: str) -> None:
        """Have a document read."""
        options: EnqueueOptions = {
            "workflow_name": "Jobs.extract",
            "queue_name": EXTRACT,
            "class_name": "Jobs",
            "instance_name": APPLICATION,
            "app_version": VERSION,
        }
        self._client.enqueue_in_transaction(tx, options, document_id)

    def wake(self) -> None:
        """Have what was left just now begun without delay, where this process has a reader to spare."""
        _jobs().ring()


class Bell(threading.Event):
    """What the queue's thread sleeps on between its looks: rung to end the sleep, set to end the thread.

    After a ring it sleeps once more for a moment only: who rings at the end of a reading is still counted as
    under way until that end is recorded.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rung = threading.Event()
        self._again = False

    def ring(self) -> None:
        """End the sleep, or the next one."""
        self._rung.set()

    def set(self) -> None:
        """End the thread."""
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep; return whether the thread is to end."""
        self._again = self._rung.wait(LOOK_AGAIN_SECONDS if self._again else timeout)
        self._rung.clear()
        return self.is_set()


@DBOS.dbos_class()
class Jobs(DBOSConfiguredInstance):
    """The workflows; DBOS keeps one instance for the process's life, so each start gives it its context."""

    ctx: Context
    reading: Turns
    waiting: threading.Semaphore  # for documents that are read a second time, without hurry
    readers: int
    serving: bool
    runner: Runner
    started: set[str]
    stopping: bool
    leaving: bool

    def __init__(self) -> None:
        super().__init__(APPLICATION)
        self.bell = Bell()
        self.readers = 1
        self._taken = 0
        self._counting = threading.Lock()

    def ring(self) -> None:
        """Have the queue looked at now, unless every reader has its next document."""
        if self._taken <= self.readers:
            self.bell.ring()

    def _take(self, more: int) -> None:
        with self._counting:
            self._taken += more

    @DBOS.workflow()
    def extract(self, document_id: str) -> str:
        """Read a document."""
        self._take(1)
        try:
            with self.reading:
                over = extract_document(self.ctx, document_id, hurried=True, stopping=self._is_stopping)
            if not over:
                with self.waiting:
                    extract_document(self.ctx, document_id, stopping=self._is_stopping)
        except Exception as error:
            if self.stopping:
                raise  # the process ends: the workflow stays as it is for whoever takes it up
            log.exception("reading %s failed", document_id)
            self._fail(document_id, Failure("internal_error", f"Reading failed ({type(error).__name__})."))
        finally:
            self._take(-1)
            self.ring()
        return document_id

    def _is_leaving(self) -> bool:
        return self.leaving

    def _is_stopping(self) -> bool:
        return self.stopping

    def _fail(self, document_id: str, failure: Failure) -> None:
        """Record why a document could not be read, as soon as the store can be reached."""
        while True:
            try:
                fail(self.ctx, document_id, failure)
            except StoreUnavailable:
                log.exception("the failure of %s waits for the store", document_id)
                time.sleep(STORE_SECONDS)
            else:
                return

    @DBOS.workflow()
    async def answer(self, answer_id: str) -> str:
        """Take up an answer that an earlier version began as a workflow."""
        await self.runner.run(answer_id, may_send=self.serving)
        return answer_id

    @DBOS.workflow(max_recovery_attempts=MAX_RECOVERIES)
    async def batch(self, batch_id: str) -> str:
        """Mind a batch to its end; a command that was not told to leaves it to others."""
        until = time.monotonic() + LEAVE_BATCH_SECONDS
        while not (self.serving or batch_id in self.started):
            if time.monotonic() > until:
                return batch_id
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        while True:
            try:
                await mind_batch(self.ctx, batch_id, leaving=self._is_leaving)
            except StoreUnavailable:
                log.exception("batch %s waits for the store", batch_id)
                await asyncio.sleep(STORE_SECONDS)
            else:
                return batch_id


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that carries jobs out."""

    jobs: Jobs
    seat: str

    async def take_on(self, accept: Callable[[Begin], T]) -> T:
        """Accept a question in a thread, and begin its answer here and now; what runs already is left."""
        return await self.jobs.runner.take_on(accept)

    async def start_batch(self, batch_id: str) -> None:
        """Mind a batch here, unless another living process does."""
        self.jobs.started.add(batch_id)
        await asyncio.to_thread(_start_batch, self.jobs, batch_id)


def migrate(db: Database) -> None:
    """Bring the job system's own tables up to date."""
    DBOS(config=_config(db, "migration", listen_seconds=COMMAND_LISTEN_SECONDS))
    try:
        DBOS.launch()
    finally:
        DBOS.destroy()


@contextmanager
def working(
    ctx: Context, settings: Settings, *, extract: bool = True, serving: bool = False
) -> Iterator[Worker]:
    """Carry jobs out until the block ends.

    Args:
        ctx: what the jobs work in.
        settings: where the seats are, and how many documents are read at once.
        extract: read documents too; without it only answers that were started here are run.
        serving: take up answers that dead processes left, and pay for what they still need; a command only
            concludes them, and sends nothing.
    """
    with seats.taken(settings.data) as (seat, dead):
        listen_seconds = SERVICE_LISTEN_SECONDS if serving else COMMAND_LISTEN_SECONDS
        dbos = DBOS(config=_config(ctx.db, seat, listen_seconds=listen_seconds))
        jobs = _jobs()
        jobs.ctx = ctx
        jobs.serving = serving
        jobs.started = set()
        jobs.runner = Runner(ctx, seat, serving=serving)
        jobs.stopping = jobs.leaving = False
        if extract:
            ingest.warm()
        # One more than processors: each waits now and then until something is on the disk.
        jobs.readers = settings.extractors or (os.cpu_count() or 1) + 1
        jobs.reading = Turns(jobs.readers)
        jobs.waiting = threading.Semaphore(jobs.readers)
        DBOS.listen_queues([])  # `_watching` does, and can be woken
        DBOS.launch()
        try:
            with _watching(dbos, jobs) if extract else nullcontext():
                worker = Worker(jobs, seat)
                _take_up(worker, dead)
                with _minding_seats(settings.data, seat, jobs) if serving else nullcontext():
                    yield worker
        finally:
            jobs.leaving = True  # batches stay for whoever comes next
            jobs.runner.close(seconds=SHUTDOWN_SECONDS if serving else 0)
            DBOS.destroy(workflow_completion_timeout_sec=SHUTDOWN_SECONDS if serving else 0)
            jobs.stopping = True


@contextmanager
def _watching(dbos: DBOS, jobs: Jobs) -> Iterator[None]:
    """Take documents from the queue, in DBOS's own loop: its usual thread only ever looks at intervals."""
    queue = DBOS.register_queue(
        EXTRACT,
        worker_concurrency=jobs.readers * WAITING_FOR_EACH,
        polling_interval_sec=POLL_SECONDS,
        on_conflict="always_update",
    )
    jobs.bell = bell = Bell()
    thread = threading.Thread(target=queue_worker_thread, args=(bell, dbos, queue), daemon=True)
    thread.start()
    bell.ring()  # for what is there already
    try:
        yield
    finally:
        bell.set()
        thread.join()


def _take_up(worker: Worker, dead: list[seats.Seat]) -> None:
    """Have the work of dead processes done, and answers begun whose start or whose workflow was lost."""
    ctx = worker.jobs.ctx
    if dead:
        # The open core has no public call for this; a test pins it.
        DBOS._recover_pending_workflows([seat.name for seat in dead])  # noqa: SLF001
    worker.jobs.runner.take_up([seat.name for seat in dead])
    for seat in dead:
        seat.handle.close()
    ctx.blobs.sweep()
    sweep_indexes(ctx)
    if not worker.jobs.serving:
        return
    with ctx.db.write() as tx:
        plans.forget_expired(tx, ctx.now() - KEEP_PLANS)
    forget_images(ctx)
    _mind_batches(worker.jobs)


def _mind_batches(jobs: Jobs) -> None:
    """Take up the batches that nobody minds: a command began them, or their workflow was lost."""
    with jobs.ctx.db.read() as tx:
        unfinished = batches.unfinished(tx)
    for batch_id in unfinished:
        _start_batch(jobs, batch_id)


def _start_batch(jobs: Jobs, batch_id: str) -> None:
    """Begin to mind a batch, unless a workflow does that is under way here or in another living process.

    Each running of it has an id with its number, so that of two that begin at once only one does.
    """
    runs = DBOS.list_workflows(workflow_id_prefix=f"{batch_id}-", load_input=False, load_output=False)
    if not any(one.status in _UNDER_WAY for one in runs):
        with SetWorkflowID(f"{batch_id}-{len(runs) + 1}"):
            DBOS.start_workflow(jobs.batch, batch_id)


@cache
def _jobs() -> Jobs:
    return Jobs()


def _config(db: Database, seat: str, *, listen_seconds: float) -> DBOSConfig:
    return {
        "name": APPLICATION,
        "system_database_url": db.url,
        "system_database_engine": make_engine(db.url, for_jobs=True),
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": VERSION,
        "executor_id": seat,
        "log_level": "ERROR",
        "use_listen_notify": False,
        "notification_listener_polling_interval_sec": listen_seconds,
    }


@contextmanager
def _minding_seats(data: Path, mine: str, jobs: Jobs) -> Iterator[None]:
    """Take up, now and then, what processes leave behind that end or die while this one serves."""
    over = threading.Event()

    def mind() -> None:
        while not over.wait(SEATS_SECONDS):
            with ExitStack() as held:
                free = seats.held_free(data, held, but=mine)
                if free:
                    # As in `_take_up`; while the seats are held here, nobody else sits down on them.
                    DBOS._recover_pending_workflows(free)  # noqa: SLF001
                    with suppress(StoreUnavailable):
                        jobs.runner.take_up(free)
            with suppress(StoreUnavailable):
                _mind_batches(jobs)

    thread = threading.Thread(target=mind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
