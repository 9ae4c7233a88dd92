"""Mind a batch from its acceptance to its end: send what is due, look, collect, conclude its answers.

Safe to begin again after any crash: whatever happened is in the store, step by step, and what nobody can know
is asked of the provider. One process at a time minds a batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from service.domain.answers import AnswerStatus
from service.domain.batches import (
    GIVEN_UP,
    Batch,
    BatchFile,
    FileState,
    ended_as,
    over,
    pause,
    status_under_way,
)
from service.domain.documents import Failure
from service.errors import Conflict, NotFound, ProviderError
from service.provider import Batches
from service.store import answers, batches
from service.store.session import Transaction
from service.usecases.collect_batch import EXPIRED, give_up, look_at, look_for, settle_file
from service.usecases.context import Context
from service.usecases.describe_plan import calls_of
from service.usecases.run_answer import run_answer
from service.usecases.send_batch import STOPPED, let_go_of_ready, send, take_back, tidy

LISTEN_SECONDS = 0.5
"""How soon a request to stop is seen between two looks."""

log = logging.getLogger(__name__)


async def mind_batch(ctx: Context, batch_id: str, *, leaving: Callable[[], bool]) -> None:
    """Carry a batch to its end, with pauses that grow with its age; or leave it between two looks.

    Raises:
        StoreUnavailable: it has not ended; begin again.
    """
    while not leaving() and (seconds := await advance(ctx, batch_id)) is not None:
        await _rest(ctx, batch_id, seconds, leaving)


def cancel_batch(ctx: Context, tenant: str, batch_id: str) -> Batch:
    """Ask for a batch to be stopped: what is answered by then is kept and paid, the rest is not.

    Raises:
        NotFound: there is no such batch.
        Conflict: it has ended already.
    """
    with ctx.db.write() as tx:
        batch = batches.get(tx, tenant, batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}.")
        if batch.status.final:
            raise Conflict(f"The batch has ended already: {batch.status.value}.")
        batches.request_cancel(tx, batch_id)
    return batch


async def advance(ctx: Context, batch_id: str) -> float | None:
    """Do what can be done for a batch now; return in how many seconds to look again, None at its end."""
    batch = await asyncio.to_thread(_stored, ctx, batch_id)
    if batch is None or batch.status.final:
        return None
    trouble: Failure | None = None
    try:
        await _work(ctx, batch)
    except ProviderError as error:
        log.warning("%s waits for the provider: %s", batch_id, error.detail)
        trouble = Failure(error.code, error.detail)
    await _conclude_answers(ctx, batch)
    return await asyncio.to_thread(_moved, ctx, batch, trouble)


def _stored(ctx: Context, batch_id: str) -> Batch | None:
    with ctx.db.read() as tx:
        return batches.get_any(tx, batch_id)


def _files(ctx: Context, batch: Batch) -> list[BatchFile]:
    with ctx.db.read() as tx:
        return batches.files_of(tx, batch.id)


async def _work(ctx: Context, batch: Batch) -> None:
    """Take every file as far as it goes, then send what is due.

    Raises:
        ProviderError: something has to wait.
    """
    offered = ctx.provider.batches
    if offered is None or batch.engine != ctx.provider.name:
        await asyncio.to_thread(_wait_for_engine, ctx, batch)
        return
    files = await asyncio.to_thread(_files, ctx, batch)
    trouble: ProviderError | None = None
    for file in files:
        try:
            await _carry_on(ctx, batch, file, offered)
        except ProviderError as error:  # the others may go on
            await asyncio.to_thread(give_up, ctx, file)
            trouble = error
    if batch.cancel_requested:
        await asyncio.to_thread(let_go_of_ready, ctx, batch, STOPPED)
    elif ctx.now() - batch.created_at > 2 * GIVEN_UP:
        await asyncio.to_thread(let_go_of_ready, ctx, batch, EXPIRED)
    elif trouble is None:
        await send(ctx, batch, offered)
    if trouble is not None:
        raise trouble


async def _carry_on(ctx: Context, batch: Batch, file: BatchFile, offered: Batches) -> None:
    """Take one file a step further; what is stored is settled at once."""
    if file.state is FileState.READY:  # made by a running that ended before it was sent
        await asyncio.to_thread(take_back, ctx, file)
        await tidy(offered, file)
    elif file.state is FileState.SENT:
        await look_for(ctx, batch, file, offered)
    elif file.state is FileState.OPEN:
        await look_at(ctx, batch, file, offered)
        files = await asyncio.to_thread(_files, ctx, batch)
        file = next((one for one in files if one.id == file.id), file)
    if file.state is FileState.STORED:
        await settle_file(ctx, file, offered)


def _wait_for_engine(ctx: Context, batch: Batch) -> None:
    """End what was not sent to the engine that the price was for; what was is collected once it is back."""
    because = (
        f"The questions were accepted for {batch.engine}, and the service runs with {ctx.provider.name} now: "
        "what was not sent yet is not sent. Ask again."
    )
    let_go_of_ready(ctx, batch, Failure("provider_changed", because))
    files = _files(ctx, batch)
    for file in files:
        if file.state in {FileState.SENT, FileState.OPEN}:
            give_up(ctx, file)
    if any(file.state in {FileState.SENT, FileState.OPEN, FileState.STORED} for file in files):
        raise ProviderError(f"What came of the batch is at {batch.engine}: run the service with it again.")


async def _conclude_answers(ctx: Context, batch: Batch) -> None:
    """End the answers whose calls have all ended, one after another; nothing is sent by that."""
    for answer_id in await asyncio.to_thread(_over, ctx, batch):
        await run_answer(ctx, answer_id, may_send=False)


def _over(ctx: Context, batch: Batch) -> list[str]:
    found: list[str] = []
    with ctx.db.read() as tx:
        for answer_id in batches.at_rest(tx, batch.id):
            answer = answers.get_any(tx, answer_id)
            if answer is not None and over(answers.calls_of(tx, answer_id), calls_of(answer.plan)):
                found.append(answer_id)
    return found


def _moved(ctx: Context, batch: Batch, trouble: Failure | None) -> float | None:
    """Record how far the batch is; return as `advance`."""
    now = ctx.now()
    with ctx.db.write() as tx:
        files = batches.files_of(tx, batch.id)
        if not batches.waiting(tx, batch.id):
            _end(tx, ctx, batch, files)
            return None
        batches.move(tx, batch.id, status_under_way(files), error=trouble)
    if batch.cancel_requested:
        return ctx.terms.batch_poll_seconds
    last = max((one.sent_at for one in files if one.sent_at), default=batch.created_at)
    return pause((now - last).total_seconds(), ctx.terms.batch_poll_seconds)


def _end(tx: Transaction, ctx: Context, batch: Batch, files: list[BatchFile]) -> None:
    stopped = batches.cancel_requested(tx, batch.id) or any(
        one.provider_status == "cancelled" for one in files
    )
    ends = {AnswerStatus(one) for one in batches.answered(tx, batch.id)}
    status = ended_as(ends, files, cancelled=stopped)
    batches.move(tx, batch.id, status, error=None)
    batches.conclude(tx, batch.id, ctx.now())


async def _rest(ctx: Context, batch_id: str, seconds: float, leaving: Callable[[], bool]) -> None:
    """Wait until the next look, or until somebody asks to stop, or this process does."""
    until = time.monotonic() + seconds
    stopped = await asyncio.to_thread(_to_stop, ctx, batch_id)
    while not leaving() and (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, LISTEN_SECONDS))
        if not stopped and await asyncio.to_thread(_to_stop, ctx, batch_id):
            return


def _to_stop(ctx: Context, batch_id: str) -> bool:
    with ctx.db.read() as tx:
        return batches.cancel_requested(tx, batch_id)
