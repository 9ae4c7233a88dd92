"""Send what is due of a batch: packed into files, uploaded, and made a batch of the provider's over each.

The upload costs nothing and may be repeated. Making the batch is the paid act: that a file and all its calls
are sent is committed before, and what was sent is never sent again unless it surely was not taken.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from service.domain.answers import CANCELLED, Answer, AnswerStatus, Call, CallState
from service.domain.batches import Batch, BatchFile, FileState, due
from service.domain.documents import Failure
from service.domain.questions import Question
from service.errors import (
    ProviderError,
    ProviderInDoubt,
    ProviderRefused,
    ProviderUnsent,
    RateLimited,
    StoreUnavailable,
    UnabridgedError,
)
from service.provider import Batches, ProviderBatch
from service.store import answers, batches, ledger
from service.store.blobs import Incoming
from service.store.session import Transaction
from service.usecases.context import Context, new_id
from service.usecases.describe_plan import calls_of
from service.usecases.feed import Channel
from service.usecases.pack_prompt import pack_prompt
from service.usecases.recall_conversation import history_for
from service.usecases.running import DEARER, Run, Stopped, failure_of
from service.usecases.settle_call import ceiling_has_risen

STOPPED = Failure(CANCELLED, "The batch was cancelled before this question was answered. It was not billed.")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Writing:
    """A file of lines in the making."""

    id: str
    file: Incoming
    calls: list[Call] = field(default_factory=list)
    size: int = 0

    def is_full(self, line: bytes, *, lines: int, size: int) -> bool:
        """Whether a further line would pass what a file holds."""
        return len(self.calls) >= lines or self.size + len(line) > size

    def add(self, call: Call, line: bytes) -> None:
        """Write the next line."""
        self.file.write(line)
        self.calls.append(call)
        self.size += len(line)


async def send(ctx: Context, batch: Batch, offered: Batches) -> None:
    """Send every call that is due.

    Raises:
        ProviderError: the rest is for another time; nothing of it was billed.
        StoreUnavailable: the same.
    """
    writing: _Writing | None = None
    most_lines = min(batch.most_lines or offered.file_lines, offered.file_lines)
    for answer_id, part in await asyncio.to_thread(_due, ctx, batch):
        packed = await asyncio.to_thread(_packed, ctx, offered, answer_id, part)
        if packed is None:
            continue
        call, line = packed
        if writing is not None and writing.is_full(line, lines=most_lines, size=offered.file_bytes):
            await _send_file(ctx, batch, offered, writing)
            writing = None
        if writing is None:
            writing = await asyncio.to_thread(_begin, ctx)
        await asyncio.to_thread(writing.add, call, line)
    if writing is not None:
        await _send_file(ctx, batch, offered, writing)


def take_back(ctx: Context, file: BatchFile) -> None:
    """Make the calls of a file ready again that surely is not and will not be processed."""
    with ctx.db.write() as tx:
        batches.take_back(tx, file.id)


def let_go(tx: Transaction, ctx: Context, call: Call, failure: Failure) -> None:
    """End a call that surely was not billed, within the caller's transaction."""
    if ledger.release(tx, call.id, at=ctx.now()):
        failed = replace(call, state=CallState.FAILED, error=failure)
        answers.close_call(tx, failed, reply=None, at=ctx.now())


def let_go_of_ready(ctx: Context, batch: Batch, failure: Failure) -> None:
    """End every call that was not sent."""
    with ctx.db.read() as tx:
        waiting = batches.with_ready_calls(tx, batch.id)
    for answer_id in waiting:
        with ctx.db.write() as tx:
            for call in answers.calls_of(tx, answer_id):
                if call.state is CallState.READY:
                    let_go(tx, ctx, call, failure)


def calls_in(tx: Transaction, file: BatchFile) -> list[Call]:
    """Return the calls of a file that have not ended, in the order of its lines."""
    found = [call_named(tx, call_id) for call_id in batches.lines_of(tx, file.id)]
    return [call for call in found if call is not None and call.state is CallState.SENT]


def call_named(tx: Transaction, call_id: str) -> Call | None:
    """Return a call by its id."""
    answer_id, _, part = call_id.rpartition(".")
    return answers.call_of(tx, answer_id, int(part)) if part.isdecimal() else None


def run_of(ctx: Context, answer: Answer) -> Run:
    """Return what packs and settles an answer's calls; nobody follows it."""
    with ctx.db.read() as tx:
        history = history_for(tx, answer)
    return Run(
        ctx=ctx,
        answer=answer,
        channel=Channel(),
        planned=calls_of(answer.plan),
        question=Question.from_dict(answer.request),
        history=history,
    )


def findings_of(calls: Sequence[Call], run: Run, part: int) -> list[str]:
    """Return what a merge reads: the texts of the parts, in order."""
    if run.planned[part].kind != "merge":
        return []
    return [call.text for call in calls if run.planned[call.part].kind == "part"]


def opened(file: BatchFile, seen: ProviderBatch) -> BatchFile:
    """Return a file as the provider tells of its batch."""
    return replace(
        file,
        state=FileState.OPEN,
        provider_id=seen.id,
        provider_status=seen.status,
        done=seen.done,
        failed=seen.failed,
        expires_at=seen.expires_at or file.expires_at,
    )


def open_file(ctx: Context, file: BatchFile, seen: ProviderBatch) -> None:
    """Record a batch that the provider has made."""
    with ctx.db.write() as tx:
        batches.opened(tx, opened(file, seen))
        if seen.expires_at is not None:
            batches.expire_at(tx, file.batch_id, seen.expires_at)


def _due(ctx: Context, batch: Batch) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    with ctx.db.read() as tx:
        for answer_id in batches.with_ready_calls(tx, batch.id):
            answer = answers.get_any(tx, answer_id)
            if answer is None:
                continue
            calls = answers.calls_of(tx, answer_id)
            found += [(answer_id, call.part) for call in due(calls, calls_of(answer.plan))]
    return found


def _packed(ctx: Context, offered: Batches, answer_id: str, part: int) -> tuple[Call, bytes] | None:
    """Return a call's line; None where it can't be sent any more, and was let go."""
    with ctx.db.read() as tx:
        answer = answers.get_any(tx, answer_id)
        calls = answers.calls_of(tx, answer_id)
    call = next(call for call in calls if call.part == part)
    if answer is None:
        return None
    try:
        return call, _line(ctx, offered, run_of(ctx, answer), calls, call)
    except StoreUnavailable:
        raise
    except (Stopped, UnabridgedError) as error:
        because = error.failure if isinstance(error, Stopped) else failure_of(error)
        with ctx.db.write() as tx:
            let_go(tx, ctx, call, because)
        return None


def _line(ctx: Context, offered: Batches, run: Run, calls: Sequence[Call], call: Call) -> bytes:
    """Return a call's line.

    Raises:
        Stopped, UnabridgedError: it can't be sent.
    """
    if ceiling_has_risen(run, replace(call, sent_at=ctx.now())):
        raise Stopped(AnswerStatus.FAILED, DEARER)
    line = offered.line(call.id, pack_prompt(run, run.planned[call.part], findings_of(calls, run, call.part)))
    if len(line) > offered.file_bytes:
        raise Stopped(AnswerStatus.FAILED, _too_large(len(line), offered))
    return line


def _too_large(size: int, offered: Batches) -> Failure:
    return Failure(
        "too_large",
        f"The prompt is {size:,} bytes as a line, more than the {offered.file_bytes:,} that a batch's file "
        "holds. Ask at another tier, or without pictures.",
    )


def _begin(ctx: Context) -> _Writing:
    name = new_id("bfl")
    return _Writing(name, ctx.blobs.incoming(name))


async def _send_file(ctx: Context, batch: Batch, offered: Batches, writing: _Writing) -> None:
    """Send one file; calls that are surely not taken are let go, or stay ready for another time.

    Raises:
        ProviderError: it is for another time.
    """
    received = await asyncio.to_thread(writing.file.finish)
    file = BatchFile(writing.id, batch.id, FileState.READY, lines=len(writing.calls), bytes=received.bytes)
    try:
        await asyncio.to_thread(_record, ctx, file, [call.id for call in writing.calls])
        content = ctx.blobs.read_received(received)
        input_id = await offered.upload(f"{file.id}.jsonl", content, received.bytes)
        file = replace(file, input_id=input_id)
        if not await asyncio.to_thread(_take, ctx, file):
            return
        await asyncio.to_thread(open_file, ctx, file, await offered.create(input_id, file.id))
    except ProviderInDoubt as error:
        log.warning("whether %s was made a batch is looked for: %s", file.id, error.detail)
    except ProviderError as error:
        await asyncio.to_thread(_not_taken, ctx, file, error)
        await tidy(offered, file)
        if _passes(error):
            raise
    finally:
        await asyncio.to_thread(ctx.blobs.discard, received)


def _passes(error: ProviderError) -> bool:
    """Whether another time may go better."""
    definite = isinstance(error, ProviderRefused) and not isinstance(error, RateLimited)
    return not definite or isinstance(error, ProviderUnsent)


def _record(ctx: Context, file: BatchFile, call_ids: Sequence[str]) -> None:
    with ctx.db.write() as tx:
        batches.add_file(tx, file, call_ids)


def _take(ctx: Context, file: BatchFile) -> bool:
    """Commit that the file is sent, before it is; False where somebody asked to stop."""
    with ctx.db.write() as tx:
        batches.uploaded(tx, file.id, file.input_id or "")
        if batches.cancel_requested(tx, file.batch_id):
            return False
        return batches.take_for_sending(tx, file.id, ctx.now())


def _not_taken(ctx: Context, file: BatchFile, error: ProviderError) -> None:
    """Make the calls of a file ready again; where no other time can go better, let them go."""
    with ctx.db.write() as tx:
        call_ids = batches.lines_of(tx, file.id)
        batches.take_back(tx, file.id)
        if _passes(error):
            return
        for call in (call_named(tx, call_id) for call_id in call_ids):
            if call is not None and call.state is CallState.READY:
                let_go(tx, ctx, call, failure_of(error))


async def tidy(offered: Batches, file: BatchFile) -> None:
    """Delete the uploaded file, which holds the documents; where that fails it goes in a month by itself."""
    if file.input_id is not None:
        with suppress(ProviderError):
            await offered.delete(file.input_id)
