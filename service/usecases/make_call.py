"""Make one paid call: committed as sent before it is sent, never sent twice."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

from service.domain.answers import CANCELLED, AnswerStatus, Call, CallState
from service.domain.citations import find_claims
from service.domain.questions import Question
from service.errors import Conflict, Invalid, ProviderError, StoreUnavailable, UnabridgedError
from service.provider import ChatRequest, OnWire, Reply
from service.store import answers
from service.store.session import Transaction
from service.usecases.pack_prompt import pack_prompt
from service.usecases.running import DEARER, IN_DOUBT, INTERRUPTED, Cancelled, Prepared, Run, Stopped
from service.usecases.settle_call import (
    ceiling_has_risen,
    close_failed,
    doubt,
    settle,
    settle_cancelled,
    settled,
)

SHORT_CHARS = 4_000
"""Of a text that is looked through for quotes here and now: it takes less than to have a thread do it."""

STORE_SECONDS = 2.0
"""Between two attempts to record a call's end while the store is out of reach."""

T = TypeVar("T")

log = logging.getLogger(__name__)


async def make_call(run: Run, part: int, *, findings: Sequence[str], aloud: bool) -> Call:
    """Make one paid call, or take what an earlier running already has of it."""
    call, request = await _prepared(run, part, findings)
    if _was_stopped(call):
        raise Cancelled  # a running before this one was stopped here, or its batch was
    if call.state is CallState.DONE:
        if aloud and len(call.text) > len(run.shown):
            run.say(call.text[len(run.shown) :])
        return call
    if call.state is CallState.FAILED and call.error is not None:
        raise Stopped(AnswerStatus.FAILED, call.error)
    if call.state is CallState.SENT:
        await asyncio.to_thread(doubt, run, call, "The service stopped while the reply was coming.")
    if call.state is not CallState.READY:
        raise Stopped(AnswerStatus.IN_DOUBT, call.error or IN_DOUBT)
    if request is None:
        raise Stopped(AnswerStatus.FAILED, INTERRUPTED)
    return await _send(run, call, request, aloud=aloud)


async def _prepared(run: Run, part: int, findings: Sequence[str]) -> Prepared:
    if run.prepared is not None:
        prepared, run.prepared = run.prepared, None
        return prepared.result()
    gone = threading.Event()
    try:
        return await asyncio.to_thread(_begun, run, part, findings, gone)
    except asyncio.CancelledError:
        gone.set()
        raise


def prepare_alone(run: Run, gone: threading.Event) -> Future[Prepared]:
    """Have the call of an answer that has one alone taken before it is made, with whatever comes of that."""
    return _kept(lambda: _begun(run, 0, (), gone))


def take_alone(tx: Transaction, run: Run, call: Call) -> tuple[Future[Prepared], Call]:
    """Make that call ready to be sent within the transaction that is going to record it.

    Returns:
        What came of it, and the call as it is to be recorded: as sent, or as it was where it can't be sent.
    """
    packed: Future[Prepared] = Future()
    try:
        ready, request = _ready(run, call, (), threading.Event(), tx=tx)
    except StoreUnavailable:
        raise
    except (UnabridgedError, Cancelled, Stopped) as error:  # raised where the call is made
        packed.set_exception(error)
        return packed, call
    packed.set_result((ready, request))
    return packed, replace(ready, state=CallState.SENT, attempts=ready.attempts + 1)


def _kept(prepare: Callable[[], Prepared]) -> Future[Prepared]:
    """Keep what is prepared or raised for whoever makes the call."""
    kept: Future[Prepared] = Future()
    try:
        kept.set_result(prepare())
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - it is raised where the call is made
        kept.set_exception(error)
    return kept


def _begun(run: Run, part: int, findings: Sequence[str], gone: threading.Event) -> Prepared:
    """Return the call as it is kept; where it is to be sent now, it is taken for that, with what to send.

    Args:
        run: whose call it is.
        part: which one.
        findings: as for its prompt.
        gone: set where nobody is there any more who would send it.

    Raises:
        Cancelled: the user asked to stop.
        Stopped: another process took it, or it may cost more now than is held for it.
    """
    call, request = _ready(run, _stored_call(run, part), findings, gone)
    if request is None or call.sent_at is None:
        return call, None
    with run.ctx.db.write() as tx:
        if not answers.take_for_sending(tx, call.id, call.sent_at):
            raise Stopped(AnswerStatus.IN_DOUBT, IN_DOUBT)
    return call, request


