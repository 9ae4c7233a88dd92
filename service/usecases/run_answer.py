"""Carry out an accepted question: every call sent once, every reply kept, every cent settled.

Safe to start again after any crash. A call that is `ready` is sent; one that is `done` is kept; one that was
`sent` by a process that died is in doubt: it may have been billed, so it is never sent again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from service.domain import progress
from service.domain.answers import Answer, AnswerStatus, Call, CallState, Ended, billed_tier, totalled
from service.domain.conversations import History
from service.domain.documents import Failure
from service.domain.parts import part_warnings
from service.domain.planner import PlannedCall
from service.domain.precision import precision
from service.domain.questions import Question
from service.errors import Fix, ProviderChanged, UnabridgedError
from service.store import answers
from service.store.answers import RESUMED, Event
from service.store.session import Transaction
from service.usecases.context import Context
from service.usecases.describe_answer import last_words
from service.usecases.describe_plan import calls_of
from service.usecases.explain_cache import explain_cache
from service.usecases.feed import Channel
from service.usecases.make_call import make_call, prepare_alone, recorded, take_alone
from service.usecases.make_parts import make_merge, make_parts
from service.usecases.name_models import model_warnings
from service.usecases.recall_conversation import history_for
from service.usecases.repair_citations import STRUCTURED, check_and_repair
from service.usecases.running import IN_DOUBT, Begun, Cancelled, Run, Stopped, failure_of, in_doubt_after
from service.usecases.settle_call import release

T = TypeVar("T")

log = logging.getLogger(__name__)

QUICK_TOKENS = 32_000
"""A prompt of so many is made in about a millisecond: while the transaction is open that accepts it."""

FIRST_NUMBERS = 1_000_000
"""Each running after the first numbers its events from the next multiple of this on: a running that was
killed may have shown more events than it saved, and a client that saw them resumes behind their numbers."""


async def run_answer(ctx: Context, answer_id: str, *, may_send: bool = True, seat: str | None = None) -> None:
    """Run an answer to its end: done, failed, cancelled or in doubt, with its money settled to match.

    Args:
        ctx: what it works in.
        answer_id: an accepted question.
        may_send: False concludes what another process left without sending what it had not sent.
        seat: this process's; an answer that runs on another is left alone.

    Raises:
        StoreUnavailable: it has not ended; run it again, and who follows it here misses nothing.
    """
    channel = ctx.feed.open(answer_id)
    if channel is None:
        return
    with ctx.feed.leaving(answer_id):
        gone = threading.Event()
        try:
            run = await asyncio.to_thread(_begun, ctx, answer_id, channel, seat, may_send=may_send, gone=gone)
        except asyncio.CancelledError:
            gone.set()
            raise
        if run is not None:
            await _run_to_the_end(run)


def begin_within(
    tx: Transaction, ctx: Context, answer: Answer, calls: Sequence[Call], *, seat: str
) -> tuple[Run, Begun] | None:
    """Take an answer up in the transaction that is going to record it; `finish_answer` has to follow.

    Its channel is open from then on, so that nobody else in this process takes it up as well.

    Returns:
        None where it has several calls, or its prompt is not made in a moment: then `begin_answer` has to.
    """
    run = _run(ctx, answer, Channel(), history_for(tx, answer), at=ctx.now())
    if not (calls and _is_alone(run) and _is_quick(run.planned[calls[0].part])):
        return None
    run.prepared, first = take_alone(tx, run, calls[0])
    opening = Event(1, "plan", answer.plan)
    run.channel.open(opening)
    run.channel.saved([opening])
    ctx.feed.open(answer.id, run.channel)
    return run, Begun(run.answer, (first, *calls[1:]), seat, opening)


def _is_quick(planned: PlannedCall) -> bool:
    shows_nothing = not planned.pictures.tokens_max
    return planned.kind == "answer" and planned.input_tokens <= QUICK_TOKENS and shows_nothing


def begin_answer(ctx: Context, answer: Answer, *, seat: str) -> Run | None:
    """Take an accepted answer up in the turn of the thread that accepted it; `finish_answer` has to follow.

    Returns:
        None where it runs already, here or elsewhere, or has ended.

    Raises:
        StoreUnavailable: it has not begun, or nobody knows: run it.
    """
    channel = ctx.feed.open(answer.id)
    if channel is None:
        return None
    with ctx.feed.leaving(answer.id) as leaving:
        run = _begun(ctx, answer.id, channel, seat)
        leaving.stays = run is not None
    return run


async def finish_answer(run: Run) -> None:
    """Bring an answer that was begun to its end.

    Raises:
        StoreUnavailable: as `run_answer`.
    """
    with run.ctx.feed.leaving(run.answer.id):
        await _run_to_the_end(run)


async def _run_to_the_end(run: Run) -> None:
    try:
        async with run.ctx.saver.keeping(run.ctx.db, run.answer.id, run.channel):
            outcome = await _outcome(run)
        ending = await _kept(run, _conclude, outcome)
    except asyncio.CancelledError:
        if run.unsettled is not None:
            await run.ctx.writes.do(run.ctx.db, partial(_settle, run))
        raise
    except Exception as error:
        if run.unsettled is None:
            raise
        log.exception("answer %s broke at its end", run.answer.id)
        ending = await _ended_all_the_same(run, _internal(error))
    run.channel.end(ending)


def _settle(run: Run) -> None:
    settle = run.settling()
    with run.ctx.db.write() as tx:
        settle(tx)


async def _kept(run: Run, record: Callable[..., T], *what: object) -> T:
    """Carry out what records; where a reply is here alone, however long the store is out of reach."""
    if run.unsettled is not None:
        return await recorded(record, run, *what)
    return await run.ctx.writes.do(run.ctx.db, partial(record, run, *what))


async def _ended_all_the_same(run: Run, failure: Failure) -> list[Event]:
    """End an answer that broke when its call had its reply: settled, or in doubt where that can't be done."""
    try:
        return await _kept(run, _conclude, await _broken(run, AnswerStatus.FAILED, failure))
    except Exception:
        log.exception("what answer %s cost could not be recorded", run.answer.id)
        run.unsettled = None
        return await _kept(run, _conclude, await _broken(run, AnswerStatus.FAILED, failure))


