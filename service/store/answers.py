"""Answers, their calls and their events, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, Update, bindparam, false, func, insert, or_, select, true, update

from service.domain.answers import HOLDING, Answer, AnswerStatus, Call, CallState, Ended
from service.domain.documents import Failure
from service.domain.usage import Usage
from service.store.session import Transaction
from service.store.spelled import Spelled, at_most
from service.store.tables import answer_events, answers, calls

TERMINAL = frozenset({"done", "error"})
"""Events after which nothing follows."""

RESUMED = "resumed"
"""Marks in the stored stream where a later running took over; clients are not told of it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an answer, as clients see it.

    Attributes:
        number: its place in the stream.
        name: what happened.
        data: JSON-ready.
        ended: the answer, where this comes from its running and is the end of one that is done; not stored.
    """

    number: int
    name: str
    data: dict[str, Any]
    ended: Ended | None = field(default=None, compare=False, repr=False)


_NAME_CHARS = 200
_UNDER_WAY = (AnswerStatus.QUEUED.value, AnswerStatus.RUNNING.value)


def add(
    tx: Transaction,
    answer: Answer,
    *,
    request_sha256: str,
    idempotency_key: str | None,
    seat: str | None = None,
) -> None:
    """Record an accepted question; where its answer is taken up at once, with the seat of who runs it."""
    row: dict[str, Any] = {
        "id": answer.id,
        "tenant": answer.tenant,
        "corpus_id": answer.corpus_id,
        "plan_id": answer.plan_id,
        "idempotency_key": idempotency_key,
        "request_sha256": request_sha256,
        "question": answer.question,
        "model": answer.model,
        "status": answer.status.value,
        "cancel_requested": 0,
        "request": answer.request,
        "plan": answer.plan,
        "engine": answer.engine,
        "text": "",
        "citations": [],
        "reserved_micros": answer.reserved_micros,
        "created_at": answer.created_at,
        "started_at": answer.started_at,
        "seat": seat,
        "conversation_id": answer.conversation_id,
        "retry_of": answer.retry_of,
        "replay_of": answer.replay_of,
        "batch_id": answer.batch_id,
        "batch_number": answer.batch_number,
    }
    _ADD.on(tx, row)


def take_for_retry(tx: Transaction, answer_id: str, by: str) -> bool:
    """Have an answer gone on with by another; False where one does so already: it happens once."""
    result = tx.execute(
        update(answers).where(answers.c.id == answer_id, answers.c.retried_as.is_(None)).values(retried_as=by)
    )
    return result.rowcount == 1


def get(tx: Transaction, tenant: str, answer_id: str) -> Answer | None:
    """Return one answer of a tenant."""
    found = _ONE_OF.found(tx, {"answer_id": answer_id, "tenant": tenant})
    return _with_held(tx, answer_of(found[0])) if found else None


def _with_held(tx: Transaction, answer: Answer) -> Answer:
    """Return an answer in doubt with what is held for it: that of its calls whose end is known is not."""
    if answer.status is not AnswerStatus.IN_DOUBT:
        return answer
    held = select(func.coalesce(func.sum(calls.c.reserved_micros), 0)).where(
        calls.c.answer_id == answer.id, calls.c.state.in_([state.value for state in HOLDING])
    )
    return replace(answer, held_micros=tx.execute(held).scalar_one())


def exists(tx: Transaction, tenant: str, answer_id: str) -> bool:
    """Whether a tenant has that answer."""
    query = select(answers.c.id).where(answers.c.id == answer_id, answers.c.tenant == tenant)
    return tx.execute(query).one_or_none() is not None


def get_any(tx: Transaction, answer_id: str) -> Answer | None:
    """Return one answer, whoever's it is: for the jobs."""
    found = _ONE.found(tx, {"answer_id": answer_id})
    return answer_of(found[0]) if found else None


def get_by_key(tx: Transaction, tenant: str, idempotency_key: str) -> tuple[Answer, str] | None:
    """Return the answer that a key already stands for, and the hash of the request that made it."""
    row = tx.execute(
        select(answers).where(answers.c.tenant == tenant, answers.c.idempotency_key == idempotency_key)
    ).one_or_none()
    return None if row is None else (answer_of(row), row.request_sha256)


def free_key(tx: Transaction, answer_id: str) -> None:
    """Let an answer's key stand for another one."""
    tx.execute(update(answers).where(answers.c.id == answer_id).values(idempotency_key=None))