def _ready(
    run: Run, call: Call, findings: Sequence[str], gone: threading.Event, *, tx: Transaction | None = None
) -> Prepared:
    """Return the call as it is; where it is to be sent now, with that moment and what to send.

    Raises:
        Cancelled: the user asked to stop.
        Stopped: it may cost more now than is held for it.
    """
    if call.state is not CallState.READY or not run.may_send:
        return call, None
    request = pack_prompt(run, run.planned[call.part], findings, tx=tx)
    if run.channel.cancelled.is_set() or gone.is_set():
        raise Cancelled
    call = replace(call, sent_at=run.ctx.now())
    if ceiling_has_risen(run, call):
        raise Stopped(AnswerStatus.FAILED, DEARER)
    return call, request


def _was_stopped(call: Call) -> bool:
    if call.state is CallState.FAILED:
        return call.error is not None and call.error.code == CANCELLED
    return call.state is CallState.DONE and call.finish_reason == CANCELLED


async def _send(run: Run, call: Call, request: ChatRequest, *, aloud: bool) -> Call:
    texts: list[str] = []
    on_wire = OnWire(waits=partial(run.tell_waiting, call.part))

    def hear(text: str) -> None:
        texts.append(text)
        if aloud:
            run.say(text)

    try:
        reply = await _until_cancelled(run, request, on_wire, hear)
    except Cancelled:
        stopped = replace(call, text="".join(texts))
        await recorded(settle_cancelled, run, stopped, request if on_wire.now else None)
        raise
    except (ProviderError, Invalid) as error:
        failed = replace(call, text="".join(texts))
        raise await recorded(close_failed, run, failed, error) from error
    if reply is None:
        raise Conflict("The provider's stream ended without a reply.")
    if aloud and _says_nothing_to_check(reply, run.question):
        run.unsettled = lambda ended: settled(ended, call, request, reply).keep
        return replace(call, text=reply.text, finish_reason=reply.finish_reason, refusal=reply.refusal)
    return await recorded(settle, run, call, request, reply)


def _says_nothing_to_check(reply: Reply, question: Question) -> bool:
    """Whether the answer ends here: what its call cost is then recorded with that, in one transaction."""
    if (question.response_format or {}).get("type", "text") != "text":
        return False
    return len(reply.text) <= SHORT_CHARS and not (question.citations and find_claims(reply.text))


async def recorded(record: Callable[..., T], run: Run, *what: object) -> T:
    """Record a call's end, however long the store is out of reach: it is all there is of what was paid."""
    is_told = False
    while True:
        try:
            return await run.ctx.writes.do(run.ctx.db, partial(record, run, *what))
        except StoreUnavailable as error:
            if not is_told:
                log.warning(
                    "a reply of %s is here, and is saved once the store can be: %s", run.answer.id, error
                )
            is_told = True
            await asyncio.sleep(STORE_SECONDS)


async def _until_cancelled(
    run: Run, request: ChatRequest, on_wire: OnWire, hear: Callable[[str], None]
) -> Reply | None:
    """Have the provider answer, and return its reply; what it says on the way is heard as it comes.

    The provider's generator lives in one task of its own, so that a stop can interrupt it wherever it waits.

    Raises:
        Cancelled: the user asked to stop.
    """

    async def listen() -> Reply | None:
        reply: Reply | None = None
        async for event in run.ctx.provider.complete(request, on_wire):
            if isinstance(event, Reply):
                reply = event
            else:
                hear(event.text)
        return reply

    listening = asyncio.create_task(listen())
    watching = asyncio.create_task(run.channel.cancelled.wait())
    try:
        await asyncio.wait({listening, watching}, return_when=asyncio.FIRST_COMPLETED)
        if run.channel.cancelled.is_set():
            listening.cancel()
            if (await _settled(listening)).cancelled():
                raise Cancelled
        return await listening
    finally:
        watching.cancel()
        listening.cancel()
        await asyncio.gather(watching, listening, return_exceptions=True)


async def _settled(task: asyncio.Task[T]) -> asyncio.Task[T]:
    await asyncio.wait({task})
    return task


def _stored_call(run: Run, part: int) -> Call:
    with run.ctx.db.read() as tx:
        call = answers.call_of(tx, run.answer.id, part)
    if call is None:
        raise Conflict(f"Call {part} of answer {run.answer.id} was never reserved.")
    return call