def _internal(error: Exception) -> Failure:
    return Failure("internal_error", f"The answer stopped on an internal error ({type(error).__name__}).")


def _begun(
    ctx: Context,
    answer_id: str,
    channel: Channel,
    seat: str | None,
    *,
    may_send: bool = True,
    gone: threading.Event | None = None,
) -> Run | None:
    """Take the answer up, and of one with a single call that call: in one turn, flushed once.

    Args:
        ctx: what it works in.
        answer_id: whose turn it is.
        channel: its channel.
        seat: this process's.
        may_send: whether anything may be.
        gone: set where nobody is there any more who would send it.
    """
    with ctx.db.flushed_once():
        run = _begin(ctx, answer_id, channel, seat)
        if run is not None:
            run.may_send = may_send
            if _is_alone(run):
                run.prepared = prepare_alone(run, gone or threading.Event())
    return run


def _begin(ctx: Context, answer_id: str, channel: Channel, seat: str | None) -> Run | None:
    """Take the answer up; None where it has ended or runs elsewhere."""
    with ctx.db.write() as tx:
        answer, now = answers.get_any(tx, answer_id), ctx.now()
        if answer is None or not answers.begin(tx, answer_id, now, seat=seat):
            return None
        is_new = answer.status is AnswerStatus.QUEUED
        saved = [] if is_new else answers.events_after(tx, answer_id, 0)
        opening = _opening(tx, answer, saved, channel)
        to_stop = answers.cancel_requested(tx, answer_id)
        history = history_for(tx, answer)
    channel.open(opening)
    channel.saved([*saved, opening])
    told = [*saved, *channel.unsaved()]
    if to_stop:
        channel.cancelled.set()
    run = _run(ctx, answer, channel, history, at=now)
    run.shown = "".join(event.data["text"] for event in told if event.name == "delta")
    run.citations_shown = sum(event.name == "citation" for event in told)
    run.repair_shown = any(event.name == "repair" for event in told)
    run.progress_shown = {progress.told(event.data) for event in told if event.name == "progress"}
    return run


def _run(ctx: Context, answer: Answer, channel: Channel, history: History, *, at: datetime) -> Run:
    return Run(
        ctx=ctx,
        answer=replace(answer, status=AnswerStatus.RUNNING, started_at=answer.started_at or at),
        channel=channel,
        planned=calls_of(answer.plan),
        question=Question.from_dict(answer.request),
        history=history,
    )


def _is_alone(run: Run) -> bool:
    """Whether the answer has one call alone, which may be sent from here."""
    alone = not any(planned.kind == "part" for planned in run.planned)
    return alone and run.may_send and run.answer.engine == run.ctx.provider.name


def _opening(tx: Transaction, answer: Answer, saved: Sequence[Event], channel: Channel) -> Event:
    """Save and return the event behind which this running's numbers begin: no two runnings share one."""
    if saved and channel.after(0):
        return saved[-1]  # the channel of an earlier running here, whose numbers go on
    opening = Event(1, "plan", answer.plan)
    if saved:
        opening = Event((saved[-1].number // FIRST_NUMBERS + 1) * FIRST_NUMBERS, RESUMED, {})
    answers.add_events(tx, answer.id, [opening])
    return opening


async def _outcome(run: Run) -> Answer:
    """Return the answer as it ended, whatever happened."""
    try:
        final = await _work(run)
        checked = await check_and_repair(run, final.text)
    except Cancelled:
        return await _broken(run, AnswerStatus.CANCELLED, None)
    except Stopped as stopped:
        return await _broken(run, stopped.status, stopped.failure)
    except UnabridgedError as error:
        return await _broken(run, AnswerStatus.FAILED, failure_of(error))
    except Exception as error:  # noqa: BLE001 - the stream boundary: whatever it was, the answer must end
        return await _broken(run, AnswerStatus.FAILED, _internal(error))
    return replace(
        run.answer,
        status=AnswerStatus.DONE,
        text=checked.text,
        citations=checked.citations,
        citation_precision=precision(checked.citations),
        repair=checked.repair,
        finish_reason=final.finish_reason,
        refusal=final.refusal,
        output=_output(run.question, checked.text),
    )


def _output(question: Question, text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the answer parsed, where JSON was asked for and came; else None."""
    if (question.response_format or {}).get("type") not in STRUCTURED:
        return None
    try:
        output = json.loads(text)
        json.dumps(output, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # cut off, a refusal in words, no JSON at all
        return None
    return output


async def _work(run: Run) -> Call:
    """Make the calls; return the one whose text is the answer's."""
    if run.may_send and run.answer.engine != run.ctx.provider.name:
        await asyncio.to_thread(_check_engine, run)
    parts = [n for n, planned in enumerate(run.planned) if planned.kind == "part"]
    if not parts:
        return await make_call(run, 0, findings=(), aloud=True)
    return await make_merge(run, await make_parts(run, parts))


def _check_engine(run: Run) -> None:
    """Raise ProviderChanged where something would be sent to another engine than the price was for."""
    accepted, configured = run.answer.engine, run.ctx.provider.name
    with run.ctx.db.read() as tx:
        calls = answers.calls_of(tx, run.answer.id)
    if any(call.state is CallState.READY and run.planned[call.part].kind != "repair" for call in calls):
        raise ProviderChanged(
            f"The question was accepted for {accepted}, and the service runs with {configured} now: "
            "what was not sent yet is not sent. Ask again."
        )


async def _broken(run: Run, status: AnswerStatus, failure: Failure | None) -> Answer:
    """Return the answer as it ended without being done, with the text that had come."""
    ended = await _kept(run, _broken_off)
    cited = tuple(run.citations)
    ended = replace(ended, citations=cited, citation_precision=precision(cited))
    if ended.status is AnswerStatus.IN_DOUBT:
        return replace(ended, error=_doubt(failure, ended.id), text=run.shown)
    return replace(ended, status=status, error=failure, text=run.shown)


def _doubt(failure: Failure | None, answer_id: str) -> Failure:
    """Return the failure of an answer in doubt: whatever else went wrong, that is what matters."""
    doubt = failure or IN_DOUBT
    if doubt.code != IN_DOUBT.code:
        doubt = in_doubt_after(doubt.detail)
    resolve = Fix("resolve", "Say whether it was billed.", (("answer_id", answer_id),))
    return replace(doubt, fixes=(resolve.as_dict(),))


def _broken_off(run: Run) -> Answer:
    """Return the answer with its totals, in doubt where any call is."""
    settle = run.settling()
    with run.ctx.db.write() as tx:
        settle(tx)
        calls = _ended(tx, run)
    doubtful = any(call.state is CallState.IN_DOUBT for call in calls)
    status = AnswerStatus.IN_DOUBT if doubtful else run.answer.status
    return replace(_totals(run, run.answer, calls), status=status)


def _totals(run: Run, ended: Answer, calls: Sequence[Call]) -> Answer:
    """Return the answer with what all its calls used and cost."""
    return replace(
        totalled(ended, calls),
        first_token_at=run.first_token_at,
        warnings=(
            *part_warnings(run.planned, calls, answer_id=ended.id),
            *model_warnings(run.ctx.catalog, run.answer, calls),
        ),
    )


def _ended(tx: Transaction, run: Run) -> list[Call]:
    """End what is open: released where it was never sent, in doubt where it was. Return all calls."""
    calls = answers.calls_of(tx, run.answer.id)
    open_ = [call for call in calls if call.state in {CallState.READY, CallState.SENT}]
    for call in open_:
        if call.state is CallState.READY:
            release(tx, run, replace(call, error=Failure("not_sent", "Never sent.")), None)
        else:
            lost = replace(call, state=CallState.IN_DOUBT, error=IN_DOUBT)
            answers.close_call(tx, lost, reply=None, at=run.ctx.now())
    return answers.calls_of(tx, run.answer.id) if open_ else calls


def _conclude(run: Run, ended: Answer) -> list[Event]:
    """Write the end and its last events in one transaction; return these, to be told when that is kept.

    Who is told that an answer is done and looks it up must find it done.
    """
    ended = replace(ended, finished_at=run.ctx.now())
    as_told: Ended | None = None
    settle = run.settling()
    with run.ctx.db.write() as tx:
        settle(tx)
        if ended.status is AnswerStatus.DONE:
            calls = _ended(tx, run)
            ended = replace(_totals(run, ended, calls), cache=explain_cache(tx, run, calls))
            as_told = Ended(ended, billed_tier(calls))
        if not answers.conclude(tx, ended):
            return []  # decided meanwhile, and the stream has had its last event
        last = run.channel.to_follow(last_words(ended), as_told)
        answers.add_events(tx, ended.id, [*run.channel.unsaved(), *last])
    return last