def page_through(
    tx: Transaction,
    tenant: str,
    *,
    corpus_id: str | None,
    after: str | None,
    limit: int,
    newest_first: bool = False,
) -> list[Answer]:
    """Return answers in the order in which they were asked, or from the last one back."""
    order = answers.c.id.desc() if newest_first else answers.c.id
    query = select(answers).where(answers.c.tenant == tenant).order_by(order).limit(limit)
    if corpus_id:
        query = query.where(answers.c.corpus_id == corpus_id)
    if after:
        query = query.where(answers.c.id < after if newest_first else answers.c.id > after)
    return [_with_held(tx, answer_of(row)) for row in tx.execute(query).all()]


def reseat(tx: Transaction, free: Sequence[str], seat: str) -> None:
    """Give what runs on the seats of dead processes to another."""
    left = (answers.c.seat.in_(free), answers.c.status.in_(_UNDER_WAY))
    tx.execute(update(answers).where(*left).values(seat=seat))


def unfinished(
    tx: Transaction, *, seat: str, unseated: bool = True, lost_before: datetime | None = None
) -> list[str]:
    """Return the ids of answers that something still has to happen to; a batch minds its own.

    Args:
        tx: the caller's.
        seat: where they run.
        unseated: also those that nobody has begun.
        lost_before: also those that nobody has begun since they were accepted before that moment, and those
            that an earlier version had begun, which had no seats.
    """
    query = select(answers.c.id).where(answers.c.status.in_(_UNDER_WAY), answers.c.batch_id.is_(None))
    here = answers.c.seat == seat
    begun = answers.c.status == AnswerStatus.RUNNING.value
    lost = or_(begun, answers.c.created_at < lost_before) if lost_before else false()
    query = query.where(or_(here, answers.c.seat.is_(None) & (true() if unseated else lost)))
    return list(tx.execute(query).scalars())


def seats_under_way(tx: Transaction) -> list[str]:
    """Return where answers are being run, or were when their process died."""
    query = select(answers.c.seat).where(answers.c.status.in_(_UNDER_WAY), answers.c.seat.is_not(None))
    return list(tx.execute(query.distinct()).scalars())


def begin(tx: Transaction, answer_id: str, at: datetime, *, seat: str | None = None) -> bool:
    """Mark an answer as running.

    Args:
        tx: the caller's.
        answer_id: whose it is.
        at: now.
        seat: of the process that would run it; without one it is asked for by nobody else.

    Returns:
        False where it is final, or runs on another seat.
    """
    told: dict[str, Any] = {"answer_id": answer_id, "at": at}
    if seat is None:
        return tx.execute(_begun(), told).rowcount == 1
    return tx.execute(_seated(), told | {"seat": seat, "my_seat": seat}).rowcount == 1


def request_cancel(tx: Transaction, answer_id: str) -> None:
    """Ask whoever runs the answer to stop."""
    tx.execute(update(answers).where(answers.c.id == answer_id).values(cancel_requested=1))


def cancel_requested(tx: Transaction, answer_id: str) -> bool:
    """Whether somebody asked to stop."""
    (answer,) = _CANCEL_REQUESTED.found(tx, {"answer_id": answer_id})
    return bool(answer.cancel_requested)


def cancels_requested(tx: Transaction, answer_ids: Sequence[str]) -> set[str]:
    """Return those of these answers that somebody asked to stop."""
    query = select(answers.c.id).where(answers.c.id.in_(answer_ids), answers.c.cancel_requested == 1)
    return set(tx.execute(query).scalars())


def conclude(tx: Transaction, answer: Answer) -> bool:
    """Write an answer's end (or its doubt): everything that was not known when it was asked.

    Returns:
        False, and nothing is written, where it has ended for good already.
    """
    row = {
        "answer_id": answer.id,
        "status": answer.status.value,
        "text": answer.text,
        "citations": list(answer.citations),
        "usage": _usage(answer.usage),
        "actual_usd": answer.actual_usd,
        "finish_reason": answer.finish_reason,
        "refusal": answer.refusal,
        "output": answer.output,
        "error": asdict(answer.error) if answer.error else None,
        "first_token_at": answer.first_token_at,
        "finished_at": answer.finished_at,
        "cache": answer.cache,
        "citation_precision": answer.citation_precision,
        "repair": answer.repair,
        "warnings": list(answer.warnings),
    }
    return _CONCLUDE.on(tx, row) == 1


def add_events(tx: Transaction, answer_id: str, events: Iterable[Event]) -> None:
    """Append to the answer's stream."""
    add_all_events(tx, {answer_id: list(events)})


