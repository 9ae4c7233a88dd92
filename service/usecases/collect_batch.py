"""Collect what came of a batch: seen, stored whole, and only then settled line by line.

Every step may be done again after a crash: a line's money ends once, and what is stored is read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from service.domain.answers import Call, CallState
from service.domain.batches import (
    GIVEN_UP,
    LOST_PAUSES,
    TOO_MUCH_WAITING,
    WINDOW,
    Batch,
    BatchFile,
    FileState,
)
from service.domain.documents import Failure
from service.domain.usage import Usage
from service.errors import ProviderError, RateLimited, UnabridgedError
from service.provider import Batches, BatchLine, ChatRequest, ProviderBatch, Reply
from service.store import answers, batches
from service.store.blobs import ReceivedBlob
from service.usecases.context import Context
from service.usecases.pack_prompt import pack_prompt
from service.usecases.running import Run
from service.usecases.send_batch import (
    STOPPED,
    call_named,
    calls_in,
    findings_of,
    let_go,
    open_file,
    opened,
    run_of,
    take_back,
    tidy,
)
from service.usecases.settle_call import doubt, settle

MOST_BYTES = 64 << 30
CLOCKS = timedelta(hours=1)
"""How far the provider's clock may be off when its list is looked through."""

EXPIRED = Failure(
    "batch_expired", "The batch ended before this question was answered. It was not billed: ask again."
)
NO_LINE = "The batch is completed, and its results hold no line of this question: it may have been billed."
NEVER_ENDED = "Nobody knows what became of the batch: it may have been billed."

log = logging.getLogger(__name__)


async def look_for(ctx: Context, batch: Batch, file: BatchFile, offered: Batches) -> None:
    """Find out whether a batch was made whose creation was never confirmed.

    It is in the provider's list with our own mark. Where it is not, the uploaded file is deleted first, so
    that a request which is still on its way makes none any more; where it is not there even then, it surely
    never will be, and its calls are ready again.

    Raises:
        ProviderError: it can't be told just now.
    """
    if file.sent_at is None or ctx.now() - file.sent_at < _lost_after(ctx.terms.batch_poll_seconds):
        return
    since = file.sent_at - CLOCKS
    found = await offered.find(file.id, since=since)
    if found is None:
        await offered.delete(file.input_id or "")
        found = await offered.find(file.id, since=since)
    if found is not None:
        await asyncio.to_thread(open_file, ctx, file, found)
        return
    log.warning("%s of %s was never made a batch: it is sent again", file.id, batch.id)
    await asyncio.to_thread(take_back, ctx, file)


async def look_at(ctx: Context, batch: Batch, file: BatchFile, offered: Batches) -> None:
    """See how far a batch is; where it has ended, store what came of it.

    Raises:
        ProviderError: it can't be told just now.
    """
    seen = await offered.get(file.provider_id or "")
    if seen.status == "failed":
        again = await asyncio.to_thread(_failed, ctx, batch, file, seen)
        await tidy(offered, file)
        if again:
            raise RateLimited("Too much waits in this account's batches: the rest is sent again later.")
    elif seen.ended:
        await _store(ctx, file, seen, offered)
    else:
        await asyncio.to_thread(open_file, ctx, file, seen)
        if batch.cancel_requested and seen.status != "cancelling":
            with suppress(ProviderError):  # it ended just now, or is asked again at the next look
                await offered.cancel(seen.id)


def give_up(ctx: Context, file: BatchFile) -> bool:
    """Put a file's calls in doubt whose end is not known long after it must have come; say whether so."""
    if file.sent_at is None or ctx.now() - file.sent_at < GIVEN_UP:
        return False
    with ctx.db.read() as tx:
        calls = calls_in(tx, file)
    for call in calls:
        doubt(_run(ctx, call), call, NEVER_ENDED)
    with ctx.db.write() as tx:
        batches.close_file(tx, file.id, FileState.IN_DOUBT)
    return True


async def settle_file(ctx: Context, file: BatchFile, offered: Batches) -> None:
    """Settle every line of what is stored, in whatever order they came, and end what has none."""
    wanted = await asyncio.to_thread(_wanted, ctx, file)
    unknown = 0
    for sha256 in (file.output_sha256, file.errors_sha256):
        if sha256 is None:
            continue
        async for text in _lines(ctx.blobs.stream(sha256)):
            line = offered.read(text)
            if line is None or line.custom_id not in wanted:
                unknown += 1
            else:
                await asyncio.to_thread(_settle_line, ctx, line)
    if unknown:
        log.warning("%s brought %d lines that belong to no question", file.id, unknown)
    await asyncio.to_thread(_end_the_rest, ctx, file, unknown)
    await tidy(offered, file)


def _wanted(ctx: Context, file: BatchFile) -> set[str]:
    with ctx.db.read() as tx:
        return set(batches.lines_of(tx, file.id))