def add_all_events(tx: Transaction, said: Mapping[str, Sequence[Event]]) -> None:
    """Append to the streams of several answers."""
    rows = [
        {"answer_id": answer_id, "number": event.number, "name": event.name, "data": event.data}
        for answer_id, events in said.items()
        for event in events
    ]
    if rows:
        _ADD_EVENTS.on_each(tx, rows)


def add_to_end(tx: Transaction, answer_id: str, said: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Append to the stream of an answer that has ended what was decided since."""
    last = select(func.max(answer_events.c.number)).where(answer_events.c.answer_id == answer_id)
    first = (tx.execute(last).scalar_one() or 0) + 1
    add_events(tx, answer_id, [Event(first + n, name, data) for n, (name, data) in enumerate(said)])


def events_after(tx: Transaction, answer_id: str, number: int) -> list[Event]:
    """Return the answer's stream from behind that event on."""
    rows = _EVENTS_AFTER.found(tx, {"answer_id": answer_id, "after": number})
    return [Event(row.number, row.name, row.data) for row in rows]


def terminal_event(tx: Transaction, answer_id: str) -> Event | None:
    """Return the event that ended the stream; None while there is none."""
    row = tx.execute(_terminal_event(), {"answer_id": answer_id}).one_or_none()
    return None if row is None else Event(row.number, row.name, row.data)


def call_of(tx: Transaction, answer_id: str, part: int) -> Call | None:
    """Return one call of an answer."""
    found = _CALL_OF.found(tx, {"answer_id": answer_id, "part": part})
    return _call(found[0]) if found else None


def calls_of(tx: Transaction, answer_id: str) -> list[Call]:
    """Return all calls of an answer, in order."""
    return [_call(row) for row in _CALLS_OF.found(tx, {"answer_id": answer_id})]


def add_call(tx: Transaction, call: Call, *, input_tokens: int, prefix_sha256: str) -> None:
    """Record a call that is ready to be sent or is sent, or whose reply an earlier answer has paid for."""
    row = {
        "id": call.id,
        "answer_id": call.answer_id,
        "part": call.part,
        "state": call.state.value,
        "attempts": call.attempts,
        "sent_at": call.sent_at,
        "input_tokens": input_tokens,
        "prefix_sha256": prefix_sha256,
        "reserved_micros": call.reserved_micros,
        "text": call.text,
        "finish_reason": call.finish_reason,
        "refusal": call.refusal,
        "actual_usd": call.actual_usd,
        "kept_from": call.kept_from,
        "reply": {"model": call.replied_model} if call.replied_model else None,
    }
    _ADD_CALL.on(tx, row)


def take_for_sending(tx: Transaction, call_id: str, at: datetime) -> bool:
    """Move a call from ready to sent. False: somebody else did, so it must never be sent from here."""
    return _TAKE.on(tx, {"call_id": call_id, "at": at}) == 1


def close_call(tx: Transaction, call: Call, *, reply: dict[str, Any] | None, at: datetime) -> None:
    """Write a call's end (or its doubt) with all that came."""
    row = {
        "call_id": call.id,
        "state": call.state.value,
        "text": call.text,
        "reply": reply,
        "usage": _usage(call.usage),
        "finish_reason": call.finish_reason,
        "refusal": call.refusal,
        "service_tier": call.service_tier,
        "actual_usd": call.actual_usd,
        "error": asdict(call.error) if call.error else None,
        "finished_at": at,
    }
    _CLOSE_CALL.on(tx, row)


def rebill_call(tx: Transaction, call: Call) -> None:
    """Write what an ended call used and cost, as the user told it since."""
    row = {"usage": _usage(call.usage), "actual_usd": call.actual_usd}
    tx.execute(update(calls).where(calls.c.id == call.id).values(row))


def rebill(tx: Transaction, answer: Answer) -> None:
    """Write the same of an answer that has ended, and how that is said."""
    row = {
        "usage": _usage(answer.usage),
        "actual_usd": answer.actual_usd,
        "error": asdict(answer.error) if answer.error else None,
    }
    tx.execute(update(answers).where(answers.c.id == answer.id).values(row))


# Statements are built once: building one takes longer than SQLite takes to carry it out.


def _one() -> Select[Any]:
    return select(answers).where(answers.c.id == bindparam("answer_id"))


def _one_of() -> Select[Any]:
    return _one().where(answers.c.tenant == bindparam("tenant"))


@cache
def _begun() -> Update:
    started = func.coalesce(answers.c.started_at, bindparam("at", type_=answers.c.started_at.type))
    begun = update(answers).values(status=AnswerStatus.RUNNING.value, started_at=started)
    return begun.where(answers.c.id == bindparam("answer_id"), answers.c.status.in_(_UNDER_WAY))


@cache
def _seated() -> Update:
    return _begun().where(or_(answers.c.seat.is_(None), answers.c.seat == bindparam("my_seat")))


def _cancel_requested() -> Select[Any]:
    return select(answers.c.cancel_requested).where(answers.c.id == bindparam("answer_id"))


def _calls_of() -> Select[Any]:
    return select(calls).where(calls.c.answer_id == bindparam("answer_id")).order_by(calls.c.part)


def _call_of() -> Select[Any]:
    return _calls_of().where(calls.c.part == bindparam("part"))


def _events_after() -> Select[Any]:
    of_one = answer_events.c.answer_id == bindparam("answer_id")
    later = answer_events.c.number > bindparam("after")
    return select(answer_events).where(of_one, later).order_by(answer_events.c.number)


@cache
def _terminal_event() -> Select[Any]:
    of_one = answer_events.c.answer_id == bindparam("answer_id")
    query = select(answer_events).where(of_one, answer_events.c.name.in_(TERMINAL))
    return query.order_by(answer_events.c.number.desc()).limit(at_most(1))


def _take() -> Update:
    ready = (calls.c.id == bindparam("call_id")) & (calls.c.state == CallState.READY.value)
    changed = {"state": CallState.SENT.value, "sent_at": bindparam("at"), "attempts": calls.c.attempts + 1}
    return update(calls).where(ready).values(changed)


def _one_call() -> Update:
    return update(calls).where(calls.c.id == bindparam("call_id"))


def _open_answer() -> Update:
    """An answer that has not ended for good."""
    is_open = or_(*(answers.c.status == one for one in (*_UNDER_WAY, AnswerStatus.IN_DOUBT.value)))
    return update(answers).where(answers.c.id == bindparam("answer_id"), is_open)


_ADD = Spelled(lambda: insert(answers).inline())
_ADD_EVENTS = Spelled(lambda: insert(answer_events).inline())
_ADD_CALL = Spelled(lambda: insert(calls).inline())
_CONCLUDE, _CLOSE_CALL, _TAKE = map(Spelled, (_open_answer, _one_call, _take))

_ONE, _ONE_OF, _CALLS_OF, _CALL_OF = map(Spelled, (_one, _one_of, _calls_of, _call_of))
_CANCEL_REQUESTED, _EVENTS_AFTER = Spelled(_cancel_requested), Spelled(_events_after)


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    return usage.as_dict() if usage else None


def answer_of(row: Any) -> Answer:  # noqa: ANN401 - a row of either kind
    """Return a stored answer."""
    return Answer(
        id=row.id,
        tenant=row.tenant,
        corpus_id=row.corpus_id,
        question=row.question,
        model=row.model,
        status=AnswerStatus(row.status),
        plan_id=row.plan_id,
        request=row.request,
        plan=row.plan,
        engine=row.engine,
        created_at=row.created_at,
        text=row.text,
        citations=tuple(row.citations),
        usage=Usage(**row.usage) if row.usage else None,
        actual_usd=row.actual_usd,
        reserved_micros=row.reserved_micros,
        finish_reason=row.finish_reason,
        refusal=row.refusal,
        error=Failure(**row.error) if row.error else None,
        started_at=row.started_at,
        first_token_at=row.first_token_at,
        finished_at=row.finished_at,
        output=row.output,
        cache=row.cache,
        conversation_id=row.conversation_id,
        citation_precision=row.citation_precision,
        repair=row.repair,
        retry_of=row.retry_of,
        retried_as=row.retried_as,
        replay_of=row.replay_of,
        batch_id=row.batch_id,
        batch_number=row.batch_number,
        warnings=tuple(row.warnings or ()),
    )


def _call(row: Any) -> Call:  # noqa: ANN401 - a tuple with names
    return Call(
        id=row.id,
        answer_id=row.answer_id,
        part=row.part,
        state=CallState(row.state),
        reserved_micros=row.reserved_micros,
        attempts=row.attempts,
        text=row.text,
        usage=Usage(**row.usage) if row.usage else None,
        finish_reason=row.finish_reason,
        refusal=row.refusal,
        service_tier=row.service_tier,
        actual_usd=row.actual_usd,
        error=Failure(**row.error) if row.error else None,
        sent_at=row.sent_at,
        kept_from=row.kept_from,
        replied_model=_model_of(row.reply),
    )


def _model_of(reply: dict[str, Any] | None) -> str | None:
    """The model that a reply names, where it is a name."""
    named = (reply or {}).get("model")
    return named[:_NAME_CHARS] if isinstance(named, str) and named else None