def _lost_after(poll_seconds: float) -> timedelta:
    return timedelta(seconds=LOST_PAUSES * poll_seconds)


async def _store(ctx: Context, file: BatchFile, seen: ProviderBatch, offered: Batches) -> None:
    output = await _received(ctx, offered, seen.output_id)
    refused = await _received(ctx, offered, seen.errors_id)
    stored = replace(
        opened(file, seen),
        state=FileState.STORED,
        output_sha256=output.sha256 if output else None,
        errors_sha256=refused.sha256 if refused else None,
    )
    await asyncio.to_thread(_keep, ctx, stored, [one for one in (output, refused) if one])


async def _received(ctx: Context, offered: Batches, file_id: str | None) -> ReceivedBlob | None:
    if file_id is None:
        return None
    return await ctx.blobs.receive(offered.download(file_id), max_bytes=MOST_BYTES)


def _keep(ctx: Context, stored: BatchFile, received: list[ReceivedBlob]) -> None:
    with ctx.db.write() as tx:
        ctx.blobs.keep(*received)
        batches.opened(tx, stored)


def _failed(ctx: Context, batch: Batch, file: BatchFile, seen: ProviderBatch) -> bool:
    """End a batch of which nothing was processed: lines that were named for it, or else all of them.

    Where too much waits in the account's batches, they are to be sent again later, fewer at once: True.
    """
    early = not batch.cancel_requested and ctx.now() - batch.created_at < WINDOW

    failure = Failure(seen.code or "provider_error", seen.detail or "The provider refused the batch.")
    with ctx.db.write() as tx:
        calls = dict(enumerate(batches.lines_of(tx, file.id), 1))
        again = seen.code == TOO_MUCH_WAITING and early
        bad = {} if again else {n: one for n, one in calls.items() if n in seen.bad_lines} or calls
        for call in (call_named(tx, call_id) for call_id in bad.values()):
            if call is not None and call.state is CallState.SENT:
                let_go(tx, ctx, call, failure)
        batches.take_back(tx, file.id)
        if again and len(calls) > 1:
            batches.fewer_lines(tx, batch.id, len(calls) // 2)
    return again


def _settle_line(ctx: Context, line: BatchLine) -> None:
    with ctx.db.read() as tx:
        call = call_named(tx, line.custom_id)
    if call is None or call.state is not CallState.SENT:
        return  # an earlier running settled it
    if line.reply is not None:
        _settle(ctx, call, line.reply)
    elif line.code is None:
        doubt(_run(ctx, call), call, "The reply of this line can't be read: it may have been billed.")
    else:
        with ctx.db.write() as tx:
            let_go(tx, ctx, call, _failure(line))


def _settle(ctx: Context, call: Call, reply: Reply) -> None:
    run = _run(ctx, call)
    request = ChatRequest(model=run.answer.model, messages=(), max_completion_tokens=1)
    if reply.usage is None:
        try:
            request = _repacked(ctx, run, call)
        except UnabridgedError:  # a document is gone: nobody can count it any more, so it is its ceiling
            planned = run.planned[call.part]
            most = Usage(planned.ceiling_input_tokens, planned.reserved_output_tokens, estimated=True)
            reply = replace(reply, usage=most)
    settle(run, call, request, reply)


def _repacked(ctx: Context, run: Run, call: Call) -> ChatRequest:
    with ctx.db.read() as tx:
        calls = answers.calls_of(tx, call.answer_id)
    return pack_prompt(run, run.planned[call.part], findings_of(calls, run, call.part))


def _failure(line: BatchLine) -> Failure:
    if line.code == "batch_expired":
        return EXPIRED
    if line.code == "batch_cancelled":
        return STOPPED
    return Failure("provider_error", f"The provider refused the question: {line.detail}")


def _end_the_rest(ctx: Context, file: BatchFile, unknown: int) -> None:
    """End the calls that no line came of: of a completed batch nobody knows, of others none was billed."""
    with ctx.db.read() as tx:
        rest = calls_in(tx, file)
    for call in rest:
        if file.provider_status == "completed":
            doubt(_run(ctx, call), call, NO_LINE)
            continue
        with ctx.db.write() as tx:
            let_go(tx, ctx, call, STOPPED if file.provider_status == "cancelled" else EXPIRED)
    with ctx.db.write() as tx:
        batches.close_file(tx, file.id, FileState.SETTLED, unknown=unknown)


def _run(ctx: Context, call: Call) -> Run:
    with ctx.db.read() as tx:
        answer = answers.get_any(tx, call.answer_id)
    if answer is None:
        raise LookupError(f"call {call.id} has no answer")
    return run_of(ctx, answer)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines that are not empty; of bytes that come in pieces."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest
